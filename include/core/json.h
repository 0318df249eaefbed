/*
 * JSON as strictly as RFC 8259 has it, with members given twice and lone surrogates refused as in
 * I-JSON (RFC 7493).
 *
 * json-c, even when told to be strict, accepts members given twice, NaN, raw control characters and
 * lone surrogates in strings, overlong UTF-8 and a zero at the end, and bends numbers that do not
 * fit; what it refuses differs between its versions. This module refuses all of it before json-c
 * sees the text, so that nobody downstream can read another meaning into the same bytes.
 *
 * There are two ways to read. json_read() finds single members without building anything: every
 * event comes this way, and json-c decodes the few strings that have escapes. json_read_object()
 * has json-c build a tree, for texts of which all is wanted; it costs several times as much.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

/* Reads many texts, one after another. Not safe from two threads at once. */
struct json_reader;

#define JSON_READER_DEPTH_MAX 64

/*
 * A reader that refuses nesting deeper than max_depth (the outermost object is 1), which is at most
 * JSON_READER_DEPTH_MAX. NULL and err when out of memory.
 */
struct json_reader *json_reader_new(int max_depth, struct error *err);
void json_reader_free(struct json_reader *reader);

enum json_kind {
	JSON_ABSENT,
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER, /* that fits 64 bits, with or without a sign */
	JSON_NUMBER,  /* any other */
	JSON_STRING,
	JSON_OBJECT,
	JSON_ARRAY,
};

/* A value of the text that a reader has read last; it points into that text. */
struct json_value {
	enum json_kind kind;
	struct bytes text; /* as it stands there */
	unsigned object;   /* OBJECT: which of the reader's it is */
};

/*
 * Reads one object that fills `text` whole but for white space around it. ret_object, and what is
 * found in it, is valid as long as the text, until the reader reads another. False with a sentence
 * in err where it is not one; the sentence names the kind of mistake and its byte, and quotes
 * nothing of the text, which may be patient data.
 */
bool json_read(struct json_reader *reader, struct bytes text, struct json_value *ret_object,
	struct error *err);

/* The member of that name; JSON_ABSENT where there is none, or `object` is not an object. */
struct json_value json_member(
	const struct json_reader *reader, struct json_value object, const char *name);

/*
 * A string's value, with its true length: it may hold zeros. Absent where it is not a string, and
 * where memory ran out. Valid as long as json_read() says.
 */
struct bytes json_string(struct json_reader *reader, struct json_value value);

/* The same as a tree of json-c's, which the caller ends with json_object_put(). NULL and err. */
struct json_object *json_read_object(
	struct json_reader *reader, struct bytes text, struct error *err);

/* Whether the last text, or a string of it, was well-formed and could not be read for want of
 * memory. */
bool json_reader_out_of_memory(const struct json_reader *reader);

/*
 * Whether the last text had, anywhere, an integer that does not fit 64 bits. They are well-formed,
 * but json-c bends them to INT64_MIN or UINT64_MAX.
 */
bool json_reader_had_huge_integer(const struct json_reader *reader);

/* The value of a string in a tree, with its true length. */
struct bytes json_string_bytes(struct json_object *string);

/* Whether a text in UTF-8 is well-formed, without overlong forms and surrogates. */
bool json_is_utf8(struct bytes text);

/* Whether a text in UTF-8 has a control character: U+0000 to U+001F, U+007F to U+009F. */
bool json_has_control(struct bytes text);

/* Appends a text in UTF-8 as a JSON string, with its quotes. */
void json_append_string(struct buffer *buffer, struct bytes text);

#endif
