#include "fuzz.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define JSON_DEPTH 64

_Noreturn void fuzz_broken(const char *file, int line, const char *promise)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
	abort();
}

struct bytes fuzz_take_line(struct bytes *input)
{
	const char *end = input->length == 0 ? NULL : memchr(input->data, '\n', input->length);
	struct bytes line = {
		input->data, end == NULL ? input->length : (size_t)(end - input->data)};
	size_t taken = line.length + (end == NULL ? 0 : 1);
	*input = (struct bytes){input->data + taken, input->length - taken};
	return line;
}

char *fuzz_text(struct bytes bytes)
{
	char *text = malloc(bytes.length + 1);
	REQUIRE(text != NULL);
	if (bytes.length > 0)
		memcpy(text, bytes.data, bytes.length);
	text[bytes.length] = '\0';
	return text;
}

/* A line with those after it that begin with a tab. */
static struct bytes take_header(struct bytes *input)
{
	struct bytes header = fuzz_take_line(input);
	while (input->length > 0 && input->data[0] == '\t') {
		struct bytes more = fuzz_take_line(input);
		header.length = (size_t)(more.data + more.length - header.data);
	}
	return header;
}

static struct header split_header(struct bytes line)
{
	const char *colon = line.length == 0 ? NULL : memchr(line.data, ':', line.length);
	if (colon == NULL)
		return (struct header){.name = line};
	struct header header = {.name = {line.data, (size_t)(colon - line.data)}};
	size_t skip = header.name.length + 1;
	skip += skip < line.length && line.data[skip] == ' ' ? 1 : 0;
	header.value = (struct bytes){line.data + skip, line.length - skip};
	return header;
}

void fuzz_record_read(struct bytes input, struct fuzz_record *ret_record)
{
	struct record record = {
		.topic = "requests", .partition = 3, .offset = 42, .timestamp_ms = 1000};
	while (input.length > 0) {
		struct bytes line = take_header(&input);
		if (line.length == 0) {
			record.value = input;
			break;
		}
		if (record.header_count < FUZZ_HEADERS_MAX)
			ret_record->headers[record.header_count++] = split_header(line);
	}
	record.headers = ret_record->headers;
	ret_record->record = record;
}

/* Decodes a text; returns its code points, which the caller frees, or NULL where it is malformed.
 */
static uint32_t *code_points(struct bytes text, size_t *ret_count)
{
	iconv_t converter = iconv_open("UTF-32LE", "UTF-8");
	REQUIRE(converter != (iconv_t)-1);
	uint32_t *points = calloc(text.length + 1, sizeof(*points));
	REQUIRE(points != NULL);
	char *in = (char *)text.data;
	char *out = (char *)points;
	size_t in_left = text.length;
	size_t out_left = text.length * sizeof(*points);
	bool fine = in_left == 0 || iconv(converter, &in, &in_left, &out, &out_left) != (size_t)-1;
	iconv_close(converter);
	*ret_count = (size_t)(out - (char *)points) / sizeof(*points);
	if (fine)
		return points;
	free(points);
	return NULL;
}

bool fuzz_is_utf8(struct bytes text)
{
	size_t count = 0;
	CLEANUP(free_pointer) uint32_t *points = code_points(text, &count);
	return points != NULL;
}

bool fuzz_has_control(struct bytes text)
{
	size_t count = 0;
	CLEANUP(free_pointer) uint32_t *points = code_points(text, &count);
	REQUIRE(points != NULL);
	for (size_t i = 0; i < count; i++)
		if (points[i] < 0x20 || (points[i] >= 0x7f && points[i] <= 0x9f))
			return true;
	return false;
}

struct json_object *fuzz_json_c(struct bytes text)
{
	/* From 0.17 on strict json-c refuses integers beyond 64 bits, and letters beyond ASCII. */
	int strict = json_c_version_num() < (17 << 8) ? JSON_TOKENER_STRICT : 0;
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	REQUIRE(tokener != NULL);
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8 | strict);
	struct json_object *object = json_tokener_parse_ex(tokener, text.data, (int)text.length);
	json_tokener_free(tokener);
	return object;
}

struct bytes fuzz_string_member(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);
	if (!json_object_is_type(value, json_type_string))
		return (struct bytes){0};
	return (struct bytes){
		json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

void fuzz_put(struct json_object **object)
{
	json_object_put(*object);
}
