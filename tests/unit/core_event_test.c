#include "core/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct bytes keep[] = {
	{"traceparent", 11},
	{"ce_id", 5},
};

static void copies_what_outlives_the_record(void **state)
{
	(void)state;
	char key[] = "k\0y";
	char value[] = "value";
	char trace[] = "00-ab";
	struct header headers[] = {{BYTES("TraceParent"), {trace, 5}}};
	struct record record = {.topic = "t",
		.partition = 3,
		.offset = 42,
		.timestamp_ms = -1,
		.key = {key, 3},
		.value = {value, 5},
		.headers = headers,
		.header_count = 1};
	struct event *event = event_new(&record, keep, array_length(keep), NULL);
	assert_non_null(event);
	memset(key, 'x', sizeof(key));
	memset(value, 'x', sizeof(value));
	memset(trace, 'x', sizeof(trace));
	memset(headers, 0, sizeof(headers));

	assert_string_equal(event->record.topic, "t");
	assert_int_equal(event->record.partition, 3);
	assert_int_equal(event->record.offset, 42);
	assert_int_equal(event->record.timestamp_ms, -1);
	assert_true(bytes_equal(event->record.key, (struct bytes){"k\0y", 3}));
	assert_true(bytes_equal(event->record.value, BYTES("value")));
	assert_int_equal(event->record.header_count, 1);
	assert_true(bytes_equal(event->record.headers[0].name, BYTES("TraceParent")));
	assert_true(bytes_equal(event->record.headers[0].value, BYTES("00-ab")));
	assert_true(event->size >= sizeof(*event) + sizeof(struct header) + 3 + 5 + 11 + 5);
	event_free(event);
}

static void starts_with_all_else_zero(void **state)
{
	(void)state;
	struct record record = {.topic = "t"};
	struct event *event = event_new(&record, NULL, 0, NULL);
	assert_non_null(event);
	assert_null(event->source);
	assert_int_equal(event->sequence, 0);
	assert_null(event->request);
	assert_null(event->outcome.case_id);
	assert_int_equal(event->outcome.reason, REASON_NONE);
	assert_null(event->next);
	assert_null(event->lookup);
	assert_null(event->lane);
	event_free(event);
}

static void tells_absent_from_empty(void **state)
{
	(void)state;
	struct header headers[] = {{BYTES("ce_id"), {NULL, 0}}, {BYTES("ce_id"), BYTES("")}};
	struct record absent = {.topic = "t", .headers = headers, .header_count = 2};
	struct event *event = event_new(&absent, keep, array_length(keep), NULL);
	assert_null(event->record.key.data);
	assert_null(event->record.value.data);
	assert_null(event->record.headers[0].value.data);
	assert_non_null(event->record.headers[1].value.data);
	event_free(event);

	struct record empty = {.topic = "t", .key = BYTES(""), .value = BYTES("")};
	event = event_new(&empty, keep, array_length(keep), NULL);
	assert_non_null(event->record.key.data);
	assert_int_equal(event->record.key.length, 0);
	assert_non_null(event->record.value.data);
	assert_int_equal(event->record.value.length, 0);
	event_free(event);
}

static void keeps_every_occurrence_of_the_named_headers_and_no_other(void **state)
{
	(void)state;
	struct header headers[] = {
		{BYTES("ce_id"), BYTES("1")},
		{BYTES("cookie"), BYTES("secret")},
		{BYTES("traceparent"), BYTES("2")},
		{BYTES("traceparents"), BYTES("no")},
		{BYTES("CE_ID"), BYTES("3")},
	};
	struct record record = {
		.topic = "t", .headers = headers, .header_count = array_length(headers)};
	struct event *event = event_new(&record, keep, array_length(keep), NULL);
	assert_int_equal(event->record.header_count, 3);
	assert_true(bytes_equal(event->record.headers[0].value, BYTES("1")));
	assert_true(bytes_equal(event->record.headers[1].value, BYTES("2")));
	assert_true(bytes_equal(event->record.headers[2].name, BYTES("CE_ID")));
	assert_true(bytes_equal(event->record.headers[2].value, BYTES("3")));
	event_free(event);
}

static void frees_request_and_outcome_too(void **state)
{
	(void)state;
	event_free(NULL);
	struct record record = {.topic = "t"};
	struct event *event = event_new(&record, NULL, 0, NULL);
	event->request = malloc(16);
	event->outcome.case_id = strdup("c-1");
	event_free(event); /* the leak checker is the witness */
}

static void finds_the_first_header_without_regard_to_case(void **state)
{
	(void)state;
	struct header headers[] = {
		{BYTES("a"), BYTES("0")},
		{BYTES("Content-Type"), BYTES("1")},
		{BYTES("content-type"), BYTES("2")},
		{BYTES("none"), {NULL, 0}},
	};
	struct record record = {
		.topic = "t", .headers = headers, .header_count = array_length(headers)};
	assert_true(bytes_equal(record_header(&record, BYTES("content-type")), BYTES("1")));
	assert_null(record_header(&record, BYTES("none")).data);
	assert_null(record_header(&record, BYTES("content")).data);
}

static void names_each_reason_once(void **state)
{
	(void)state;
	assert_string_equal(reason_name(REASON_NONE), "");
	for (enum reason a = REASON_NONE + 1; a < REASON_COUNT; a++) {
		assert_true(reason_name(a)[0] != '\0');
		assert_true(reason_message(a)[0] != '\0');
		assert_int_equal(reason_retryable(a), a == REASON_API_UNAVAILABLE);
		for (enum reason b = a + 1; b < REASON_COUNT; b++)
			assert_string_not_equal(reason_name(a), reason_name(b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_what_outlives_the_record),
		cmocka_unit_test(starts_with_all_else_zero),
		cmocka_unit_test(tells_absent_from_empty),
		cmocka_unit_test(keeps_every_occurrence_of_the_named_headers_and_no_other),
		cmocka_unit_test(frees_request_and_outcome_too),
		cmocka_unit_test(finds_the_first_header_without_regard_to_case),
		cmocka_unit_test(names_each_reason_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
