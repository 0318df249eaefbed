#include "core/error_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/result.h"

#define STARTED_MS   INT64_C(1795489200000) /* 2026-11-24T03:00:00.000Z */
#define COMPLETED_MS INT64_C(1795489200120)

#define GOOD_REQUEST                                                                               \
	"\"request\":{\"topic\":\"requests\",\"partition\":3,\"offset\":42,"                       \
	"\"timestamp\":\"2026-11-24T03:00:00.000Z\"}"
#define GOOD_ERROR     "\"error\":{\"reason\":\"api_unavailable\"}"
#define GOOD_COMPLETED "\"completedAt\":\"2026-11-24T03:00:00.120Z\""

static struct json_reader *reader;

static int start(void **state)
{
	(void)state;
	reader = json_reader_new(ERROR_EVENT_JSON_DEPTH, NULL);
	return reader == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	json_reader_free(reader);
	return 0;
}

/* Reads a value behind the headers of an error event of requests/3/42. */
static enum error_event_kind read_value(
	const char *value, struct error_event *ret_event, struct error *err)
{
	struct header headers[] = {{BYTES("ce_type"), BYTES(RESULT_TYPE_ERROR)},
		{BYTES("ce_id"), BYTES("requests/3/42")}};
	struct record record = {.topic = "results",
		.value = bytes_of_text(value),
		.headers = headers,
		.header_count = array_length(headers)};
	return error_event_read(&record, reader, ret_event, err);
}

/* The record that the service makes of a failed request, which the callback gets to see. */
static void with_result(enum reason reason, int64_t timestamp_ms, const char *replay_of,
	void (*look)(const struct record *record))
{
	struct header replay = {BYTES(RESULT_REPLAY_OF), bytes_of_text(replay_of)};
	struct event event = {
		.record = {.topic = "requests",
			.partition = 3,
			.offset = 42,
			.timestamp_ms = timestamp_ms,
			.headers = &replay,
			.header_count = replay_of == NULL ? 0 : 1},
		.outcome = {.reason = reason, .attempts = 5},
	};
	struct result_options options = {.group_id = "g"};
	struct result_encoder *encoder = result_encoder_new(&options, NULL);
	struct result result;
	assert_true(result_encode(encoder, &event, RESULT_WHOLE, COMPLETED_MS, &result, NULL));
	struct record record = {.topic = "results",
		.partition = 0,
		.offset = 7,
		.timestamp_ms = COMPLETED_MS,
		.value = result.value,
		.headers = result.headers,
		.header_count = result.header_count};
	look(&record);
	result_encoder_free(encoder);
}

static void is_as_published(const struct record *record)
{
	struct error_event event;
	struct error err = {0};
	if (error_event_read(record, reader, &event, &err) != ERROR_EVENT_READ)
		fail_msg("%s", err.text);
	assert_int_equal(event.reason, REASON_API_UNAVAILABLE);
	assert_string_equal(event.topic, "requests");
	assert_int_equal(event.partition, 3);
	assert_int_equal(event.offset, 42);
	assert_int_equal(event.timestamp_ms, STARTED_MS);
	assert_int_equal(event.completed_ms, COMPLETED_MS);
	assert_null(event.first.data);
}

static void reads_what_the_service_publishes(void **state)
{
	(void)state;
	with_result(REASON_API_UNAVAILABLE, STARTED_MS, NULL, is_as_published);
}

static void has_no_timestamp(const struct record *record)
{
	struct error_event event;
	assert_int_equal(error_event_read(record, reader, &event, NULL), ERROR_EVENT_READ);
	assert_int_equal(event.reason, REASON_REJECTED);
	assert_int_equal(event.timestamp_ms, -1);
	assert_true(bytes_equal(event.first, BYTES("requests/0/7")));
}

static void reads_the_result_of_a_replay_without_timestamp(void **state)
{
	(void)state;
	with_result(REASON_REJECTED, -1, "requests/0/7", has_no_timestamp);
}

static void is_none(const struct record *record)
{
	struct error_event event;
	assert_int_equal(error_event_read(record, reader, &event, NULL), ERROR_EVENT_NONE);
}

static void a_found_case_is_none(void **state)
{
	(void)state;
	with_result(REASON_NONE, STARTED_MS, NULL, is_none);
}

static void a_record_of_somebody_else_is_none(void **state)
{
	(void)state;
	is_none(&(struct record){.topic = "results"});
	struct header header = {BYTES("ce_type"), BYTES("care360.lookup.error.v2")};
	is_none(&(struct record){.topic = "results", .headers = &header, .header_count = 1});
}

static void a_reason_of_a_later_version_is_read_as_unknown(void **state)
{
	(void)state;
	struct error_event event;
	assert_int_equal(read_value("{\"error\":{\"reason\":\"of_tomorrow\",\"more\":[1]},\"x\":{}"
				    "," GOOD_REQUEST "," GOOD_COMPLETED "}",
				 &event, NULL),
		ERROR_EVENT_READ);
	assert_int_equal(event.reason, REASON_COUNT);
}

static void what_is_no_mark_of_a_replay_is_ignored(void **state)
{
	(void)state;
	static const char *const marks[] = {"", "x", "requests/0", "requests/0/", "requests//7",
		"/0/7", "requests/0/-7", "requests/0/07", "requests/+0/7", "re quests/0/7",
		"requests/2147483648/7", "requests/0/9223372036854775808", "a/b/0/7"};
	for (size_t i = 0; i < array_length(marks); i++)
		if (is_place(bytes_of_text(marks[i])))
			fail_msg("\"%s\" is a place", marks[i]);
	assert_true(is_place(BYTES("a.B_c-9/2147483647/9223372036854775807")));
	assert_false(is_place((struct bytes){0}));
}

static void names_what_is_wrong_with_an_error_event(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		const char *why;
	} cases[] = {
		{"{", "unfinished JSON at byte 2"},
		{"{}", "error: not of the type that results have"},
		{"{\"error\":{}}", "error.reason: not of the type that results have"},
		{"{" GOOD_ERROR "}", "request: not of the type that results have"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":7}}",
			"request.topic: not of the type that results have"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"no such\"}}",
			"request.topic: not a topic's name"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":-1}}",
			"request.partition: out of range"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":2147483648}}",
			"request.partition: out of range"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":0,\"offset\":1.5}}",
			"request.offset: not of the type that results have"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":0,"
		 "\"offset\":99999999999999999999}}",
			"an integer that does not fit 64 bits"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":0,\"offset\":1}}",
			"request.timestamp: not of the type that results have"},
		{"{" GOOD_ERROR "," GOOD_REQUEST "}",
			"completedAt: not of the type that results have"},
		{"{" GOOD_ERROR "," GOOD_REQUEST ",\"completedAt\":\"yesterday\"}",
			"completedAt: not a time"},
		{"{" GOOD_ERROR ",\"request\":{\"topic\":\"t\",\"partition\":0,\"offset\":1,"
		 "\"timestamp\":null}," GOOD_COMPLETED "}",
			"ce_id: not the place that `request` names"},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		struct error_event event;
		struct error err = {0};
		assert_int_equal(read_value(cases[i].value, &event, &err), ERROR_EVENT_MALFORMED);
		assert_string_equal(err.text, cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_service_publishes),
		cmocka_unit_test(reads_the_result_of_a_replay_without_timestamp),
		cmocka_unit_test(a_found_case_is_none),
		cmocka_unit_test(a_record_of_somebody_else_is_none),
		cmocka_unit_test(a_reason_of_a_later_version_is_read_as_unknown),
		cmocka_unit_test(what_is_no_mark_of_a_replay_is_ignored),
		cmocka_unit_test(names_what_is_wrong_with_an_error_event),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
