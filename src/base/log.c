#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"

struct log {
	int descriptor;
	bool json;
	bool colours;
	_Atomic(enum log_level) level;
	_Atomic(uint64_t) dropped;
	pthread_mutex_t lock; /* held while a line is made and written */
	struct buffer line;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[1;31m"};

struct log *log_new(int descriptor, enum log_level level, enum log_format format, struct error *err)
{
	struct log *log = mem_new(struct log);
	if (log == NULL) {
		error_memory(err);
		return NULL;
	}
	bool terminal = isatty(descriptor) == 1;
	const char *no_color = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
	log->descriptor = descriptor;
	log->json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !terminal);
	log->colours = terminal && (no_color == NULL || no_color[0] == '\0');
	log->level = level;
	pthread_mutex_init(&log->lock, NULL);
	return log;
}

void log_free(struct log *log)
{
	if (log == NULL)
		return;
	pthread_mutex_destroy(&log->lock);
	buffer_fini(&log->line);
	free(log);
}

void log_set_level(struct log *log, enum log_level level)
{
	log->level = level;
}

bool log_wants(const struct log *log, enum log_level level)
{
	return level >= log->level;
}

uint64_t log_dropped(const struct log *log)
{
	return log->dropped;
}

/* A JSON string. Control characters are escaped; other bytes go out as they are. */
static void append_quoted(struct buffer *line, const char *text)
{
	buffer_append_text(line, "\"");
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buffer_append_format(line, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buffer_append_format(line, "\\u%04x", (unsigned)*c);
		else
			buffer_append(line, c, 1);
	}
	buffer_append_text(line, "\"");
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

static void append_value(struct buffer *line, const struct log_field *field, bool json)
{
	switch (field->type) {
	case LOG_FIELD_TEXT:
		if (field->text == NULL)
			buffer_append_text(line, "null");
		else if (!json && is_word(field->text))
			buffer_append_text(line, field->text);
		else
			append_quoted(line, field->text);
		break;
	case LOG_FIELD_INT:
		buffer_append_format(line, "%lld", (long long)field->integer);
		break;
	case LOG_FIELD_BOOL:
		buffer_append_text(line, field->integer != 0 ? "true" : "false");
		break;
	}
}

static void make_json(struct buffer *line, enum log_level level, const char *time,
	const char *message, const struct log_field *fields, size_t count)
{
	buffer_append_format(line, "{\"time\": \"%s\", \"level\": \"%s\", \"message\": ", time,
		level_names[level]);
	append_quoted(line, message);
	for (size_t i = 0; i < count; i++) {
		buffer_append_format(line, ", \"%s\": ", fields[i].name);
		append_value(line, &fields[i], true);
	}
	buffer_append_text(line, "}\n");
}

static void make_text(struct buffer *line, enum log_level level, const char *time,
	const char *message, const struct log_field *fields, size_t count, bool colours)
{
	const char *on = colours ? level_colours[level] : "";
	const char *off = colours ? "\033[0m" : "";
	buffer_append_format(line, "%s %s%-5s%s ", time, on, level_names[level], off);
	/* A message may come from a library: its line breaks must not make new lines. */
	for (const char *c = message; *c != '\0'; c++)
		buffer_append(line, (unsigned char)*c < 0x20 || *c == 0x7f ? " " : c, 1);
	for (size_t i = 0; i < count; i++) {
		buffer_append_format(line, " %s=", fields[i].name);
		append_value(line, &fields[i], false);
	}
	buffer_append_text(line, "\n");
}

static bool write_whole(int descriptor, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(descriptor, data, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		data += written;
		length -= (size_t)written;
	}
	return true;
}

void log_write(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	if (!log_wants(log, level))
		return;
	char time[RFC3339_SIZE];
	rfc3339_format(clock_wall_ms(), time);

	pthread_mutex_lock(&log->lock);
	buffer_clear(&log->line);
	if (log->json)
		make_json(&log->line, level, time, message, fields, count);
	else
		make_text(&log->line, level, time, message, fields, count, log->colours);
	if (log->line.failed || !write_whole(log->descriptor, log->line.data, log->line.length))
		log->dropped++;
	pthread_mutex_unlock(&log->lock);
}
