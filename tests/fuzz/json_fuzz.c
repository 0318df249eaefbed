/* JSON: what is accepted is JSON to json-c too, reads alike when written again, and strings last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/json.h"
#include "core/request.h"
#include "fuzz.h"

/* A string written by the module is read back as it was, by itself and by json-c. */
static void check_string(struct json_reader *reader, struct bytes text)
{
	if (!json_is_utf8(text))
		return;
	CLEANUP(buffer_fini) struct buffer written = {0};
	buffer_append_text(&written, "{\"s\":");
	json_append_string(&written, text);
	buffer_append_text(&written, "}");
	CLEANUP(fuzz_put)
	struct json_object *own = json_read_object(reader, buffer_bytes(&written), NULL);
	CLEANUP(fuzz_put) struct json_object *strict = fuzz_json_c(buffer_bytes(&written));
	REQUIRE(own != NULL && strict != NULL);
	REQUIRE(bytes_equal(fuzz_string_member(own, "s"), text));
	REQUIRE(bytes_equal(fuzz_string_member(strict, "s"), text));
}

static enum json_kind kind_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return JSON_NULL;
	case json_type_boolean:
		return JSON_BOOLEAN;
	case json_type_int:
		return JSON_INTEGER;
	case json_type_double:
		return JSON_NUMBER;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		break;
	}
	return JSON_OBJECT;
}

/* Each member is found where json-c has it, and is what json-c says. */
static void check_members( // NOLINT(misc-no-recursion)
	struct json_reader *reader, struct json_value object, struct json_object *tree)
{
	json_object_object_foreach(tree, name, value)
	{
		struct json_value member = json_member(reader, object, name);
		bool huge = json_object_is_type(value, json_type_int) && member.kind == JSON_NUMBER;
		REQUIRE(member.kind == kind_of(value) ||
			(huge && json_reader_had_huge_integer(reader)));
		if (member.kind == JSON_STRING)
			REQUIRE(bytes_equal(json_string(reader, member), json_string_bytes(value)));
		if (member.kind == JSON_OBJECT)
			check_members(reader, member, value);
	}
	REQUIRE(json_member(reader, object, "no such member").kind == JSON_ABSENT ||
		json_object_object_get_ex(tree, "no such member", NULL));
}

static void check_accepted(struct json_reader *reader, struct json_object *tree, struct bytes text)
{
	CLEANUP(fuzz_put) struct json_object *strict = fuzz_json_c(text);
	REQUIRE(strict != NULL);
	REQUIRE(json_object_equal(tree, strict));
	REQUIRE(fuzz_is_utf8(text));
	struct json_value object;
	REQUIRE(json_read(reader, text, &object, NULL));
	check_members(reader, object, strict);
	if (json_reader_had_huge_integer(reader))
		return;
	size_t length = 0;
	const char *again =
		json_object_to_json_string_length(tree, JSON_C_TO_STRING_PLAIN, &length);
	CLEANUP(fuzz_put)
	struct json_object *second = json_read_object(reader, (struct bytes){again, length}, NULL);
	REQUIRE(second != NULL);
	REQUIRE(json_object_equal(tree, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {(const char *)data, size};
	struct error err = {0};
	struct json_reader *reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	REQUIRE(reader != NULL);
	CLEANUP(fuzz_put) struct json_object *tree = json_read_object(reader, text, &err);
	REQUIRE(!json_reader_out_of_memory(reader));
	REQUIRE((tree == NULL) == (err.text[0] != '\0'));
	REQUIRE(json_is_utf8(text) == fuzz_is_utf8(text));
	if (json_is_utf8(text))
		REQUIRE(json_has_control(text) == fuzz_has_control(text));
	if (tree != NULL)
		check_accepted(reader, tree, text);
	check_string(reader, text);
	json_reader_free(reader);
	return 0;
}
