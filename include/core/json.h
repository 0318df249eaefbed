/*
 * JSON as strictly as RFC 8259 and I-JSON (RFC 7493) have it, read by json-c.
 *
 * json-c, even when told to be strict, accepts members given twice, NaN, raw control characters and
 * lone surrogates in strings, and bends numbers that do not fit. This module refuses all of it, so that
 * nobody downstream can read another meaning into the same bytes.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

/* Reads many texts, one after another. Not safe from two threads at once. */
struct json_reader;

/* A reader that refuses nesting deeper than max_depth (the outermost object is 1). NULL, err: no memory. */
struct json_reader *json_reader_new(int max_depth, struct error *err);
void json_reader_free(struct json_reader *reader);

/*
 * Reads one object that fills `text` whole but for white space around it. The caller ends it with
 * json_object_put(). NULL with a sentence in err where it is not one; the sentence names the kind of
 * mistake and its byte, and quotes nothing of the text, which may be patient data.
 */
struct json_object *json_read_object(struct json_reader *reader, struct bytes text, struct error *err);

/* Whether the last text had, anywhere, an integer that does not fit 64 bits (json-c bends those). */
bool json_reader_had_huge_integer(const struct json_reader *reader);

/* The value of a string object, with its true length: it may hold zeros. */
struct bytes json_string_bytes(struct json_object *string);

#endif
