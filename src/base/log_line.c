#include "log_line.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[1;31m"};

#define DIM   "\033[2m"
#define PLAIN "\033[0m"

/* How many bytes the UTF-8 character at `text` has (RFC 3629, 4); 0 where it is none. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = 0;
	unsigned char low = 0x80; /* what the second byte may be */
	unsigned char high = 0xbf;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	low = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : low;
	high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : high;
	for (size_t i = 1; i < length; i++) {
		if (text[i] < (i == 1 ? low : 0x80) || text[i] > (i == 1 ? high : 0xbf))
			return 0;
	}
	return length;
}

/* A JSON string. What is no UTF-8, such as a file name, must not make the line unreadable. */
static void append_quoted(struct buffer *out, const char *text)
{
	buffer_append_text(out, "\"");
	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;
		size_t length = c < 0x80 ? 1 : utf8_length((const unsigned char *)text);
		if (c == '"' || c == '\\')
			buffer_append_format(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buffer_append_format(out, "\\u%04x", (unsigned)c);
		else if (length == 0)
			buffer_append_text(out, "\\ufffd");
		else
			buffer_append(out, text, length);
		text += length == 0 ? 1 : length;
	}
	buffer_append_text(out, "\"");
}

/* Whether a text reads as one word, so that it needs no quotes. */
static bool is_word(const char *text)
{
	if (*text == '\0')
		return false;
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= 0x20 || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
			return false;
	return true;
}

static void append_value(struct buffer *out, const struct log_field *field, bool json)
{
	switch (field->type) {
	case LOG_FIELD_TEXT:
		if (field->text == NULL)
			buffer_append_text(out, "null");
		else if (!json && is_word(field->text))
			buffer_append_text(out, field->text);
		else
			append_quoted(out, field->text);
		break;
	case LOG_FIELD_INT:
		buffer_append_format(out, "%lld", (long long)field->integer);
		break;
	case LOG_FIELD_BOOL:
		buffer_append_text(out, field->integer != 0 ? "true" : "false");
		break;
	}
}

static void append_json(struct buffer *out, enum log_level level, const char *time,
	const char *message, const struct log_field *fields, size_t count)
{
	buffer_append_format(out, "{\"time\": \"%s\", \"level\": \"%s\", \"message\": ", time,
		level_names[level]);
	append_quoted(out, message);
	for (size_t i = 0; i < count; i++) {
		buffer_append_format(out, ", \"%s\": ", fields[i].name);
		append_value(out, &fields[i], true);
	}
	buffer_append_text(out, "}\n");
}

static void append_text(struct buffer *out, enum log_level level, const char *time,
	const char *message, const struct log_field *fields, size_t count, bool colours)
{
	const char *dim = colours ? DIM : "";
	const char *on = colours ? level_colours[level] : "";
	const char *off = colours ? PLAIN : "";
	buffer_append_format(out, "%s%s%s %s%-5s%s ", dim, time, off, on, level_names[level], off);
	/* A message may come from a library: its line breaks must not make new lines. */
	for (const char *c = message; *c != '\0'; c++)
		buffer_append(out, (unsigned char)*c < 0x20 || *c == 0x7f ? " " : c, 1);
	for (size_t i = 0; i < count; i++) {
		buffer_append_format(out, " %s%s=%s", dim, fields[i].name, off);
		append_value(out, &fields[i], false);
	}
	buffer_append_text(out, "\n");
}

void log_line_append(struct buffer *out, enum log_style style, enum log_level level,
	int64_t wall_ms, const char *message, const struct log_field *fields, size_t count)
{
	char time[RFC3339_SIZE];
	rfc3339_format(wall_ms, time);
	if (style == LOG_STYLE_JSON)
		append_json(out, level, time, message, fields, count);
	else
		append_text(out, level, time, message, fields, count, style == LOG_STYLE_COLOURS);
}
