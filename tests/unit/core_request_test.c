#include "core/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}
#define ABSENT                                                                                     \
	{                                                                                          \
		NULL, 0                                                                            \
	}

static struct json_reader *reader;

static int start(void **state)
{
	(void)state;
	reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	return reader == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	json_reader_free(reader);
	return 0;
}

/* A record and what is to be read from it. */
struct example {
	struct bytes value;
	enum request_problem problem;
	const char *id; /* as JSON; NULL: absent */
	struct bytes email;
	struct bytes phone;
	struct header headers[3];
};

static void check_text(const char *what, struct bytes value, struct bytes got, struct bytes wanted)
{
	if (!bytes_equal(got, wanted))
		fail_msg("%.*s: %s is %.*s", (int)value.length, value.data, what, (int)got.length,
			got.data == NULL ? "" : got.data);
}

static void check(const struct example *example)
{
	struct record record = {.topic = "t", .value = example->value, .headers = example->headers};
	while (record.header_count < array_length(example->headers) &&
		example->headers[record.header_count].name.data != NULL)
		record.header_count++;
	CLEANUP(free_pointer) struct request *request = NULL;
	struct error err = {0};
	enum request_problem problem = request_parse(&record, reader, &request, &err);
	if (problem != example->problem)
		fail_msg("%.*s: problem %d, %s", (int)record.value.length, record.value.data,
			(int)problem, err.text);
	assert_int_equal(err.text[0] != '\0', problem == REQUEST_MALFORMED);
	struct request nothing = {0};
	const struct request *got = request == NULL ? &nothing : request;
	assert_true(request == NULL || got->id.data != NULL || problem == REQUEST_FINE);
	check_text("id", record.value, got->id, bytes_of_text(example->id));
	check_text("email", record.value, got->email, example->email);
	check_text("phone", record.value, got->phone, example->phone);
}

static void check_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&examples[i]);
}

static void reads_the_plain_form(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"requestId\": \"r-1\", \"email\": \"a@b.org\", \"phoneNumber\": "
		      "\"+15550100\"}"),
			REQUEST_FINE, "\"r-1\"", TEXT("a@b.org"), TEXT("+15550100"),
			{{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"a@b.org\"}"), REQUEST_FINE, NULL, TEXT("a@b.org"), ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("{\"phoneNumber\":\"1\",\"email\":null}"), REQUEST_FINE, NULL, ABSENT,
			TEXT("1"), {{ABSENT, ABSENT}}},
		{TEXT("{\"phoneNumber\":\"\",\"email\":\" x \"}"), REQUEST_FINE, NULL, TEXT(" x "),
			ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"\\u00e9\\ud83d\\ude00\\/\"}"), REQUEST_FINE, NULL,
			TEXT("\xc3\xa9\xf0\x9f\x98\x80/"), ABSENT, {{ABSENT, ABSENT}}},
	};
	check_all(examples, array_length(examples));
}

static void ignores_other_members(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"email\":\"e\",\"Email\":1,\"phone\":[],\"x\":{\"email\":2},"
		      "\"data\":{\"email\":\"no\"},\"data_base64\":\"AA==\",\"specversion\":3,"
		      "\"id\":\"no\",\"y\":99999999999999999999999,\"z\":1e999}"),
			REQUEST_FINE, NULL, TEXT("e"), ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"e\",\"x\":\"\\u0000\\u0007\"}"), REQUEST_FINE, NULL, TEXT("e"),
			ABSENT, {{ABSENT, ABSENT}}},
	};
	check_all(examples, array_length(examples));
}

/* Each requestId, as JSON, is echoed as `echoed`, or makes the event malformed where that is NULL.
 */
static void check_ids(const char *const ids[][2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buffer value = {0};
		buffer_append_format(&value, "{\"requestId\":%s,\"email\":\"e\"}", ids[i][0]);
		struct example example = {.value = buffer_bytes(&value),
			.problem = ids[i][1] == NULL ? REQUEST_MALFORMED : REQUEST_FINE,
			.id = ids[i][1]};
		if (ids[i][1] != NULL)
			example.email = BYTES("e");
		check(&example);
		buffer_fini(&value);
	}
}

static void echoes_request_ids_as_they_came(void **state)
{
	(void)state;
	static const char *const ids[][2] = {{"\"\"", "\"\""}, {"\"r-1\"", "\"r-1\""},
		{"\"a\\\"b\\\\c\\/d\"", "\"a\\\"b\\\\c/d\""}, {"\"\\u00e9\"", "\"\xc3\xa9\""},
		{"\"42\"", "\"42\""}, {"0", "0"}, {"42", "42"}, {"-1", "-1"},
		{"9007199254740993", "9007199254740993"},
		{"9223372036854775807", "9223372036854775807"},
		{"9223372036854775808", "9223372036854775808"},
		{"18446744073709551615", "18446744073709551615"},
		{"-9223372036854775808", "-9223372036854775808"}};
	check_ids(ids, array_length(ids));
}

static void refuses_request_ids_of_other_types_and_sizes(void **state)
{
	(void)state;
	static const char *const ids[][2] = {{"1.0", NULL}, {"1e2", NULL}, {"true", NULL},
		{"[]", NULL}, {"{}", NULL}, {"18446744073709551616", NULL},
		{"-9223372036854775809", NULL}, {"99999999999999999999", NULL}, {"\"\\n\"", NULL},
		{"\"\\u0000\"", NULL}, {"\"\x7f\"", NULL}, {"\"\\u0085\"", NULL},
		{"\"\xc2\x9f\"", NULL}};
	check_ids(ids, array_length(ids));
}

static void a_huge_integer_elsewhere_leaves_the_request_id_alone(void **state)
{
	(void)state;
	struct example example = {
		.value = BYTES("{\"requestId\":7,\"email\":\"e\",\"x\":99999999999999999999}"),
		.problem = REQUEST_FINE,
		.id = "7",
		.email = BYTES("e")};
	check(&example);
}

/* An object whose member `name` is a string of `count` times `character`. */
static struct bytes long_member(
	struct buffer *value, const char *name, const char *character, size_t count)
{
	buffer_clear(value);
	buffer_append_format(value, "{\"%s\":\"", name);
	for (size_t i = 0; i < count; i++)
		buffer_append_text(value, character);
	buffer_append_text(value, "\"}");
	return buffer_bytes(value);
}

static void holds_strings_to_their_limits_in_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *character;
		size_t fits;
		enum request_problem problem;
	} cases[] = {
		{"email", "x", REQUEST_IDENTITY_MAX, REQUEST_FINE},
		{"email", "\xc3\xa9", REQUEST_IDENTITY_MAX / 2, REQUEST_FINE},
		{"email", "\\u0041", REQUEST_IDENTITY_MAX, REQUEST_FINE},
		{"phoneNumber", "1", REQUEST_IDENTITY_MAX, REQUEST_FINE},
		{"requestId", "r", REQUEST_ID_MAX, REQUEST_IDENTITY_MISSING},
		{"requestId", "\\\"", REQUEST_ID_MAX, REQUEST_IDENTITY_MISSING},
		{"other", "o", 100000, REQUEST_IDENTITY_MISSING},
	};
	struct buffer value = {0};
	for (size_t i = 0; i < array_length(cases); i++) {
		struct record record = {.topic = "t",
			.value = long_member(
				&value, cases[i].name, cases[i].character, cases[i].fits)};
		struct request *request = NULL;
		struct error err;
		assert_int_equal(request_parse(&record, reader, &request, &err), cases[i].problem);
		free(request);
		if (strcmp(cases[i].name, "other") == 0)
			continue;
		record.value =
			long_member(&value, cases[i].name, cases[i].character, cases[i].fits + 1);
		assert_int_equal(request_parse(&record, reader, &request, &err), REQUEST_MALFORMED);
		assert_null(request);
		assert_non_null(strstr(err.text, "too long"));
	}
	buffer_fini(&value);
}

static void tells_a_missing_identity_from_a_malformed_event(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{}"), REQUEST_IDENTITY_MISSING, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":\"r\"}"), REQUEST_IDENTITY_MISSING, "\"r\"", ABSENT, ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":5,\"email\":null,\"phoneNumber\":\"\"}"),
			REQUEST_IDENTITY_MISSING, "5", ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{ABSENT, REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT(""), REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("[{\"email\":\"e\"}]"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"e\",\"email\":\"f\"}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"\xe9\"}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"e\",\"x\":[[[[[[[[1]]]]]]]]}"), REQUEST_MALFORMED, NULL, ABSENT,
			ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"email\":\"e\",\"x\":[[[[[[[1]]]]]]]}"), REQUEST_FINE, NULL, TEXT("e"),
			ABSENT, {{ABSENT, ABSENT}}},
	};
	check_all(examples, array_length(examples));
}

static void echoes_the_request_id_of_a_malformed_event(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"requestId\":\"r\",\"email\":5}"), REQUEST_MALFORMED, "\"r\"", ABSENT,
			ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"email\":[],\"phoneNumber\":\"1\",\"requestId\":6}"), REQUEST_MALFORMED,
			"6", ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":\"r\",\"email\":\"e\",\"phoneNumber\":false}"),
			REQUEST_MALFORMED, "\"r\"", ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":\"r\",\"email\":\"e\\u0000\"}"), REQUEST_MALFORMED, "\"r\"",
			ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":\"r\",\"phoneNumber\":\"\\u009f\"}"), REQUEST_MALFORMED,
			"\"r\"", ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("{\"requestId\":\"r\",\"phoneNumber\":15550100}"), REQUEST_MALFORMED, "\"r\"",
			ABSENT, ABSENT, {{ABSENT, ABSENT}}},
	};
	check_all(examples, array_length(examples));
}

#define STRUCTURED                                                                                 \
	{                                                                                          \
		TEXT("Content-Type"), TEXT("Application/CloudEvents+JSON; charset=utf-8")          \
	}

static void reads_a_structured_cloudevent(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"source\":\"/s\",\"type\":\"t\","
		      "\"email\":1,\"data\":{\"requestId\":\"r\",\"email\":\"e\"}}"),
			REQUEST_FINE, "\"r\"", TEXT("e"), ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.1\",\"id\":\"ce\",\"data\":{\"phoneNumber\":\"p\"}}"),
			REQUEST_FINE, "\"ce\"", ABSENT, TEXT("p"), {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data\":{\"requestId\":null}}"),
			REQUEST_IDENTITY_MISSING, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		/* Its own content type wins over the header of the binary form. */
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_FINE, "\"ce\"", TEXT("e"), ABSENT,
			{{TEXT("ce_specversion"), TEXT("0.3")}, STRUCTURED,
				{TEXT("ce_id"), TEXT("other")}}},
	};
	check_all(examples, array_length(examples));
}

static void refuses_other_structured_cloudevents(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"specversion\":\"0.3\",\"id\":\"ce\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":1.0,\"id\":\"ce\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"10\",\"id\":\"ce\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"id\":\"ce\",\"data\":{\"requestId\":1,\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "1", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"data\":{\"requestId\":\"r\",\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "\"r\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":7,\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\"}"), REQUEST_MALFORMED, "\"ce\"",
			ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data\":null}"), REQUEST_MALFORMED,
			"\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data\":\"{}\"}"), REQUEST_MALFORMED,
			"\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data_base64\":\"e30=\"}"),
			REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"ce\",\"data_base64\":\"e30=\","
		      "\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"specversion\":\"1.0\",\"id\":\"c\\u0007\",\"data\":{\"email\":\"e\"}}"),
			REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {STRUCTURED}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {STRUCTURED}},
	};
	check_all(examples, array_length(examples));
}

#define VERSION_1                                                                                  \
	{                                                                                          \
		TEXT("ce_specversion"), TEXT("1.0")                                                \
	}

static void reads_a_binary_cloudevent(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("{\"requestId\":\"r\",\"email\":\"e\"}"), REQUEST_FINE, "\"r\"", TEXT("e"),
			ABSENT, {VERSION_1, {TEXT("ce_id"), TEXT("ce")}}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_FINE, "\"c\\\"e\"", TEXT("e"), ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("c\"e")},
				{TEXT("content-type"), TEXT("application/json")}}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_FINE, NULL, TEXT("e"), ABSENT, {VERSION_1}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_FINE, NULL, TEXT("e"), ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("")}}},
		/* No CloudEvent: ce_id means nothing. */
		{TEXT("{\"email\":\"e\"}"), REQUEST_FINE, NULL, TEXT("e"), ABSENT,
			{{TEXT("ce_id"), TEXT("ce")}}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT,
			{{TEXT("ce_specversion"), TEXT("0.3")}, {TEXT("ce_id"), TEXT("ce")}}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("\xff")}}},
		{TEXT("{\"email\":\"e\"}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("c\n")}}},
		/* An unfit ce_id that does not serve harms nobody. */
		{TEXT("{\"requestId\":1,\"email\":\"e\"}"), REQUEST_FINE, "1", TEXT("e"), ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("\xff")}}},
		{TEXT("nonsense"), REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("ce")}}},
		{ABSENT, REQUEST_MALFORMED, "\"ce\"", ABSENT, ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("ce")}}},
		/* A requestId that is there and unfit is not replaced. */
		{TEXT("{\"requestId\":true,\"email\":\"e\"}"), REQUEST_MALFORMED, NULL, ABSENT,
			ABSENT, {VERSION_1, {TEXT("ce_id"), TEXT("ce")}}},
	};
	check_all(examples, array_length(examples));
}

static void refuses_content_types_that_are_no_json(void **state)
{
	(void)state;
	static const char *const types[] = {"application/cloudevents-batch+json",
		"application/cloudevents-batch+json; charset=utf-8", "APPLICATION/CLOUDEVENTS+AVRO",
		"application/cloudevents+protobuf", "application/cloudevents", "application/avro",
		"avro/binary", "application/vnd.apache.avro+json", "application/*+avro"};
	for (size_t i = 0; i < array_length(types); i++) {
		struct example example = {.value = BYTES("{\"email\":\"e\"}"),
			.problem = REQUEST_MALFORMED,
			.headers = {{BYTES("content-type"), bytes_of_text(types[i])}}};
		check(&example);
		example.headers[1] = (struct header)VERSION_1;
		example.headers[2] = (struct header){BYTES("ce_id"), BYTES("ce")};
		example.id = "\"ce\"";
		check(&example);
	}
}

static void other_content_types_change_nothing(void **state)
{
	(void)state;
	static const char *const types[] = {"application/json", "application/json; charset=utf-8",
		"text/plain", "", ";", "application/octet-stream",
		"application/vnd.care360.v1+json"};
	for (size_t i = 0; i < array_length(types); i++) {
		struct example example = {.value = BYTES("{\"email\":\"e\"}"),
			.problem = REQUEST_FINE,
			.email = BYTES("e"),
			.headers = {{BYTES("content-type"), bytes_of_text(types[i])}}};
		check(&example);
	}
	struct example absent = {.value = BYTES("{\"email\":\"e\"}"),
		.problem = REQUEST_FINE,
		.email = BYTES("e"),
		.headers = {{BYTES("content-type"), ABSENT}}};
	check(&absent);
}

static void skips_a_schema_prefix_in_every_form(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{TEXT("\0\0\0\0\x01{\"email\":\"e\"}"), REQUEST_FINE, NULL, TEXT("e"), ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("\0{{{{{\"email\":\"e\"}"), REQUEST_FINE, NULL, TEXT("e"), ABSENT,
			{{ABSENT, ABSENT}}},
		{TEXT("\0\0\0\0\x01{\"email\":\"e\"}"), REQUEST_FINE, "\"ce\"", TEXT("e"), ABSENT,
			{VERSION_1, {TEXT("ce_id"), TEXT("ce")}}},
		{TEXT("\0\0\0\0\x01{\"specversion\":\"1.0\",\"id\":\"ce\",\"data\":{\"email\":"
		      "\"e\"}}"),
			REQUEST_FINE, "\"ce\"", TEXT("e"), ABSENT, {STRUCTURED}},
		{TEXT("\0\0\0\0"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("\0\0\0\0\x01"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("\0\0\0\0\x01\x06"
		      "abc"),
			REQUEST_MALFORMED, NULL, ABSENT, ABSENT, {{ABSENT, ABSENT}}},
		{TEXT("\x01\0\0\0\x01{}"), REQUEST_MALFORMED, NULL, ABSENT, ABSENT,
			{{ABSENT, ABSENT}}},
	};
	check_all(examples, array_length(examples));
}

static void decodes_the_request_id_for_comparison(void **state)
{
	(void)state;
	struct record record = {
		.topic = "t", .value = BYTES("{\"requestId\":\"a\\u0040\\\"b\",\"email\":\"e\"}")};
	struct request *request = NULL;
	assert_int_equal(request_parse(&record, reader, &request, NULL), REQUEST_FINE);
	assert_true(bytes_equal(request->id_text, BYTES("a@\"b")));
	free(request);
	record.value = BYTES("{\"requestId\":5,\"email\":\"e\"}");
	assert_int_equal(request_parse(&record, reader, &request, NULL), REQUEST_FINE);
	assert_null(request->id_text.data);
	free(request);
}

static void an_error_quotes_nothing_of_the_value(void **state)
{
	(void)state;
	static const char *const values[] = {"{\"email\":\"jane\",\"phoneNumber\":jane}",
		"{\"jane\":1,\"jane\":2}", "{\"requestId\":\"jane\",\"email\":[\"jane\"]}", "jane",
		"{\"email\":\"jane\\n\"}"};
	for (size_t i = 0; i < array_length(values); i++) {
		struct record record = {.topic = "t", .value = bytes_of_text(values[i])};
		CLEANUP(free_pointer) struct request *request = NULL;
		struct error err = {0};
		assert_int_equal(request_parse(&record, reader, &request, &err), REQUEST_MALFORMED);
		assert_null(strstr(err.text, "jane"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_plain_form),
		cmocka_unit_test(ignores_other_members),
		cmocka_unit_test(echoes_request_ids_as_they_came),
		cmocka_unit_test(refuses_request_ids_of_other_types_and_sizes),
		cmocka_unit_test(a_huge_integer_elsewhere_leaves_the_request_id_alone),
		cmocka_unit_test(holds_strings_to_their_limits_in_bytes),
		cmocka_unit_test(tells_a_missing_identity_from_a_malformed_event),
		cmocka_unit_test(echoes_the_request_id_of_a_malformed_event),
		cmocka_unit_test(reads_a_structured_cloudevent),
		cmocka_unit_test(refuses_other_structured_cloudevents),
		cmocka_unit_test(reads_a_binary_cloudevent),
		cmocka_unit_test(refuses_content_types_that_are_no_json),
		cmocka_unit_test(other_content_types_change_nothing),
		cmocka_unit_test(skips_a_schema_prefix_in_every_form),
		cmocka_unit_test(decodes_the_request_id_for_comparison),
		cmocka_unit_test(an_error_quotes_nothing_of_the_value),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
