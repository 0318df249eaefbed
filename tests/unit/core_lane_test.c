#include "lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct event event_of(void *source, const char *key)
{
	return (struct event){
		.source = source,
		.record.key = key == NULL ? (struct bytes){0} : bytes_of_text(key),
	};
}

static void joins(struct lanes *lanes, struct event *event)
{
	assert_true(lanes_join(lanes, event, NULL));
}

static void events_of_a_key_share_a_lane(void **state)
{
	(void)state;
	struct lanes lanes = {.ordering = FLOW_ORDER_KEY};
	int source;
	struct event first = event_of(&source, "k");
	struct event second = event_of(&source, "k");
	struct event empty = event_of(&source, "");
	struct event none = event_of(&source, NULL);
	joins(&lanes, &first);
	joins(&lanes, &second);
	joins(&lanes, &empty);
	joins(&lanes, &none);
	assert_ptr_equal(first.lane, second.lane);
	assert_ptr_equal(first.lane->events, &first);
	assert_ptr_equal(first.lane_next, &second);
	assert_non_null(empty.lane);
	assert_ptr_not_equal(empty.lane, first.lane);
	assert_null(none.lane);
	lanes_fini(&lanes);
}

static void the_same_key_of_another_partition_is_another_lane(void **state)
{
	(void)state;
	struct lanes lanes = {.ordering = FLOW_ORDER_KEY};
	int source;
	int other;
	struct event first = event_of(&source, "k");
	struct event second = event_of(&other, "k");
	joins(&lanes, &first);
	joins(&lanes, &second);
	assert_ptr_not_equal(first.lane, second.lane);
	lanes_fini(&lanes);
}

static void a_partition_is_one_lane_where_the_ordering_says_so(void **state)
{
	(void)state;
	struct lanes lanes = {.ordering = FLOW_ORDER_PARTITION};
	int source;
	struct event first = event_of(&source, "k");
	struct event second = event_of(&source, NULL);
	joins(&lanes, &first);
	joins(&lanes, &second);
	assert_ptr_equal(first.lane, second.lane);
	lanes_fini(&lanes);
}

static void without_ordering_there_are_no_lanes(void **state)
{
	(void)state;
	struct lanes lanes = {.ordering = FLOW_ORDER_NONE};
	int source;
	struct event event = event_of(&source, "k");
	joins(&lanes, &event);
	assert_null(event.lane);
	lanes_leave(&lanes, &event);
	lanes_fini(&lanes);
}

static void a_lane_ends_with_its_last_event(void **state)
{
	(void)state;
	struct lanes lanes = {.ordering = FLOW_ORDER_KEY};
	int source;
	struct event first = event_of(&source, "k");
	struct event second = event_of(&source, "k");
	struct event third = event_of(&source, "k");
	joins(&lanes, &first);
	joins(&lanes, &second);
	joins(&lanes, &third);
	lanes_leave(&lanes, &second);
	assert_null(second.lane);
	assert_ptr_equal(first.lane_next, &third);
	lanes_leave(&lanes, &first);
	assert_ptr_equal(third.lane->events, &third);
	lanes_leave(&lanes, &third);
	assert_int_equal(HASH_COUNT(lanes.table), 0);
	lanes_fini(&lanes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_a_key_share_a_lane),
		cmocka_unit_test(the_same_key_of_another_partition_is_another_lane),
		cmocka_unit_test(a_partition_is_one_lane_where_the_ordering_says_so),
		cmocka_unit_test(without_ordering_there_are_no_lanes),
		cmocka_unit_test(a_lane_ends_with_its_last_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
