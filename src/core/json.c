#include "core/json.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json_scan.h"

/*
 * How it works: the scan (json_scan.h) judges the text and notes where its members stand; what is
 * asked for is a slice of the text. json-c, at its most lenient, reads what is left to be read: the
 * strings that have escapes, and whole trees for those who want one. The scan has left it nothing
 * to be lenient about.
 */

/* So many members are compared each with each; more are sorted first. */
#define FEW_MEMBERS 16

/* Room for more members than this is given back, since the next text will hardly need it. */
#define MEMBERS_KEPT 1024

struct json_reader {
	struct json_tokener *tokener;
	int max_depth;
	struct json_scan scan;
	struct json_object *decoded; /* an array of the strings that had escapes; NULL: none had */
	bool out_of_memory;
};

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
	json_object_put(reader->decoded);
	json_tokener_free(reader->tokener);
	free(reader->scan.members);
	free(reader);
}

/* Forgets the text before. */
static void start_anew(struct json_reader *reader)
{
	json_object_put(reader->decoded);
	reader->decoded = NULL;
	reader->out_of_memory = false;
	if (reader->scan.capacity > MEMBERS_KEPT) {
		free(reader->scan.members);
		reader->scan = (struct json_scan){0};
	}
}

/* Has json-c read a text that the scan found to be well-formed; NULL where memory ran out. */
static struct json_object *read_by_json_c(struct json_reader *reader, struct bytes text)
{
	json_tokener_reset(reader->tokener);
	struct json_object *value =
		json_tokener_parse_ex(reader->tokener, text.data, (int)text.length);
	if (value == NULL)
		reader->out_of_memory = true;
	return value;
}

/* The text of a string, from quote to quote, without its escapes; absent without memory. */
static struct bytes decode(struct json_reader *reader, struct bytes quoted)
{
	if (memchr(quoted.data, '\\', quoted.length) == NULL)
		return (struct bytes){quoted.data + 1, quoted.length - 2};
	struct json_object *string = read_by_json_c(reader, quoted);
	if (string == NULL)
		return (struct bytes){0};
	if (reader->decoded == NULL)
		reader->decoded = json_object_new_array();
	if (reader->decoded == NULL || json_object_array_add(reader->decoded, string) != 0) {
		json_object_put(string);
		reader->out_of_memory = true;
		return (struct bytes){0};
	}
	return json_string_bytes(string);
}

/* A name is compared without its escapes. */
static bool decode_names(struct json_reader *reader)
{
	for (size_t i = 0; i < reader->scan.count; i++) {
		struct bytes *name = &reader->scan.members[i].name;
		*name = decode(reader, (struct bytes){name->data - 1, name->length + 2});
		if (name->data == NULL)
			return false;
	}
	return true;
}

/* Orders members by their objects and names; 0 where one is given twice. */
static int compare_members(const void *left, const void *right)
{
	const struct json_member *a = left;
	const struct json_member *b = right;
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	if (a->name.length != b->name.length)
		return a->name.length < b->name.length ? -1 : 1;
	return memcmp(a->name.data, b->name.data, a->name.length);
}

/* Whether an object has a member twice. May change the order of the members. */
static bool has_repeat(struct json_scan *scan)
{
	struct json_member *members = scan->members;
	bool few = scan->count <= FEW_MEMBERS;
	if (!few)
		qsort(members, scan->count, sizeof(*members), compare_members);
	for (size_t i = 1; i < scan->count; i++)
		for (size_t j = few ? 0 : i - 1; j < i; j++)
			if (compare_members(&members[i], &members[j]) == 0)
				return true;
	return false;
}

bool json_read(struct json_reader *reader, struct bytes text, struct json_value *ret_object,
	struct error *err)
{
	start_anew(reader);
	if (text.data == NULL || text.length > INT_MAX)
		return error_set(err, text.data == NULL ? "no text" : "longer than 2 GiB");
	struct json_scan *scan = &reader->scan;
	bool fine = json_scan_text(scan, text, reader->max_depth);
	if (scan->mistake != NULL)
		return error_set(err, "%s at byte %zu", scan->mistake, scan->place);
	if (!fine || !decode_names(reader)) {
		reader->out_of_memory = true;
		return error_memory(err);
	}
	if (has_repeat(scan))
		return error_set(err, "a member given twice");
	*ret_object = (struct json_value){.kind = JSON_OBJECT, .text = text, .object = 1};
	return true;
}

struct json_value json_member(
	const struct json_reader *reader, struct json_value object, const char *name)
{
	struct bytes wanted = bytes_of_text(name);
	for (size_t i = 0; object.object > 0 && i < reader->scan.count; i++) {
		const struct json_member *member = &reader->scan.members[i];
		if (member->object == object.object && bytes_equal(member->name, wanted))
			return member->value;
	}
	return (struct json_value){0};
}

struct bytes json_string(struct json_reader *reader, struct json_value value)
{
	return value.kind == JSON_STRING ? decode(reader, value.text) : (struct bytes){0};
}

struct json_object *json_read_object(
	struct json_reader *reader, struct bytes text, struct error *err)
{
	struct json_value object;
	if (!json_read(reader, text, &object, err))
		return NULL;
	struct json_object *tree = read_by_json_c(reader, text);
	if (tree == NULL)
		error_memory(err);
	return tree;
}

bool json_reader_out_of_memory(const struct json_reader *reader)
{
	return reader->out_of_memory;
}

bool json_reader_had_huge_integer(const struct json_reader *reader)
{
	return reader->scan.huge_integer;
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
		size_t length = *at < 0x80 ? 1 : json_utf8_length(at, end);
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
