#include "core/replay.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/result.h"

#define FAILED_MS INT64_C(1795489200120) /* when requests fail in these tests */

static const char *const topics[] = {"a", "b"};

static struct replay_filter filter;
static struct replay *replay;

static int start(void **state)
{
	(void)state;
	filter = (struct replay_filter){.reasons[REASON_API_UNAVAILABLE] = true,
		.since_ms = FAILED_MS,
		.until_ms = FAILED_MS + 1000,
		.topics = topics,
		.topic_count = array_length(topics)};
	replay = replay_new(&filter, NULL);
	return replay == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	replay_free(replay);
	replay_free(NULL);
	return 0;
}

/* The time of the record at an offset. */
static int64_t time_of(int64_t offset)
{
	return 1000000 + offset;
}

struct failure {
	const char *topic;
	int32_t partition;
	int64_t offset;
	enum reason reason;
	int64_t at_ms;
	const char *first; /* NULL: it was no replay */
};

/* Shows the error event of a failed request. */
static enum replay_look look_at(struct failure failure)
{
	struct header mark = {BYTES(RESULT_REPLAY_OF), bytes_of_text(failure.first)};
	struct event event = {
		.record = {.topic = failure.topic,
			.partition = failure.partition,
			.offset = failure.offset,
			.timestamp_ms = time_of(failure.offset),
			.headers = &mark,
			.header_count = failure.first == NULL ? 0 : 1},
		.outcome = {.reason = failure.reason, .attempts = 1},
	};
	struct result_options options = {.group_id = "g"};
	struct result_encoder *encoder = result_encoder_new(&options, NULL);
	struct result result;
	struct error err = {0};
	assert_true(result_encode(encoder, &event, RESULT_WHOLE, failure.at_ms, &result, NULL));
	enum replay_look look = replay_look(replay,
		&(struct record){.topic = "results",
			.value = result.value,
			.headers = result.headers,
			.header_count = result.header_count},
		&err);
	result_encoder_free(encoder);
	assert_string_equal(err.text, "");
	return look;
}

/* The same, of a request that the filter wants. */
static enum replay_look fails(
	const char *topic, int32_t partition, int64_t offset, const char *first)
{
	return look_at((struct failure){
		topic, partition, offset, REASON_API_UNAVAILABLE, FAILED_MS, first});
}

/* Shows a record of a request topic that is a replay. */
static void mark(const char *topic, int32_t partition, int64_t offset, const char *first)
{
	struct header header = {BYTES("Care360-Replay-Of"), bytes_of_text(first)};
	replay_mark(replay, &(struct record){.topic = topic,
				    .partition = partition,
				    .offset = offset,
				    .headers = &header,
				    .header_count = first == NULL ? 0 : 1});
}

/* Shows an original. */
static struct replay_item *take(const char *topic, int32_t partition, int64_t offset)
{
	return replay_take(replay, &(struct record){.topic = topic,
					   .partition = partition,
					   .offset = offset,
					   .timestamp_ms = time_of(offset)});
}

/* "a/0 5-9 b/1 0-1": from the first to before the second. */
static void assert_ranges(const struct record_range *ranges, size_t count, const char *wanted)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	assert_non_null(ranges);
	for (size_t i = 0; i < count; i++) {
		buffer_append_format(&text, "%s%s/%" PRId32 " %" PRId64 "-", i == 0 ? "" : " ",
			ranges[i].topic, ranges[i].partition, ranges[i].from);
		if (ranges[i].to != INT64_MAX)
			buffer_append_integer(&text, ranges[i].to);
	}
	assert_string_equal(buffer_text(&text), wanted);
}

static void assert_originals(int64_t reach, const char *wanted)
{
	size_t count = 0;
	const struct record_range *ranges = replay_original_ranges(replay, reach, &count, NULL);
	assert_ranges(ranges, count, wanted);
}

static void chooses_by_reason_and_time(void **state)
{
	(void)state;
	static const struct {
		enum reason reason;
		int64_t at_ms;
		enum replay_look look;
	} cases[] = {
		{REASON_API_UNAVAILABLE, FAILED_MS, REPLAY_LOOK_CHOSEN},
		{REASON_API_UNAVAILABLE, FAILED_MS + 999, REPLAY_LOOK_CHOSEN},
		{REASON_API_UNAVAILABLE, FAILED_MS - 1, REPLAY_LOOK_OTHER},
		{REASON_API_UNAVAILABLE, FAILED_MS + 1000, REPLAY_LOOK_OTHER},
		{REASON_CASE_NOT_FOUND, FAILED_MS, REPLAY_LOOK_OTHER},
		{REASON_NONE, FAILED_MS, REPLAY_LOOK_OTHER},
	};
	for (size_t i = 0; i < array_length(cases); i++)
		assert_int_equal(look_at((struct failure){"a", 0, (int64_t)i, cases[i].reason,
					 cases[i].at_ms, NULL}),
			cases[i].look);
	size_t count = 0;
	replay_items(replay, &count);
	assert_int_equal(count, 2);
}

static void a_repeat_of_an_error_event_counts_once(void **state)
{
	(void)state;
	assert_int_equal(fails("a", 0, 7, NULL), REPLAY_LOOK_CHOSEN);
	assert_int_equal(fails("a", 0, 7, NULL), REPLAY_LOOK_REPEAT);
	assert_int_equal(fails("a", 1, 7, NULL), REPLAY_LOOK_CHOSEN);
	assert_originals(1, "a/0 7-8 a/1 7-8");
}

static void nothing_goes_to_a_topic_that_is_no_request_topic(void **state)
{
	(void)state;
	assert_int_equal(fails("c", 0, 7, NULL), REPLAY_LOOK_ELSEWHERE);
	assert_originals(1, "");
}

static void a_malformed_error_event_is_told(void **state)
{
	(void)state;
	struct error err = {0};
	struct header header = {BYTES("ce_type"), BYTES(RESULT_TYPE_ERROR)};
	struct record record = {.value = BYTES("{}"), .headers = &header, .header_count = 1};
	assert_int_equal(replay_look(replay, &record, &err), REPLAY_LOOK_MALFORMED);
	assert_string_not_equal(err.text, "");
}

static void marks_are_looked_for_behind_the_first_failure_of_each_partition(void **state)
{
	(void)state;
	fails("b", 0, 50, NULL);
	fails("a", 1, 9, NULL);
	fails("b", 0, 20, NULL);
	fails("a", 0, 5, NULL);
	size_t count = 0;
	const struct record_range *ranges = replay_mark_ranges(replay, &count, NULL);
	assert_ranges(ranges, count, "a/0 6- a/1 10- b/0 21-");
}

static void what_was_replayed_before_is_not_an_original(void **state)
{
	(void)state;
	fails("a", 0, 5, NULL);
	fails("a", 0, 6, NULL);
	fails("a", 0, 7, NULL);
	mark("a", 0, 90, "a/0/6");
	mark("a", 0, 91, "a/0/4"); /* of somebody who is not chosen */
	mark("a", 0, 92, NULL);
	assert_originals(1, "a/0 5-6 a/0 7-8");
	assert_null(take("a", 0, 6));
	size_t count = 0;
	struct replay_item *const *items = replay_items(replay, &count);
	assert_int_equal(items[1]->fate, REPLAY_BEFORE);
}

static void a_replay_that_failed_again_stands_for_its_request(void **state)
{
	(void)state;
	assert_int_equal(fails("a", 0, 90, "a/0/5"), REPLAY_LOOK_CHOSEN);
	assert_int_equal(fails("a", 0, 5, NULL), REPLAY_LOOK_REPEAT);
	mark("a", 0, 90, "a/0/5"); /* is itself the last failure: nobody replayed that */
	assert_originals(1, "a/0 90-91");
	const struct replay_item *item = take("a", 0, 90);
	assert_non_null(item);
	assert_string_equal(item->first, "a/0/5");
}

static void a_replay_that_failed_again_and_was_replayed_is_left_alone(void **state)
{
	(void)state;
	fails("a", 0, 5, NULL);
	fails("a", 0, 90, "a/0/5");
	mark("a", 0, 90, "a/0/5");
	mark("a", 0, 120, "a/0/5");
	assert_originals(1, "");
}

static void a_mark_in_another_partition_counts_too(void **state)
{
	(void)state;
	fails("a", 0, 500, NULL);
	mark("a", 1, 3, "a/0/500");
	assert_originals(1, "");
}

static void originals_that_lie_close_are_read_in_one_go(void **state)
{
	(void)state;
	fails("a", 0, 100, NULL);
	fails("a", 0, 0, NULL);
	fails("a", 0, 10, NULL);
	fails("a", 1, 11, NULL);
	assert_originals(9, "a/0 0-1 a/0 10-11 a/0 100-101 a/1 11-12");
	assert_originals(10, "a/0 0-11 a/0 100-101 a/1 11-12");
	assert_originals(1000, "a/0 0-101 a/1 11-12");
}

static void only_originals_are_taken_each_once(void **state)
{
	(void)state;
	fails("a", 0, 0, NULL);
	fails("a", 0, 10, NULL);
	assert_originals(100, "a/0 0-11");
	assert_non_null(take("a", 0, 0));
	assert_null(take("a", 0, 0));
	assert_null(take("a", 0, 5));
	assert_null(take("b", 0, 10));
	assert_null(take("c", 0, 10));
	size_t count = 0;
	struct replay_item *const *items = replay_items(replay, &count);
	assert_int_equal(items[0]->fate, REPLAY_READ);
	assert_int_equal(items[1]->fate, REPLAY_CHOSEN); /* not there any more */
}

static void another_record_in_the_same_place_is_not_taken(void **state)
{
	(void)state;
	fails("a", 0, 4, NULL);
	assert_originals(1, "a/0 4-5");
	assert_null(replay_take(replay,
		&(struct record){.topic = "a", .offset = 4, .timestamp_ms = time_of(4) + 1}));
	size_t count = 0;
	assert_int_equal(replay_items(replay, &count)[0]->fate, REPLAY_REPLACED);
}

static void a_record_with_an_absurd_time_is_known_by_what_its_result_tells(void **state)
{
	(void)state;
	int64_t microseconds = INT64_C(1795489200000000); /* of a client that got the unit wrong */
	struct event event = {.record = {.topic = "a", .timestamp_ms = microseconds},
		.outcome = {.reason = REASON_API_UNAVAILABLE}};
	struct result_options options = {.group_id = "g"};
	struct result_encoder *encoder = result_encoder_new(&options, NULL);
	struct result result;
	assert_true(result_encode(encoder, &event, RESULT_WHOLE, FAILED_MS, &result, NULL));
	struct record record = {.value = result.value,
		.headers = result.headers,
		.header_count = result.header_count};
	assert_int_equal(replay_look(replay, &record, NULL), REPLAY_LOOK_CHOSEN);
	result_encoder_free(encoder);
	assert_originals(1, "a/0 0-1");
	assert_non_null(
		replay_take(replay, &(struct record){.topic = "a", .timestamp_ms = microseconds}));
}

static void a_replay_has_all_headers_and_one_mark(void **state)
{
	(void)state;
	fails("a", 0, 90, "a/0/5");
	assert_originals(1, "a/0 90-91");
	const struct replay_item *item = take("a", 0, 90);
	struct header own[40];
	for (size_t i = 0; i < array_length(own); i++)
		own[i] = (struct header){BYTES("h"), (struct bytes){0}};
	own[0] = (struct header){BYTES(RESULT_REPLAY_OF), BYTES("a/0/5")};
	own[20] = (struct header){BYTES("CARE360-REPLAY-OF"), BYTES("forged")};
	struct record record = {.headers = own, .header_count = array_length(own)};
	size_t count = 0;
	const struct header *headers = replay_headers(replay, &record, item, &count, NULL);
	assert_int_equal(count, array_length(own) - 2 + 1);
	for (size_t i = 0; i + 1 < count; i++)
		assert_true(bytes_equal(headers[i].name, BYTES("h")));
	assert_true(bytes_equal(headers[count - 1].name, BYTES(RESULT_REPLAY_OF)));
	assert_true(bytes_equal(headers[count - 1].value, BYTES("a/0/5")));
}

static void an_original_without_headers_gets_the_mark_of_its_own_place(void **state)
{
	(void)state;
	fails("b", 3, 17, NULL);
	assert_originals(1, "b/3 17-18");
	const struct replay_item *item = take("b", 3, 17);
	struct record record = {0};
	size_t count = 0;
	const struct header *headers = replay_headers(replay, &record, item, &count, NULL);
	assert_int_equal(count, 1);
	assert_true(bytes_equal(headers[0].value, BYTES("b/3/17")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chooses_by_reason_and_time),
		TEST(a_repeat_of_an_error_event_counts_once),
		TEST(nothing_goes_to_a_topic_that_is_no_request_topic),
		TEST(a_malformed_error_event_is_told),
		TEST(marks_are_looked_for_behind_the_first_failure_of_each_partition),
		TEST(what_was_replayed_before_is_not_an_original),
		TEST(a_replay_that_failed_again_stands_for_its_request),
		TEST(a_replay_that_failed_again_and_was_replayed_is_left_alone),
		TEST(a_mark_in_another_partition_counts_too),
		TEST(originals_that_lie_close_are_read_in_one_go),
		TEST(only_originals_are_taken_each_once),
		TEST(another_record_in_the_same_place_is_not_taken),
		TEST(a_record_with_an_absurd_time_is_known_by_what_its_result_tells),
		TEST(a_replay_has_all_headers_and_one_mark),
		TEST(an_original_without_headers_gets_the_mark_of_its_own_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
