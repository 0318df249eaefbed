#include "core/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/json.h"
#include "core/request.h"

#define STARTED_MS   INT64_C(1795489200000) /* 2026-11-24T03:00:00.000Z */
#define COMPLETED_MS INT64_C(1795489200120)

static const struct bytes forward[] = {{"traceparent", 11}, {"tracestate", 10}};

static const struct result_options options = {.group_id = "care360-lookup",
	.forward = forward,
	.forward_count = array_length(forward),
	.with_key = true};

static struct result_encoder *encoder;

static int start(void **state)
{
	(void)state;
	encoder = result_encoder_new(&options, NULL);
	return encoder == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	result_encoder_free(encoder);
	result_encoder_free(NULL);
	return 0;
}

/* An event as flow leaves it: `request` and the outcome's case ID belong to the test. */
static struct event event_of(struct request *request, struct outcome outcome)
{
	return (struct event){
		.record = {.topic = "care360.lookup-requests",
			.partition = 0,
			.offset = 42,
			.timestamp_ms = STARTED_MS,
			.key = BYTES("k\0\xff")},
		.request = request,
		.outcome = outcome,
	};
}

static void encode_event(
	const struct event *event, enum result_extent extent, struct result *ret_result)
{
	struct error err = {0};
	assert_true(result_encode(encoder, event, extent, COMPLETED_MS, ret_result, &err));
	assert_string_equal(err.text, "");
	struct json_reader *reader = json_reader_new(8, NULL);
	struct json_object *tree = json_read_object(reader, ret_result->value, &err);
	if (tree == NULL)
		fail_msg("%.*s: %s", (int)ret_result->value.length, ret_result->value.data,
			err.text);
	json_object_put(tree);
	json_reader_free(reader);
}

static void assert_value(const struct result *result, const char *wanted)
{
	if (!bytes_equal(result->value, bytes_of_text(wanted)))
		fail_msg("%.*s", (int)result->value.length, result->value.data);
}

static struct bytes header_of(const struct result *result, const char *name)
{
	struct record record = {.headers = result->headers, .header_count = result->header_count};
	return record_header(&record, bytes_of_text(name));
}

static void assert_header(const struct result *result, const char *name, const char *wanted)
{
	struct bytes value = header_of(result, name);
	if (!bytes_equal(value, bytes_of_text(wanted)))
		fail_msg("%s: %.*s", name, (int)value.length, value.data == NULL ? "" : value.data);
}

static void writes_a_found_case_as_the_contract_has_it(void **state)
{
	(void)state;
	struct request request = {.id = BYTES("\"r-1\"")};
	char id[] = "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da";
	struct event event = event_of(&request,
		(struct outcome){
			.case_id = id, .http_status = 200, .documented_code = true, .attempts = 1});
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_value(&result,
		"{\"requestId\":\"r-1\",\"outcome\":\"found\","
		"\"caseId\":\"e1e3f5c1-6f12-4e0d-a442-7a9ff31319da\",\"attempts\":1,"
		"\"request\":{\"topic\":\"care360.lookup-requests\",\"partition\":0,\"offset\":42,"
		"\"timestamp\":\"2026-11-24T03:00:00.000Z\"},"
		"\"completedAt\":\"2026-11-24T03:00:00.120Z\"}");
}

static void writes_an_error_as_the_contract_has_it(void **state)
{
	(void)state;
	struct request request = {.id = BYTES("42")};
	struct event event =
		event_of(&request, (struct outcome){.reason = REASON_CASE_NOT_FOUND,
					   .message = "No Case found for provided details!",
					   .http_status = 400,
					   .documented_code = true,
					   .attempts = 1});
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_value(&result,
		"{\"requestId\":42,\"outcome\":\"error\",\"attempts\":1,"
		"\"error\":{\"reason\":\"case_not_found\","
		"\"message\":\"No Case found for provided details!\",\"retryable\":false,"
		"\"httpStatus\":400,\"code\":\"CASE_ERROR\"},"
		"\"request\":{\"topic\":\"care360.lookup-requests\",\"partition\":0,\"offset\":42,"
		"\"timestamp\":\"2026-11-24T03:00:00.000Z\"},"
		"\"completedAt\":\"2026-11-24T03:00:00.120Z\"}");
}

static void leaves_out_what_there_is_not(void **state)
{
	(void)state;
	struct event event =
		event_of(NULL, (struct outcome){.reason = REASON_API_UNAVAILABLE, .attempts = 5});
	event.record.timestamp_ms = -1;
	event.record.offset = INT64_MAX;
	event.record.partition = INT32_MAX;
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	char wanted[1024];
	snprintf(wanted, sizeof(wanted),
		"{\"requestId\":null,\"outcome\":\"error\",\"attempts\":5,"
		"\"error\":{\"reason\":\"api_unavailable\",\"message\":\"%s\",\"retryable\":true},"
		"\"request\":{\"topic\":\"care360.lookup-requests\",\"partition\":2147483647,"
		"\"offset\":9223372036854775807,\"timestamp\":null},"
		"\"completedAt\":\"2026-11-24T03:00:00.120Z\"}",
		reason_message(REASON_API_UNAVAILABLE));
	assert_value(&result, wanted);
}

static void writes_every_reason(void **state)
{
	(void)state;
	for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		struct request request = {.email = BYTES("jane@b.org")};
		struct event event =
			event_of(&request, (struct outcome){.reason = reason, .http_status = 400});
		struct result result;
		encode_event(&event, RESULT_WHOLE, &result);
		char wanted[256];
		snprintf(wanted, sizeof(wanted), "\"reason\":\"%s\",\"message\":\"%s",
			reason_name(reason), reason_message(reason));
		CLEANUP(free_pointer) char *value = strndup(result.value.data, result.value.length);
		assert_non_null(strstr(value, "\"httpStatus\":400}"));
		if (strstr(value, wanted) == NULL)
			fail_msg("%s", value);
		assert_null(strstr(value, "jane"));
		assert_header(&result, "ce_type", "care360.lookup.error.v1");
	}
}

static void escapes_what_json_has_to_escape(void **state)
{
	(void)state;
	struct request request = {.id = BYTES("\"a\\\"b\"")};
	char id[] = "c\"\\/\xc3\xa9";
	struct event event = event_of(&request, (struct outcome){.case_id = id});
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	CLEANUP(free_pointer) char *value = strndup(result.value.data, result.value.length);
	assert_non_null(strstr(value, "{\"requestId\":\"a\\\"b\",\"outcome\""));
	assert_non_null(strstr(value, "\"caseId\":\"c\\\"\\\\/\xc3\xa9\",\"attempts\":0"));
}

static void describes_itself_as_a_cloudevent(void **state)
{
	(void)state;
	char id[] = "c";
	struct event event = event_of(NULL, (struct outcome){.case_id = id});
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_int_equal(result.header_count, 6);
	assert_header(&result, "content-type", "application/json");
	assert_header(&result, "ce_specversion", "1.0");
	assert_header(&result, "ce_id", "care360.lookup-requests/0/42");
	assert_header(&result, "ce_source", "/care360-lookup/care360-lookup");
	assert_header(&result, "ce_type", "care360.lookup.found.v1");
	assert_header(&result, "ce_time", "2026-11-24T03:00:00.120Z");
	assert_int_equal(result.headers_dropped, 0);
}

static void encodes_the_group_id_as_a_uri_demands(void **state)
{
	(void)state;
	struct result_options odd = options;
	odd.group_id = "a b/c%d?#\xc3\xa9~:@\"z";
	struct result_encoder *other = result_encoder_new(&odd, NULL);
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	struct result result;
	assert_true(result_encode(other, &event, RESULT_WHOLE, COMPLETED_MS, &result, NULL));
	assert_header(&result, "ce_source", "/care360-lookup/a%20b%2Fc%25d%3F%23%C3%A9~:@%22z");
	result_encoder_free(other);
}

static void forwards_every_occurrence_in_order(void **state)
{
	(void)state;
	struct header headers[] = {
		{BYTES("TraceState"), BYTES("one")},
		{BYTES("cookie"), BYTES("secret")},
		{BYTES("traceparent"), BYTES("00-ab")},
		{BYTES("tracestate"), {NULL, 0}},
		{BYTES("content-type"), BYTES("text/plain")},
	};
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	event.record.headers = headers;
	event.record.header_count = array_length(headers);
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_int_equal(result.header_count, 9);
	assert_true(bytes_equal(result.headers[6].name, BYTES("TraceState")));
	assert_true(bytes_equal(result.headers[6].value, BYTES("one")));
	assert_true(bytes_equal(result.headers[7].name, BYTES("traceparent")));
	assert_true(bytes_equal(result.headers[8].name, BYTES("tracestate")));
	assert_null(result.headers[8].value.data);
	assert_header(&result, "content-type", "application/json");
	assert_null(header_of(&result, "cookie").data);
}

static void leaves_out_and_counts_headers_beyond_the_limit(void **state)
{
	(void)state;
	static char large[RESULT_FORWARDED_MAX];
	memset(large, 'x', sizeof(large));
	struct header headers[] = {
		{BYTES("tracestate"), {large, RESULT_FORWARDED_MAX - 10}},
		{BYTES("traceparent"), BYTES("")},
	};
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	event.record.headers = headers;
	event.record.header_count = array_length(headers);
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_int_equal(header_of(&result, "tracestate").length, RESULT_FORWARDED_MAX - 10);
	assert_null(header_of(&result, "traceparent").data);
	assert_int_equal(result.headers_dropped, 1);

	headers[0].value.length++;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_null(header_of(&result, "tracestate").data);
	assert_non_null(header_of(&result, "traceparent").data);
	assert_int_equal(result.headers_dropped, 1);
}

static void carries_as_many_headers_as_a_record_has(void **state)
{
	(void)state;
	static struct header headers[1000];
	for (size_t i = 0; i < array_length(headers); i++)
		headers[i] = (struct header){BYTES("tracestate"), BYTES("")};
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	event.record.headers = headers;
	event.record.header_count = array_length(headers);
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_int_equal(result.header_count, 6 + RESULT_FORWARDED_MAX / 10);
	assert_int_equal(result.headers_dropped, 1000 - RESULT_FORWARDED_MAX / 10);
}

static void passes_the_mark_of_a_replay_on(void **state)
{
	(void)state;
	static char large[1000];
	memset(large, 'x', sizeof(large));
	struct header headers[] = {{BYTES("care360-replay-of"), BYTES("t/0/7")},
		{BYTES("care360-replay-of"), BYTES("second")}};
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	event.record.headers = headers;
	event.record.header_count = 2;
	struct result result;
	encode_event(&event, RESULT_BARE, &result);
	assert_int_equal(result.header_count, 7);
	assert_header(&result, "care360-replay-of", "t/0/7");
	headers[0].value = (struct bytes){large, sizeof(large)};
	encode_event(&event, RESULT_WHOLE, &result);
	assert_int_equal(result.header_count, 6);
	assert_int_equal(result.headers_dropped, 1);
}

static void a_smaller_extent_leaves_headers_then_the_key_out(void **state)
{
	(void)state;
	struct header headers[] = {{BYTES("traceparent"), BYTES("00-ab")}};
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	event.record.headers = headers;
	event.record.header_count = 1;
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_true(bytes_equal(result.key, BYTES("k\0\xff")));
	assert_int_equal(result.header_count, 7);
	encode_event(&event, RESULT_WITHOUT_HEADERS, &result);
	assert_true(bytes_equal(result.key, BYTES("k\0\xff")));
	assert_int_equal(result.header_count, 6);
	assert_int_equal(result.headers_dropped, 0);
	encode_event(&event, RESULT_BARE, &result);
	assert_null(result.key.data);
	assert_int_equal(result.header_count, 6);
}

static void has_a_key_only_where_asked_and_given(void **state)
{
	(void)state;
	struct result_options keyless = options;
	keyless.with_key = false;
	struct result_encoder *other = result_encoder_new(&keyless, NULL);
	struct event event = event_of(NULL, (struct outcome){.reason = REASON_REJECTED});
	struct result result;
	assert_true(result_encode(other, &event, RESULT_WHOLE, COMPLETED_MS, &result, NULL));
	assert_null(result.key.data);
	result_encoder_free(other);
	event.record.key = BYTES("");
	encode_event(&event, RESULT_WHOLE, &result);
	assert_non_null(result.key.data);
	event.record.key = (struct bytes){0};
	encode_event(&event, RESULT_WHOLE, &result);
	assert_null(result.key.data);
}

static void a_look_up_from_no_record_names_none(void **state)
{
	(void)state;
	char id[] = "c";
	struct event event = {.outcome = {.case_id = id, .attempts = 1}};
	struct result result;
	encode_event(&event, RESULT_WHOLE, &result);
	assert_value(&result,
		"{\"requestId\":null,\"outcome\":\"found\",\"caseId\":\"c\",\"attempts\":1,"
		"\"completedAt\":\"2026-11-24T03:00:00.120Z\"}");
	assert_int_equal(result.header_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_found_case_as_the_contract_has_it),
		cmocka_unit_test(writes_an_error_as_the_contract_has_it),
		cmocka_unit_test(leaves_out_what_there_is_not),
		cmocka_unit_test(writes_every_reason),
		cmocka_unit_test(escapes_what_json_has_to_escape),
		cmocka_unit_test(describes_itself_as_a_cloudevent),
		cmocka_unit_test(encodes_the_group_id_as_a_uri_demands),
		cmocka_unit_test(forwards_every_occurrence_in_order),
		cmocka_unit_test(leaves_out_and_counts_headers_beyond_the_limit),
		cmocka_unit_test(carries_as_many_headers_as_a_record_has),
		cmocka_unit_test(passes_the_mark_of_a_replay_on),
		cmocka_unit_test(a_smaller_extent_leaves_headers_then_the_key_out),
		cmocka_unit_test(has_a_key_only_where_asked_and_given),
		cmocka_unit_test(a_look_up_from_no_record_names_none),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
