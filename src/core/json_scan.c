#include "json_scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What may come next. */
enum expected {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* after [ */
	EXPECT_NAME,         /* after a comma in an object */
	EXPECT_NAME_OR_END,  /* after { */
	EXPECT_COMMA_OR_END, /* after a value */
};

/* An object or array that is not closed yet. */
struct level {
	const unsigned char *start;
	unsigned object; /* its number; 0: an array */
	size_t member;   /* whose value it is; NOBODYS: an array's element, or the whole text */
};

#define NOBODYS SIZE_MAX

struct cursor {
	const unsigned char *at;
	const unsigned char *end;
	int depth;
	int max_depth;
	unsigned objects; /* so far */
	enum expected expected;
	struct level *levels; /* room for max_depth */
	struct json_scan *found;
};

static bool mistake(struct cursor *cursor, const char *kind)
{
	cursor->found->mistake = kind;
	return false;
}

/* The byte at hand; 0, which is well-formed nowhere, at the end. */
static unsigned char peek(const struct cursor *cursor)
{
	return cursor->at < cursor->end ? *cursor->at : 0;
}

static struct level *innermost(const struct cursor *cursor)
{
	return &cursor->levels[cursor->depth - 1];
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' ||
						   *cursor->at == '\r' || *cursor->at == '\t'))
		cursor->at++;
}

size_t json_utf8_length(const unsigned char *at, const unsigned char *end)
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
static bool scan_escape(struct cursor *cursor, bool name)
{
	const unsigned char *at = cursor->at + 1;
	if (at == cursor->end)
		return mistake(cursor, "unfinished string");
	if (*at != 'u') {
		if (*at == 0 || strchr("\"\\/bfnrt", *at) == NULL)
			return mistake(cursor, "unknown escape");
		cursor->at += 2;
		return true;
	}
	int code = hex4(at + 1, cursor->end);
	if (code < 0)
		return mistake(cursor, "unknown escape");
	if (code == 0 && name)
		return mistake(cursor, "zero in a member's name"); /* json-c would cut it there */
	cursor->at += 6;
	if (code < 0xd800 || code > 0xdfff)
		return true;
	bool paired = code < 0xdc00 && cursor->end - cursor->at >= 6 && cursor->at[0] == '\\' &&
		      cursor->at[1] == 'u';
	int low = paired ? hex4(cursor->at + 2, cursor->end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return mistake(cursor, "lone surrogate");
	cursor->at += 6;
	return true;
}

/* At an opening quote. */
static bool scan_string(struct cursor *cursor, bool name)
{
	cursor->at++;
	while (cursor->at < cursor->end) {
		unsigned char c = *cursor->at;
		if (c == '"') {
			cursor->at++;
			return true;
		}
		if (c < 0x20)
			return mistake(cursor, "raw control character in a string");
		if (c == '\\') {
			if (!scan_escape(cursor, name))
				return false;
		} else if (c < 0x80) {
			cursor->at++;
		} else {
			size_t length = json_utf8_length(cursor->at, cursor->end);
			if (length == 0)
				return mistake(cursor, "invalid UTF-8");
			cursor->at += length;
		}
	}
	return mistake(cursor, "unfinished string");
}

static size_t skip_digits(struct cursor *cursor)
{
	const unsigned char *from = cursor->at;
	while (is_digit(peek(cursor)))
		cursor->at++;
	return (size_t)(cursor->at - from);
}

/* Whether an integer's digits, of which the first is not 0 where there are more, exceed 64 bits. */
static bool is_huge(const unsigned char *digits, size_t count, bool negative)
{
	const char *most = negative ? "9223372036854775808" : "18446744073709551615";
	size_t length = strlen(most);
	return count > length || (count == length && memcmp(digits, most, length) > 0);
}

/* At a digit or a minus. */
static bool scan_number(struct cursor *cursor, enum json_kind *ret_kind)
{
	bool negative = peek(cursor) == '-';
	if (negative)
		cursor->at++;
	const unsigned char *digits = cursor->at;
	size_t count = skip_digits(cursor);
	if (count == 0 || (count > 1 && digits[0] == '0'))
		return mistake(cursor, "malformed number");
	bool integer = true;
	if (peek(cursor) == '.') {
		integer = false;
		cursor->at++;
		if (skip_digits(cursor) == 0)
			return mistake(cursor, "malformed number");
	}
	if (peek(cursor) == 'e' || peek(cursor) == 'E') {
		integer = false;
		cursor->at++;
		if (peek(cursor) == '+' || peek(cursor) == '-')
			cursor->at++;
		if (skip_digits(cursor) == 0)
			return mistake(cursor, "malformed number");
	}
	bool huge = integer && is_huge(digits, count, negative);
	cursor->found->huge_integer = cursor->found->huge_integer || huge;
	*ret_kind = integer && !huge ? JSON_INTEGER : JSON_NUMBER;
	return true;
}

static bool scan_word(struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
		return mistake(cursor, "not a value");
	cursor->at += length;
	return true;
}

/* Notes a member's name, and makes room for its value. */
static bool note_name(struct cursor *cursor, struct bytes name)
{
	struct json_scan *found = cursor->found;
	if (found->count == found->capacity) {
		size_t capacity = found->capacity == 0 ? 16 : found->capacity * 2;
		struct json_member *members =
			reallocarray(found->members, capacity, sizeof(*members));
		if (members == NULL) {
			found->out_of_memory = true;
			return false;
		}
		found->members = members;
		found->capacity = capacity;
	}
	found->members[found->count++] =
		(struct json_member){.name = name, .object = innermost(cursor)->object};
	return true;
}

/* Notes the value that ends here, if it is a member's. */
static void note_value(struct cursor *cursor, size_t member, enum json_kind kind,
	const unsigned char *start, unsigned object)
{
	if (member == NOBODYS)
		return;
	cursor->found->members[member].value = (struct json_value){
		.kind = kind,
		.text = {(const char *)start, (size_t)(cursor->at - start)},
		.object = object,
	};
}

/* At { or [: the value of a member, or nobody's. */
static bool scan_open(struct cursor *cursor, size_t member)
{
	if (cursor->depth == cursor->max_depth)
		return mistake(cursor, "nested too deeply");
	bool object = *cursor->at == '{';
	cursor->levels[cursor->depth++] = (struct level){
		.start = cursor->at,
		.object = object ? ++cursor->objects : 0,
		.member = member,
	};
	cursor->at++;
	cursor->expected = object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

/* At the } or ] that fits. */
static bool scan_close(struct cursor *cursor)
{
	const struct level *level = innermost(cursor);
	cursor->at++;
	note_value(cursor, level->member, level->object > 0 ? JSON_OBJECT : JSON_ARRAY,
		level->start, level->object);
	cursor->depth--;
	cursor->expected = EXPECT_COMMA_OR_END;
	return true;
}

static bool scan_scalar(struct cursor *cursor, enum json_kind *ret_kind)
{
	switch (peek(cursor)) {
	case '"':
		*ret_kind = JSON_STRING;
		return scan_string(cursor, false);
	case 't':
		*ret_kind = JSON_BOOLEAN;
		return scan_word(cursor, "true");
	case 'f':
		*ret_kind = JSON_BOOLEAN;
		return scan_word(cursor, "false");
	case 'n':
		*ret_kind = JSON_NULL;
		return scan_word(cursor, "null");
	default:
		if (peek(cursor) != '-' && !is_digit(peek(cursor)))
			return mistake(cursor, "not a value");
		return scan_number(cursor, ret_kind);
	}
}

static bool scan_value(struct cursor *cursor)
{
	/* In an object, the name that was noted last is this value's. */
	size_t member = innermost(cursor)->object > 0 ? cursor->found->count - 1 : NOBODYS;
	if (peek(cursor) == '{' || peek(cursor) == '[')
		return scan_open(cursor, member);
	const unsigned char *start = cursor->at;
	enum json_kind kind = JSON_NULL;
	cursor->expected = EXPECT_COMMA_OR_END;
	if (!scan_scalar(cursor, &kind))
		return false;
	note_value(cursor, member, kind, start, 0);
	return true;
}

/* A member's name and its colon. */
static bool scan_name(struct cursor *cursor)
{
	if (peek(cursor) != '"')
		return mistake(cursor, "not a member's name");
	const char *name = (const char *)cursor->at + 1;
	if (!scan_string(cursor, true))
		return false;
	size_t length = (size_t)((const char *)cursor->at - 1 - name);
	skip_space(cursor);
	if (peek(cursor) != ':')
		return mistake(cursor, "no colon after a member's name");
	cursor->at++;
	cursor->expected = EXPECT_VALUE;
	return note_name(cursor, (struct bytes){name, length});
}

/* One step: a value, a name with its colon, a comma or an end. Not at the end of the text. */
static bool scan_next(struct cursor *cursor)
{
	bool object = innermost(cursor)->object > 0;
	bool at_end = peek(cursor) == (object ? '}' : ']');
	switch (cursor->expected) {
	case EXPECT_VALUE_OR_END:
		return at_end ? scan_close(cursor) : scan_value(cursor);
	case EXPECT_VALUE:
		return scan_value(cursor);
	case EXPECT_NAME_OR_END:
		return at_end ? scan_close(cursor) : scan_name(cursor);
	case EXPECT_NAME:
		return scan_name(cursor);
	case EXPECT_COMMA_OR_END:
		break;
	}
	if (at_end)
		return scan_close(cursor);
	if (peek(cursor) != ',')
		return mistake(cursor, "neither a comma nor an end after a value");
	cursor->at++;
	cursor->expected = object ? EXPECT_NAME : EXPECT_VALUE;
	return true;
}

static bool scan_whole(struct cursor *cursor)
{
	skip_space(cursor);
	if (peek(cursor) != '{')
		return mistake(cursor, "not a JSON object");
	scan_open(cursor, NOBODYS);
	while (cursor->depth > 0) {
		skip_space(cursor);
		if (cursor->at == cursor->end)
			return mistake(cursor, "unfinished JSON");
		if (!scan_next(cursor))
			return false;
	}
	skip_space(cursor);
	return cursor->at == cursor->end || mistake(cursor, "something after the JSON object");
}

bool json_scan_text(struct json_scan *scan, struct bytes text, int max_depth)
{
	struct level levels[JSON_READER_DEPTH_MAX];
	const unsigned char *start = (const unsigned char *)text.data;
	struct cursor cursor = {
		.at = start,
		.end = start + text.length,
		.max_depth = max_depth,
		.levels = levels,
		.found = scan,
	};
	scan->count = 0;
	scan->huge_integer = false;
	scan->out_of_memory = false;
	scan->mistake = NULL;
	bool fine = scan_whole(&cursor);
	scan->place = (size_t)(cursor.at - start) + 1;
	return fine;
}
