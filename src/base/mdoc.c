#include "base/mdoc.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Appends a line as it is to be read: at its start a dot or an apostrophe would begin a macro. */
static void append_escaped(struct buffer *out, const char *text, size_t length)
{
	if (length > 0 && (text[0] == '.' || text[0] == '\''))
		buffer_append_text(out, "\\&");
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\')
			buffer_append_text(out, "\\e");
		else if (text[i] == '-')
			buffer_append_text(out, "\\-");
		else
			buffer_append(out, text + i, 1);
	}
}

/* Appends text that is filled: each sentence is on a line of its own, so that the space behind it
 * is the reader's to choose. */
static void append_filled(struct buffer *out, const char *text, size_t length)
{
	size_t begun = 0;
	for (size_t i = 1; i + 1 < length; i++) {
		if (text[i] != ' ' || text[i - 1] != '.' ||
			isupper((unsigned char)text[i + 1]) == 0)
			continue;
		append_escaped(out, text + begun, i - begun);
		buffer_append_text(out, "\n");
		begun = i + 1;
	}
	append_escaped(out, text + begun, length - begun);
}

void mdoc_begin(struct buffer *out, const char *name, int section, const char *summary)
{
	/* The readers put the day of reading where the date is left to CVS: there is none to keep
	 * up to date. */
	buffer_append_text(out, ".Dd $Mdocdate$\n.Dt ");
	for (const char *c = name; *c != '\0'; c++)
		buffer_append(out, (const char[]){(char)toupper((unsigned char)*c)}, 1);
	buffer_append_format(out, " %d\n.Os care360-lookup " CARE360_VERSION "\n", section);
	buffer_append_format(out, ".Sh NAME\n.Nm %s\n.Nd ", name);
	append_escaped(out, summary, strlen(summary));
	buffer_append_text(out, "\n");
}

void mdoc_section(struct buffer *out, const char *title)
{
	buffer_append_format(out, ".Sh %s\n", title);
}

/* Whether the text begins with a word that is nothing but one: not http:// or h2. */
static bool begins_with_word(const char *text)
{
	size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	return letters > 0 && strchr(" ,;", text[letters]) != NULL;
}

void mdoc_sentence(struct buffer *out, const char *text)
{
	size_t length = strlen(text);
	if (begins_with_word(text)) {
		buffer_append(out, (const char[]){(char)toupper((unsigned char)text[0])}, 1);
		text++;
		length--;
	}
	append_filled(out, text, length);
	buffer_append_text(out, length > 0 && text[length - 1] != '.' ? ".\n" : "\n");
}

static void append_lines(struct buffer *out, const char *text, size_t length,
	void (*append)(struct buffer *out, const char *text, size_t length))
{
	while (length > 0) {
		const char *end = memchr(text, '\n', length);
		size_t line = end == NULL ? length : (size_t)(end - text);
		append(out, text, line);
		buffer_append_text(out, "\n");
		line += end == NULL ? 0 : 1;
		text += line;
		length -= line;
	}
}

static void append_literal(struct buffer *out, const char *text, size_t length)
{
	buffer_append_text(out, ".Bd -literal\n");
	append_lines(out, text, length, append_escaped);
	buffer_append_text(out, ".Ed\n");
}

void mdoc_literal(struct buffer *out, const char *text)
{
	append_literal(out, text, strlen(text));
}

void mdoc_paragraphs(struct buffer *out, const char *text)
{
	const char *before = "";
	while (*text != '\0') {
		const char *end = strstr(text, "\n\n");
		size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
		if (text[0] == ' ') {
			append_literal(out, text, length);
		} else {
			buffer_append_text(out, before);
			append_lines(out, text, length, append_filled);
		}
		before = ".Pp\n";
		text += length;
		text += strspn(text, "\n");
	}
}

void mdoc_argument(struct buffer *out, const char *text)
{
	buffer_append_text(out, " \"");
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"')
			buffer_append_text(out, "\\(dq");
		else if (*c == '\\')
			buffer_append_text(out, "\\e");
		else
			buffer_append(out, c, 1);
	}
	buffer_append_text(out, "\"");
}

void mdoc_see_also(struct buffer *out, const char *pages)
{
	mdoc_section(out, "SEE ALSO");
	while (*pages != '\0') {
		size_t length = strcspn(pages, "\n");
		bool last = pages[length] == '\0';
		buffer_append_format(out, ".Xr %.*s%s\n", (int)length, pages, last ? "" : " ,");
		pages += length + (last ? 0 : 1);
	}
}
