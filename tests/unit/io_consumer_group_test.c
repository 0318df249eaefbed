#include "consumer_fixture.h"

static void all_partitions_are_read_from_the_first_record_in_order(void **state)
{
	(void)state;
	feed_many(1000);
	start(member);
	assert_false(consumer_joined(member->consumer));
	UNTIL(member->received == 1000, step(member));
	assert_true(consumer_joined(member->consumer));
	assert_int_equal(member->assigned, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(member->sources[i].received, 250);
}

static void a_group_without_offsets_can_start_at_the_end(void **state)
{
	(void)state;
	feed_many(40);
	member->settings.kafka.start_from = START_FROM_LATEST;
	start(member);
	UNTIL(consumer_joined(member->consumer), step(member));
	/* What comes while it is away is not skipped, although nothing was stored yet. */
	stop(member);
	feed_many(4);
	restart(member);
	UNTIL(member->received == 4, step(member));
	for (int i = 0; i < 4; i++)
		assert_int_equal(member->records[i].offset, 10);
	assert_int_equal(news_count(&member->news, KAFKA_NEWS_OFFSET_RESET), 0);
}

static void what_was_stored_is_not_read_again(void **state)
{
	(void)state;
	feed_many(40);
	start(member);
	UNTIL(member->received == 40, step(member));
	for (int i = 0; i < member->source_count; i++)
		consumer_store(member->consumer, &member->sources[i], 7);
	restart(member);
	UNTIL(member->received == 12, step(member));
	for (int i = 0; i < 12; i++)
		assert_in_range(member->records[i].offset, 7, 9);
}

static void what_is_stored_is_committed_in_time(void **state)
{
	(void)state;
	feed_many(40);
	start(member);
	UNTIL(member->received == 40, step(member));
	int64_t offset = -1;
	int64_t end = -1;
	consumer_store(member->consumer, &member->sources[0], 5);
	UNTIL(consumer_position(member->consumer, &member->sources[0], &offset, &end) &&
			offset == 5,
		step(member));
	assert_int_equal(end, 10);
	/* Backwards goes nowhere. */
	struct error err = {0};
	consumer_store(member->consumer, &member->sources[0], 3);
	assert_true(consumer_commit(member->consumer, &err));
	assert_true(consumer_position(member->consumer, &member->sources[0], &offset, &end));
	assert_int_equal(offset, 5);
}

static void closing_revokes_all_and_commits_what_was_stored_meanwhile(void **state)
{
	(void)state;
	feed_many(40);
	member->store_on_revoke = true;
	member->settings.kafka.commit_interval_ms = 60000;
	start(member);
	UNTIL(member->received == 40, step(member));
	stop(member);
	assert_int_equal(member->revoked, 4);
	for (int i = 0; i < 4; i++)
		assert_false(member->sources[i].lost);
	feed_many(4);
	restart(member);
	UNTIL(member->received == 4, step(member));
	for (int i = 0; i < 4; i++)
		assert_int_equal(member->records[i].offset, 10);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_partitions_are_read_from_the_first_record_in_order),
		TEST(a_group_without_offsets_can_start_at_the_end),
		TEST(what_was_stored_is_not_read_again),
		TEST(what_is_stored_is_committed_in_time),
		TEST(closing_revokes_all_and_commits_what_was_stored_meanwhile),
	};
	return RUN_TESTS("io/consumer_group", tests, argc, argv);
}
