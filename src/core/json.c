#include "core/json.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/*
 * How it works: scan_text() follows the grammar of RFC 8259 byte by byte, without recursion, and is
 * the only judge of what is well-formed. json-c, at its most lenient, then builds the tree of a
 * text that leaves it nothing to be lenient about. Only members given twice are found afterwards:
 * the tree then has fewer of them than the text, however their names were spelt.
 */

struct json_reader {
	struct json_tokener *tokener;
	int max_depth;
	bool huge_integer;
	bool out_of_memory;
};

/* What may come next. */
enum expected {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* after [ */
	EXPECT_NAME,         /* after a comma in an object */
	EXPECT_NAME_OR_END,  /* after { */
	EXPECT_COMMA_OR_END, /* after a value */
};

struct scan {
	const unsigned char *at;
	const unsigned char *end;
	int depth;
	int max_depth;
	uint64_t objects; /* one bit a level, the innermost lowest: 1 for an object, 0 for an array
			   */
	enum expected expected;
	size_t members;
	bool huge_integer;
	const char *mistake; /* the kind, where there is one; `at` is its place */
};

static bool mistake(struct scan *scan, const char *kind)
{
	scan->mistake = kind;
	return false;
}

/* The byte at hand; 0, which is well-formed nowhere, at the end. */
static unsigned char peek(const struct scan *scan)
{
	return scan->at < scan->end ? *scan->at : 0;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
		(*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
		scan->at++;
}

/* How many bytes the UTF-8 character at `at`, which is not ASCII, has; 0: malformed (RFC 3629, 4).
 */
static size_t utf8_length(const unsigned char *at, const unsigned char *end)
{
	size_t length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (at[0] < 0xc2 || at[0] > 0xf4 || (size_t)(end - at) < length)
		return 0;
	unsigned char least = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
	if (at[1] < least || at[1] > most)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	return length;
}

/* Reads the four digits after \u; -1 where they are not. */
static int hex4(const unsigned char *at, const unsigned char *end)
{
	if (end - at < 4)
		return -1;
	int code = 0;
	for (int i = 0; i < 4; i++) {
		unsigned char c = at[i];
		if (is_digit(c))
			code = code * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			code = code * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return code;
}

/* At a backslash. */
static bool scan_escape(struct scan *scan, bool name)
{
	const unsigned char *at = scan->at + 1;
	if (at == scan->end)
		return mistake(scan, "unfinished string");
	if (*at != 'u') {
		if (*at == 0 || strchr("\"\\/bfnrt", *at) == NULL)
			return mistake(scan, "unknown escape");
		scan->at += 2;
		return true;
	}
	int code = hex4(at + 1, scan->end);
	if (code < 0)
		return mistake(scan, "unknown escape");
	if (code == 0 && name)
		return mistake(scan, "zero in a member's name"); /* json-c would cut it there */
	scan->at += 6;
	if (code < 0xd800 || code > 0xdfff)
		return true;
	bool paired = code < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
		      scan->at[1] == 'u';
	int low = paired ? hex4(scan->at + 2, scan->end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return mistake(scan, "lone surrogate");
	scan->at += 6;
	return true;
}

/* At an opening quote. */
static bool scan_string(struct scan *scan, bool name)
{
	scan->at++;
	while (scan->at < scan->end) {
		unsigned char c = *scan->at;
		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c < 0x20)
			return mistake(scan, "raw control character in a string");
		if (c == '\\') {
			if (!scan_escape(scan, name))
				return false;
		} else if (c < 0x80) {
			scan->at++;
		} else {
			size_t length = utf8_length(scan->at, scan->end);
			if (length == 0)
				return mistake(scan, "invalid UTF-8");
			scan->at += length;
		}
	}
	return mistake(scan, "unfinished string");
}

static size_t skip_digits(struct scan *scan)
{
	const unsigned char *from = scan->at;
	while (is_digit(peek(scan)))
		scan->at++;
	return (size_t)(scan->at - from);
}

/* Whether an integer's digits, of which the first is not 0 where there are more, exceed 64 bits. */
static bool is_huge(const unsigned char *digits, size_t count, bool negative)
{
	const char *most = negative ? "9223372036854775808" : "18446744073709551615";
	size_t length = strlen(most);
	return count > length || (count == length && memcmp(digits, most, length) > 0);
}

/* At a digit or a minus. */
static bool scan_number(struct scan *scan)
{
	bool negative = peek(scan) == '-';
	if (negative)
		scan->at++;
	const unsigned char *digits = scan->at;
	size_t count = skip_digits(scan);
	if (count == 0 || (count > 1 && digits[0] == '0'))
		return mistake(scan, "malformed number");
	bool integer = true;
	if (peek(scan) == '.') {
		integer = false;
		scan->at++;
		if (skip_digits(scan) == 0)
			return mistake(scan, "malformed number");
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		integer = false;
		scan->at++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->at++;
		if (skip_digits(scan) == 0)
			return mistake(scan, "malformed number");
	}
	if (integer && is_huge(digits, count, negative))
		scan->huge_integer = true;
	return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return mistake(scan, "not a value");
	scan->at += length;
	return true;
}

/* At { or [. */
static bool scan_open(struct scan *scan)
{
	if (scan->depth == scan->max_depth)
		return mistake(scan, "nested too deeply");
	bool object = *scan->at++ == '{';
	scan->depth++;
	scan->objects = scan->objects << 1 | (object ? 1 : 0);
	scan->expected = object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

/* At the } or ] that fits. */
static bool scan_close(struct scan *scan)
{
	scan->at++;
	scan->depth--;
	scan->objects >>= 1;
	scan->expected = EXPECT_COMMA_OR_END;
	return true;
}

static bool scan_value(struct scan *scan)
{
	scan->expected = EXPECT_COMMA_OR_END;
	switch (peek(scan)) {
	case '{':
	case '[':
		return scan_open(scan);
	case '"':
		return scan_string(scan, false);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		if (peek(scan) != '-' && !is_digit(peek(scan)))
			return mistake(scan, "not a value");
		return scan_number(scan);
	}
}

/* A member's name and its colon. */
static bool scan_name(struct scan *scan)
{
	if (peek(scan) != '"')
		return mistake(scan, "not a member's name");
	if (!scan_string(scan, true))
		return false;
	skip_space(scan);
	if (peek(scan) != ':')
		return mistake(scan, "no colon after a member's name");
	scan->at++;
	scan->members++;
	scan->expected = EXPECT_VALUE;
	return true;
}

/* One step: a value, a name with its colon, a comma or an end. Not at the end of the text. */
static bool scan_next(struct scan *scan)
{
	bool object = (scan->objects & 1) != 0;
	bool at_end = peek(scan) == (object ? '}' : ']');
	switch (scan->expected) {
	case EXPECT_VALUE_OR_END:
		return at_end ? scan_close(scan) : scan_value(scan);
	case EXPECT_VALUE:
		return scan_value(scan);
	case EXPECT_NAME_OR_END:
		return at_end ? scan_close(scan) : scan_name(scan);
	case EXPECT_NAME:
		return scan_name(scan);
	case EXPECT_COMMA_OR_END:
		break;
	}
	if (at_end)
		return scan_close(scan);
	if (peek(scan) != ',')
		return mistake(scan, "neither a comma nor an end after a value");
	scan->at++;
	scan->expected = object ? EXPECT_NAME : EXPECT_VALUE;
	return true;
}

static bool scan_text(struct scan *scan)
{
	skip_space(scan);
	if (peek(scan) != '{')
		return mistake(scan, "not a JSON object");
	scan_open(scan);
	while (scan->depth > 0) {
		skip_space(scan);
		if (scan->at == scan->end)
			return mistake(scan, "unfinished JSON");
		if (!scan_next(scan))
			return false;
	}
	skip_space(scan);
	return scan->at == scan->end || mistake(scan, "something after the JSON object");
}

/* How many members the objects of a tree have. Recurses as deep as the scan allowed. */
static size_t count_members(struct json_object *tree)
{
	size_t count = 0;
	if (json_object_is_type(tree, json_type_object)) {
		count = (size_t)json_object_object_length(tree);
		struct json_object_iterator at = json_object_iter_begin(tree);
		struct json_object_iterator end = json_object_iter_end(tree);
		for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
			count += count_members(json_object_iter_peek_value(&at));
	} else if (json_object_is_type(tree, json_type_array)) {
		size_t length = json_object_array_length(tree);
		for (size_t i = 0; i < length; i++)
			count += count_members(json_object_array_get_idx(tree, i));
	}
	return count;
}

struct json_reader *json_reader_new(int max_depth, struct error *err)
{
	struct json_reader *reader = mem_new(struct json_reader);
	/* One level more, since json-c counts the values in the innermost object as a level. */
	struct json_tokener *tokener = reader == NULL ? NULL : json_tokener_new_ex(max_depth + 1);
	if (tokener == NULL) {
		free(reader);
		error_memory(err);
		return NULL;
	}
	reader->tokener = tokener;
	reader->max_depth = max_depth < JSON_READER_DEPTH_MAX ? max_depth : JSON_READER_DEPTH_MAX;
	return reader;
}

void json_reader_free(struct json_reader *reader)
{
	if (reader == NULL)
		return;
	json_tokener_free(reader->tokener);
	free(reader);
}

struct json_object *json_read_object(
	struct json_reader *reader, struct bytes text, struct error *err)
{
	reader->huge_integer = false;
	reader->out_of_memory = false;
	if (text.data == NULL || text.length > INT_MAX) {
		error_set(err, text.data == NULL ? "no text" : "longer than 2 GiB");
		return NULL;
	}
	const unsigned char *start = (const unsigned char *)text.data;
	struct scan scan = {
		.at = start, .end = start + text.length, .max_depth = reader->max_depth};
	if (!scan_text(&scan)) {
		error_set(err, "%s at byte %zu", scan.mistake, (size_t)(scan.at - start) + 1);
		return NULL;
	}
	reader->huge_integer = scan.huge_integer;

	json_tokener_reset(reader->tokener);
	struct json_object *tree =
		json_tokener_parse_ex(reader->tokener, text.data, (int)text.length);
	if (tree == NULL) {
		reader->out_of_memory = true;
		error_memory(err);
		return NULL;
	}
	if (count_members(tree) != scan.members) {
		json_object_put(tree);
		error_set(err, "a member given twice");
		return NULL;
	}
	return tree;
}

bool json_reader_out_of_memory(const struct json_reader *reader)
{
	return reader->out_of_memory;
}

bool json_reader_had_huge_integer(const struct json_reader *reader)
{
	return reader->huge_integer;
}

struct bytes json_string_bytes(struct json_object *string)
{
	return (struct bytes){
		json_object_get_string(string), (size_t)json_object_get_string_len(string)};
}

bool json_is_utf8(struct bytes text)
{
	if (text.length == 0)
		return true;
	const unsigned char *at = (const unsigned char *)text.data;
	const unsigned char *end = at + text.length;
	while (at < end) {
		size_t length = *at < 0x80 ? 1 : utf8_length(at, end);
		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

bool json_has_control(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == 0x7f)
			return true;
		/* U+0080 to U+009F are C2 80 to C2 9F, and C2 is never but a first byte. */
		if (c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0)
			return true;
	}
	return false;
}

void json_append_string(struct buffer *buffer, struct bytes text)
{
	static const char hex[] = "0123456789abcdef";
	buffer_append(buffer, "\"", 1);
	size_t done = 0;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buffer_append(buffer, text.data + done, i - done);
		done = i + 1;
		if (c == '"' || c == '\\')
			buffer_append(buffer, (const char[]){'\\', (char)c}, 2);
		else
			buffer_append(buffer,
				(const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
	}
	if (done < text.length)
		buffer_append(buffer, text.data + done, text.length - done);
	buffer_append(buffer, "\"", 1);
}
