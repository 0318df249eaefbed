#include "consumer_fixture.h"

/* Whether all that its present sources have received is committed. */
static bool settled(struct member *self)
{
	for (int i = 0; i < self->source_count; i++) {
		struct source *source = &self->sources[i];
		int64_t offset = -1;
		int64_t end = -1;
		if (!source->revoked && source->next >= 0 &&
			consumer_position(self->consumer, source, &offset, &end) &&
			offset < source->next)
			return false;
	}
	return true;
}

/* What is committed when a rebalance begins is not read again. (The mock cluster takes no commit
 * during one.) */
static void a_second_member_takes_its_share(void **state)
{
	(void)state;
	feed_many(400);
	member->store_at_once = true;
	start(member);
	UNTIL(member->received == 400 && settled(member), step(member));
	struct member *second = new_member();
	second->store_at_once = true;
	start(second);
	UNTIL(member->assigned == 2 && second->assigned == 2, {
		step(member);
		step(second);
	});
	assert_true(member->revoked >= 4);
	feed_many(400);
	UNTIL(member->received + second->received >= 800 && settled(member) && settled(second), {
		step(member);
		step(second);
	});
	assert_int_equal(member->received + second->received, 800);
	assert_true(second->received > 0);
	int theirs = second->received;
	end_member(second);
	UNTIL(member->assigned == 4, step(member));
	feed_many(40);
	UNTIL(member->received + theirs >= 840, step(member));
	assert_int_equal(member->received + theirs, 840);
}

static void a_new_assignment_is_not_paused(void **state)
{
	(void)state;
	member->store_at_once = true;
	start(member);
	UNTIL(member->assigned == 4, step(member));
	consumer_pause_all(member->consumer);
	struct member *second = new_member();
	second->store_at_once = true;
	start(second);
	UNTIL(member->assigned == 2 && second->assigned == 2, {
		step(member);
		step(second);
	});
	feed_many(40);
	UNTIL(member->received == 20 && second->received == 20, {
		step(member);
		step(second);
	});
	end_member(second);
}

static void a_source_of_an_earlier_assignment_is_ignored(void **state)
{
	(void)state;
	feed_many(40);
	start(member);
	UNTIL(member->received == 40, step(member));
	struct source *old = &member->sources[0];
	stop(member);
	member->received = 0;
	start(member);
	UNTIL(member->received == 40, step(member));
	int64_t offset = -1;
	int64_t end = -1;
	assert_false(consumer_position(member->consumer, old, &offset, &end));
	consumer_store(member->consumer, old, 10);
	consumer_pause(member->consumer, old);
	consumer_resume(member->consumer, old);
}

/* The mock cluster keeps 5 MiB a partition and drops what is older. */
static void a_log_that_lost_what_is_due_is_reported_with_the_gap(void **state)
{
	(void)state;
	static char value[100000];
	feed(0, "first", value, sizeof(value));
	feed(0, "second", value, sizeof(value));
	start(member);
	UNTIL(member->received == 2, step(member));
	for (int i = 0; i < member->source_count; i++)
		if (member->sources[i].partition == 0)
			consumer_store(member->consumer, &member->sources[i], 1);
	stop(member);
	for (int i = 0; i < 200; i++)
		feed(0, "later", value, sizeof(value));
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
	restart(member);
	UNTIL(member->received > 0, step(member));
	assert_int_equal(news_count(&member->news, KAFKA_NEWS_OFFSET_RESET), 1);
	assert_int_equal(member->news.from_offset, 1);
	assert_int_equal(member->news.to_offset, member->records[0].offset);
	UNTIL(member->records[member->received - 1].offset == 201, step(member));
	assert_int_equal(news_count(&member->news, KAFKA_NEWS_OFFSET_RESET), 1);
}

/* How long it takes to close a consumer that has something to commit while no broker is there. */
static int64_t time_closing(void)
{
	mock_cluster_set_reachable(cluster, false);
	struct error err = {0};
	int64_t before = clock_monotonic_ns();
	consumer_close(member->consumer, 1000, &err);
	consumer_free(member->consumer);
	member->consumer = NULL;
	int64_t took = clock_monotonic_ns() - before;
	mock_cluster_set_reachable(cluster, true);
	assert_int_equal(member->assigned, 0);
	return took;
}

static void closing_ends_in_time_while_no_broker_is_there(void **state)
{
	(void)state;
	feed_many(40);
	member->store_on_revoke = true;
	member->settings.kafka.commit_interval_ms = 60000;
	int64_t took = INT64_MAX;
	/* One that is in time is proof: what is awaited for ever is so each time. */
	for (int i = 0; i < 3 && took > 4 * NS_PER_S; i++) {
		restart(member);
		UNTIL(member->received == 40, step(member));
		took = time_closing();
	}
	assert_in_range(took, 0, 4 * NS_PER_S);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_second_member_takes_its_share),
		TEST(a_new_assignment_is_not_paused),
		TEST(a_source_of_an_earlier_assignment_is_ignored),
		TEST(a_log_that_lost_what_is_due_is_reported_with_the_gap),
		TEST(closing_ends_in_time_while_no_broker_is_there),
	};
	return RUN_TESTS("io/consumer_rebalance", tests, argc, argv);
}
