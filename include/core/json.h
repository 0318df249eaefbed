/*
 * JSON as strictly as RFC 8259 has it, with members given twice and lone surrogates refused as in
 * I-JSON (RFC 7493), read by json-c.
 *
 * json-c, even when told to be strict, accepts members given twice, NaN, raw control characters and
 * lone surrogates in strings, overlong UTF-8 and a zero at the end, and bends numbers that do not
 * fit; what it refuses differs between its versions. This module refuses all of it before json-c
 * sees the text, so that nobody downstream can read another meaning into the same bytes.
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

/*
 * Reads one object that fills `text` whole but for white space around it. The caller ends it with
 * json_object_put(). NULL with a sentence in err where it is not one; the sentence names the kind
 * of mistake and its byte, and quotes nothing of the text, which may be patient data.
 */
struct json_object *json_read_object(
	struct json_reader *reader, struct bytes text, struct error *err);

/* Whether the last text was well-formed and could not be read for want of memory. */
bool json_reader_out_of_memory(const struct json_reader *reader);

/*
 * Whether the last text had, anywhere, an integer that does not fit 64 bits. They are well-formed,
 * but json-c bends them to INT64_MIN or UINT64_MAX.
 */
bool json_reader_had_huge_integer(const struct json_reader *reader);

/* The value of a string object, with its true length: it may hold zeros. */
struct bytes json_string_bytes(struct json_object *string);

/* Whether a text in UTF-8 is well-formed, without overlong forms and surrogates. */
bool json_is_utf8(struct bytes text);

/* Whether a text in UTF-8 has a control character: U+0000 to U+001F, U+007F to U+009F. */
bool json_has_control(struct bytes text);

/* Appends a text in UTF-8 as a JSON string, with its quotes. */
void json_append_string(struct buffer *buffer, struct bytes text);

#endif
