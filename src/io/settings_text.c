#include "settings_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DEPTH_MAX 16
#define PATH_SIZE ((size_t)SETTINGS_NAME_MAX * (DEPTH_MAX + 1))

struct definition {
	char *path;
	int line;
};

struct scanner {
	struct settings_store *store;
	const char *at;
	const char *end;
	struct buffer *out;
	int line;
	bool explained;
	bool hopeless;

	/* The last name, until its value begins. */
	char name[SETTINGS_NAME_MAX];
	const char *name_end;
	int name_line;
	size_t name_out;

	/* What is open: a group with its name, or an array or list. */
	struct {
		char bracket;
		int line;
		size_t path_length;
	} open[DEPTH_MAX];
	size_t depth;
	char path[PATH_SIZE]; /* of the open groups: "kafka.security." */

	struct definition *definitions;
	size_t definition_count;
};

static struct setting_place here(int line)
{
	return (struct setting_place){.origin = ORIGIN_FILE, .line = line};
}

static void scanner_fini(struct scanner *scanner)
{
	for (size_t i = 0; i < scanner->definition_count; i++)
		free(scanner->definitions[i].path);
	free(scanner->definitions);
}

static bool looking_at(const struct scanner *scanner, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(scanner->end - scanner->at) >= length &&
	       memcmp(scanner->at, text, length) == 0;
}

/* Copies up to `end`, counting lines. */
static void copy_to(struct scanner *scanner, const char *end)
{
	buffer_append(scanner->out, scanner->at, (size_t)(end - scanner->at));
	for (; scanner->at < end; scanner->at++)
		scanner->line += *scanner->at == '\n';
}

static const char *end_of_line(const struct scanner *scanner)
{
	const char *end = memchr(scanner->at, '\n', (size_t)(scanner->end - scanner->at));
	return end == NULL ? scanner->end : end;
}

static void scan_block_comment(struct scanner *scanner)
{
	const char *end =
		memmem(scanner->at + 2, (size_t)(scanner->end - scanner->at - 2), "*/", 2);
	if (end == NULL) {
		store_mistake(scanner->store, here(scanner->line), NULL,
			"the comment that begins here is not closed; put */ at its end");
		scanner->explained = true;
	}
	copy_to(scanner, end == NULL ? scanner->end : end + 2);
}

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '*';
}

static bool is_name_part(char c)
{
	return isalnum((unsigned char)c) || c == '*' || c == '_' || c == '-';
}

/* Writes a name that read_group() passes over, instead of one that libconfig would stop at. */
static void replace_name(struct scanner *scanner)
{
	buffer_append_format(scanner->out, "%c%zu", SETTINGS_TEXT_SKIP, scanner->out->length);
}

/* The last name with its groups, "" where there is none. */
static void full_name(const struct scanner *scanner, char ret_name[static PATH_SIZE])
{
	snprintf(ret_name, PATH_SIZE, "%.*s%s", (int)(PATH_SIZE - SETTINGS_NAME_MAX),
		scanner->name[0] == '\0' ? "" : scanner->path, scanner->name);
}

/* Takes back what was written of the setting whose value is being read: libconfig is not to see it.
 */
static void drop_setting(struct scanner *scanner)
{
	if (scanner->name[0] == '\0')
		return;
	scanner->out->length = scanner->name_out;
	replace_name(scanner);
	buffer_append(scanner->out, scanner->name_end, (size_t)(scanner->at - scanner->name_end));
}

/* A mistake in the value that is being read; libconfig is not to see its setting. */
static void __attribute__((format(printf, 2, 3)))
refuse_value(struct scanner *scanner, const char *format, ...)
{
	char name[PATH_SIZE];
	char sentence[256];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	full_name(scanner, name);
	store_mistake(
		scanner->store, here(scanner->line), name[0] == '\0' ? NULL : name, "%s", sentence);
	drop_setting(scanner);
}

/* A text may not go over the end of its line: no setting holds a line break. */
static void scan_text(struct scanner *scanner)
{
	const char *end = end_of_line(scanner);
	const char *c = scanner->at + 1;
	bool zero = false;
	while (c < end && *c != '"') {
		zero = zero || (end - c >= 4 && strncmp(c, "\\x00", 4) == 0);
		c += *c == '\\' && c + 1 < end ? 2 : 1;
	}
	bool closed = c < end;
	if (closed && !zero) {
		copy_to(scanner, c + 1);
		return;
	}
	refuse_value(scanner, "%s",
		closed ? "a text cannot hold a zero byte (\\x00)"
		       : "the text that begins on this line is not closed; put a \" at its end");
	scanner->explained = scanner->explained || !closed;
	buffer_append_text(scanner->out, "\"\"");
	scanner->at = closed ? c + 1 : end;
}

/* 10s, 32MiB: skips what follows the number. */
static const char *explain_unit(struct scanner *scanner, const char *unit)
{
	const char *end = unit;
	while (end < scanner->end && isalnum((unsigned char)*end))
		end++;
	refuse_value(scanner, "\"%.*s\": write the number alone, in the setting's own unit",
		(int)(end - scanner->at), scanner->at);
	return end;
}

/* Integers go to libconfig in a form that every version reads alike. */
static void scan_number(struct scanner *scanner)
{
	const char *c = scanner->at;
	c += *c == '-' || *c == '+';
	bool hex = scanner->end - c > 2 && c[0] == '0' && (c[1] == 'x' || c[1] == 'X');
	c += hex ? 2 : 0;
	while (c < scanner->end && (hex ? isxdigit((unsigned char)*c) : isdigit((unsigned char)*c)))
		c++;
	if (!hex && c < scanner->end && strchr(".eE", *c) != NULL) {
		while (c < scanner->end &&
			(isalnum((unsigned char)*c) || strchr(".+-", *c) != NULL))
			c++;
		copy_to(scanner, c); /* a number with a fraction: no setting has one */
		return;
	}
	char text[64];
	size_t length = (size_t)(c - scanner->at);
	/* What is so long does not fit in any case; leading zeros alone are odd enough to be
	 * refused. */
	snprintf(text, sizeof(text), "%.*s", (int)(length < 63 ? length : 63), scanner->at);
	long long value = strtoll(text, NULL, hex ? 16 : 10);
	bool fits = value >= INT32_MIN && value <= INT32_MAX;
	for (int i = 0; i < 2 && c < scanner->end && *c == 'L'; i++)
		c++;
	if (c < scanner->end && isalpha((unsigned char)*c))
		c = explain_unit(scanner, c);
	buffer_append_format(scanner->out, "%lld%s", value, fits ? "" : "L");
	scanner->at = c;
}

/* kafka.brokers = ...: a newcomer's first idea. */
static void explain_dots(struct scanner *scanner, const char *end)
{
	const char *start = scanner->at;
	while (end < scanner->end && (is_name_part(*end) || *end == '.'))
		end++;
	const char *dot = memchr(start, '.', (size_t)(end - start));
	store_mistake(scanner->store, here(scanner->line), NULL,
		"%.*s: names in the file hold no dots; write %.*s = { %.*s = ...; };",
		(int)(end - start), start, (int)(dot - start), start, (int)(end - dot - 1),
		dot + 1);
	replace_name(scanner);
	scanner->name[0] = '\0';
	scanner->at = end;
}

static void scan_name(struct scanner *scanner)
{
	const char *end = scanner->at;
	while (end < scanner->end && is_name_part(*end))
		end++;
	if (end < scanner->end && *end == '.') {
		explain_dots(scanner, end);
		return;
	}
	snprintf(scanner->name, sizeof(scanner->name), "%.*s",
		(int)(end - scanner->at < SETTINGS_NAME_MAX ? end - scanner->at
							    : SETTINGS_NAME_MAX - 1),
		scanner->at);
	scanner->name_end = end;
	scanner->name_line = scanner->line;
	scanner->name_out = scanner->out->length;
	copy_to(scanner, end);
}

static const struct definition *find_definition(const struct scanner *scanner, const char *path)
{
	for (size_t i = 0; i < scanner->definition_count; i++)
		if (strcmp(scanner->definitions[i].path, path) == 0)
			return &scanner->definitions[i];
	return NULL;
}

static void add_definition(struct scanner *scanner, const char *path)
{
	struct definition *grown =
		reallocarray(scanner->definitions, scanner->definition_count + 1, sizeof(*grown));
	char *copy = strdup(path);
	if (grown != NULL)
		scanner->definitions = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		scanner->store->out_of_memory = true;
		return;
	}
	grown[scanner->definition_count++] =
		(struct definition){.path = copy, .line = scanner->name_line};
}

/* A name gets its value: libconfig would stop at one that has one already. */
static void scan_assignment(struct scanner *scanner)
{
	if (scanner->name[0] != '\0') {
		char path[PATH_SIZE];
		full_name(scanner, path);
		const struct definition *first = find_definition(scanner, path);
		if (first == NULL) {
			add_definition(scanner, path);
		} else {
			store_mistake(scanner->store, here(scanner->name_line), path,
				"is given twice, first on line %d; %s", first->line,
				setting_group_exists(path) ? "put all of the group in one place"
							   : "leave one of them out");
			drop_setting(scanner);
		}
	}
	copy_to(scanner, scanner->at + 1);
}

static void scan_opening(struct scanner *scanner)
{
	if (scanner->depth == DEPTH_MAX) {
		store_mistake(scanner->store, here(scanner->line), NULL,
			"groups are nested too deeply; no setting lies so deep");
		scanner->hopeless = true;
		scanner->at = scanner->end;
		return;
	}
	size_t length = strlen(scanner->path);
	scanner->open[scanner->depth].bracket = *scanner->at;
	scanner->open[scanner->depth].line = scanner->line;
	scanner->open[scanner->depth].path_length = length;
	scanner->depth++;
	if (*scanner->at == '{')
		snprintf(scanner->path + length, sizeof(scanner->path) - length, "%s.",
			scanner->name);
	scanner->name[0] = '\0';
	copy_to(scanner, scanner->at + 1);
}

static void scan_closing(struct scanner *scanner)
{
	if (scanner->depth > 0) {
		scanner->depth--;
		scanner->path[scanner->open[scanner->depth].path_length] = '\0';
	}
	scanner->name[0] = '\0';
	copy_to(scanner, scanner->at + 1);
}

static void refuse_include(struct scanner *scanner)
{
	store_mistake(scanner->store, here(scanner->line), NULL,
		"@include is not supported: a configuration is one file");
	scanner->at = end_of_line(scanner);
}

static void scan_next(struct scanner *scanner)
{
	char c = *scanner->at;
	bool number = isdigit((unsigned char)c) ||
		      ((c == '-' || c == '+' || c == '.') && scanner->at + 1 < scanner->end &&
			      isdigit((unsigned char)scanner->at[1]));
	if (c == '#' || looking_at(scanner, "//"))
		copy_to(scanner, end_of_line(scanner));
	else if (looking_at(scanner, "/*"))
		scan_block_comment(scanner);
	else if (c == '"')
		scan_text(scanner);
	else if (number)
		scan_number(scanner);
	else if (is_name_start(c))
		scan_name(scanner);
	else if (c == '=' || c == ':')
		scan_assignment(scanner);
	else if (c == '{' || c == '[' || c == '(')
		scan_opening(scanner);
	else if (c == '}' || c == ']' || c == ')')
		scan_closing(scanner);
	else if (looking_at(scanner, "@include"))
		refuse_include(scanner);
	else
		copy_to(scanner, scanner->at + 1);
}

bool settings_text_prepare(struct settings_store *store, struct bytes text, struct buffer *ret_text,
	bool *ret_explained)
{
	CLEANUP(scanner_fini)
	struct scanner scanner = {.store = store,
		.at = text.data,
		.end = text.data + text.length,
		.out = ret_text,
		.line = 1};
	if (looking_at(&scanner, "\xef\xbb\xbf"))
		scanner.at += 3; /* the byte order mark of some editors */
	const char *zero = text.length == 0 ? NULL : memchr(text.data, '\0', text.length);
	while (scanner.at < scanner.end) {
		if (scanner.at == zero) {
			store_mistake(store, here(scanner.line), NULL,
				"holds a zero byte: this is no text file");
			return false;
		}
		scan_next(&scanner);
	}
	if (!scanner.hopeless && !scanner.explained && scanner.depth > 0) {
		char bracket = scanner.open[scanner.depth - 1].bracket;
		store_mistake(store, here(scanner.open[scanner.depth - 1].line), NULL,
			"the '%c' on this line is not closed; put a '%c' at its end", bracket,
			bracket == '{'   ? '}'
			: bracket == '[' ? ']'
					 : ')');
		scanner.explained = true;
	}
	/* libconfig 1.5 takes a comment for a mistake where the text ends with it. */
	buffer_append_text(ret_text, "\n");
	*ret_explained = scanner.explained;
	return !scanner.hopeless;
}
