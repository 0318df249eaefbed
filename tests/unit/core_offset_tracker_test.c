#include "core/offset_tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/retry.h"

static uint64_t opened(struct offset_tracker *tracker, int64_t offset)
{
	uint64_t sequence;
	assert_true(offset_tracker_open(tracker, offset, offset * 10, &sequence, NULL));
	return sequence;
}

/* The lowest offset that is not done, which brought its own timestamp along. */
static int64_t oldest(const struct offset_tracker *tracker)
{
	int64_t time_ms = 0;
	int64_t offset = offset_tracker_oldest(tracker, &time_ms);
	assert_int_equal(time_ms, offset < 0 ? -1 : offset * 10);
	return offset;
}

static void a_new_one_has_nothing_to_commit(void **state)
{
	(void)state;
	struct offset_tracker *tracker = offset_tracker_new(NULL);
	assert_int_equal(offset_tracker_watermark(tracker), -1);
	assert_int_equal(oldest(tracker), -1);
	assert_int_equal(offset_tracker_uncommitted(tracker), 0);
	offset_tracker_free(tracker);
	offset_tracker_free(NULL);
}

static void the_watermark_waits_for_the_first_gap(void **state)
{
	(void)state;
	struct offset_tracker *tracker = offset_tracker_new(NULL);
	uint64_t first = opened(tracker, 10);
	uint64_t second = opened(tracker, 11);
	uint64_t third = opened(tracker, 12);
	offset_tracker_done(tracker, second);
	assert_int_equal(offset_tracker_watermark(tracker), -1);
	assert_int_equal(oldest(tracker), 10);
	assert_int_equal(offset_tracker_uncommitted(tracker), 3);
	offset_tracker_done(tracker, first);
	assert_int_equal(offset_tracker_watermark(tracker), 12);
	assert_int_equal(oldest(tracker), 12);
	offset_tracker_done(tracker, third);
	assert_int_equal(offset_tracker_watermark(tracker), 13);
	assert_int_equal(offset_tracker_uncommitted(tracker), 0);
	assert_int_equal(oldest(tracker), -1);
	offset_tracker_free(tracker);
}

static void offsets_that_never_came_are_no_gap(void **state)
{
	(void)state;
	struct offset_tracker *tracker = offset_tracker_new(NULL);
	uint64_t first = opened(tracker, 3);
	uint64_t second = opened(tracker, 1000000);
	offset_tracker_done(tracker, first);
	assert_int_equal(offset_tracker_watermark(tracker), 4);
	offset_tracker_done(tracker, second);
	assert_int_equal(offset_tracker_watermark(tracker), 1000001);
	offset_tracker_free(tracker);
}

static void many_may_be_open_while_the_ring_turns(void **state)
{
	(void)state;
	enum { WINDOW = 3000, TURNS = 20 };
	struct offset_tracker *tracker = offset_tracker_new(NULL);
	uint64_t sequences[WINDOW] = {0};
	struct random random = {1};
	int64_t next = 0;
	for (int turn = 0; turn < TURNS; turn++) {
		size_t count = 1 + random_below(&random, WINDOW);
		int64_t first = next;
		for (size_t i = 0; i < count; i++)
			sequences[i] = opened(tracker, next++);
		/* Done from the last to the first, so that the watermark moves once. */
		for (size_t i = count; i-- > 1;) {
			offset_tracker_done(tracker, sequences[i]);
			assert_int_equal(oldest(tracker), first);
		}
		offset_tracker_done(tracker, sequences[0]);
		assert_int_equal(offset_tracker_watermark(tracker), next);
	}
	offset_tracker_free(tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_has_nothing_to_commit),
		cmocka_unit_test(the_watermark_waits_for_the_first_gap),
		cmocka_unit_test(offsets_that_never_came_are_no_gap),
		cmocka_unit_test(many_may_be_open_while_the_ring_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
