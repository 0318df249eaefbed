#include "consumer_fixture.h"

#include <unistd.h>

static void look_at_headers(const struct record *record)
{
	assert_int_equal(record->header_count, 3);
	assert_true(bytes_equal(record->headers[0].name, BYTES("content-type")));
	assert_true(bytes_equal(record->headers[0].value, BYTES("a\0b")));
	assert_true(bytes_equal(record->headers[1].value, (struct bytes){NULL, 0}));
	assert_true(bytes_equal(record->headers[2].value, BYTES("")));
	assert_true(bytes_equal(record->key, BYTES("key")));
	assert_true(bytes_equal(record->value, BYTES("v\0lue")));
	assert_int_equal(record->timestamp_ms, 1234567890123);
}

static void a_record_comes_with_all_it_has(void **state)
{
	(void)state;
	member->look = look_at_headers;
	start(member);
	rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
	rd_kafka_header_add(headers, "content-type", -1, "a\0b", 3);
	rd_kafka_header_add(headers, "none", -1, NULL, 0);
	rd_kafka_header_add(headers, "empty", -1, "", 0);
	assert_int_equal(
		rd_kafka_producev(feeder, RD_KAFKA_V_TOPIC(requests), RD_KAFKA_V_KEY("key", 3),
			RD_KAFKA_V_VALUE("v\0lue", 5), RD_KAFKA_V_HEADERS(headers),
			RD_KAFKA_V_TIMESTAMP(1234567890123), RD_KAFKA_V_END),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	UNTIL(member->received == 1, step(member));
}

static void look_for_absent(const struct record *record)
{
	assert_null(record->key.data);
	assert_null(record->value.data);
	assert_int_equal(record->header_count, 0);
}

static void look_for_empty(const struct record *record)
{
	assert_true(bytes_equal(record->key, BYTES("")));
	assert_true(bytes_equal(record->value, BYTES("")));
}

static void absent_and_empty_are_told_apart(void **state)
{
	(void)state;
	start(member);
	member->look = look_for_absent;
	feed(0, NULL, NULL, 0);
	UNTIL(member->received == 1, step(member));
	member->look = look_for_empty;
	feed(0, "", "", 0);
	UNTIL(member->received == 2, step(member));
}

static void a_paused_source_delivers_nothing_until_it_is_resumed(void **state)
{
	(void)state;
	start(member);
	UNTIL(member->assigned == 4, step(member));
	consumer_pause(member->consumer, &member->sources[0]);
	feed_many(400);
	UNTIL(member->received == 300, step(member));
	for (int i = 0; i < 5; i++)
		step(member);
	assert_int_equal(member->sources[0].received, 0);
	consumer_resume(member->consumer, &member->sources[0]);
	UNTIL(member->received == 400, step(member));
}

static void all_pause_and_resume_without_loss_or_repeat(void **state)
{
	(void)state;
	feed_many(2000);
	start(member);
	for (int round = 0; member->received < 2000; round++) {
		int before = member->received;
		UNTIL(member->received > before, step(member));
		consumer_pause_all(member->consumer);
		int paused_at = member->received;
		for (int i = 0; i < 3; i++)
			step(member);
		assert_int_equal(member->received, paused_at);
		consumer_resume_all(member->consumer);
		assert_in_range(round, 0, 2000);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(member->sources[i].received, 500);
}

static void no_more_records_than_asked_for_come_from_one_poll(void **state)
{
	(void)state;
	feed_many(100);
	start(member);
	UNTIL(member->received > 0, {
		struct error err = {0};
		assert_true(consumer_poll(member->consumer, 20, 3, &err));
		assert_in_range(member->received, 0, 3);
	});
	while (member->received < 100) {
		int before = member->received;
		struct error err = {0};
		assert_true(consumer_poll(member->consumer, 1000, 3, &err));
		assert_in_range(member->received - before, 0, 3);
	}
}

static void where_it_began_and_what_is_there_are_known_after_its_first_record(void **state)
{
	(void)state;
	int64_t committed = 0;
	int64_t end = 0;
	feed_many(40);
	start(member);
	UNTIL(member->received == 40, step(member));
	for (int i = 0; i < 4; i++) {
		assert_true(
			consumer_position(member->consumer, &member->sources[i], &committed, &end));
		assert_int_equal(committed, 0);
		assert_int_equal(end, 10);
	}
	struct source unknown;
	assert_false(consumer_position(member->consumer, &unknown, &committed, &end));
}

static void brokers_tell_the_end_of_what_is_not_fetched(void **state)
{
	(void)state;
	start(member);
	UNTIL(member->assigned == 4, step(member));
	consumer_pause_all(member->consumer);
	feed_many(40);
	struct consumer_bounds bounds[] = {{requests, 0, -1, -1}, {requests, 3, -1, -1}};
	consumer_query_bounds(member->consumer, bounds, 2, 10000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bounds[i].beginning, 0);
		assert_int_equal(bounds[i].end, 10);
	}
}

static void *wake_soon(void *context)
{
	usleep(50000);
	consumer_wake(context);
	return NULL;
}

static void waking_ends_the_sleep(void **state)
{
	(void)state;
	start(member);
	UNTIL(consumer_joined(member->consumer), step(member));
	struct error err = {0};
	int64_t shortest = INT64_MAX;
	/* It may wake for reasons of its own too: one long enough sleep that ends early is proof.
	 */
	for (int i = 0; i < 20 && shortest > 900 * NS_PER_MS; i++) {
		consumer_wake(member->consumer);
		int64_t before = clock_monotonic_ns();
		assert_true(consumer_poll(member->consumer, 1000, 100, &err));
		shortest = clock_monotonic_ns() - before;
	}
	assert_in_range(shortest, 0, 900 * NS_PER_MS);
	pthread_t waker;
	pthread_create(&waker, NULL, wake_soon, member->consumer);
	assert_true(consumer_poll(member->consumer, 1000, 100, &err));
	pthread_join(waker, NULL);
}

static void a_missing_topic_is_reported_until_it_is_there(void **state)
{
	(void)state;
	mock_cluster_set_missing(cluster, requests, true);
	feed_many(0);
	start(member);
	UNTIL(news_count(&member->news, KAFKA_NEWS_TOPIC_MISSING) == 1, step(member));
	char resource[64];
	snprintf(resource, sizeof(resource), "topic %s", requests);
	assert_string_equal(member->news.resource[KAFKA_NEWS_TOPIC_MISSING], resource);
	mock_cluster_set_missing(cluster, requests, false);
	UNTIL(news_count(&member->news, KAFKA_NEWS_TOPIC_FINE) == 1, step(member));
	assert_string_equal(member->news.resource[KAFKA_NEWS_TOPIC_FINE], resource);
	UNTIL(member->assigned == 4, step(member));
	assert_int_equal(news_count(&member->news, KAFKA_NEWS_TOPIC_MISSING), 1);
}

static void topics_can_be_checked_without_joining(void **state)
{
	(void)state;
	start(member);
	struct error err = {0};
	const char *const topics[] = {requests, results};
	assert_true(consumer_check_topics(member->consumer, topics, 2, 10000, &err));
	mock_cluster_set_missing(cluster, results, true);
	assert_false(consumer_check_topics(member->consumer, topics, 2, 10000, &err));
	char text[64];
	snprintf(text, sizeof(text), "topic %s does not exist", results);
	assert_string_equal(err.text, text);
}

static void brokers_that_go_and_come_are_reported(void **state)
{
	(void)state;
	start(member);
	UNTIL(member->assigned == 4, step(member));
	mock_cluster_set_reachable(cluster, false);
	UNTIL(news_count(&member->news, KAFKA_NEWS_BROKERS_DOWN) == 1, step(member));
	const char *const topics[] = {requests};
	struct error err = {0};
	assert_false(consumer_check_topics(member->consumer, topics, 1, 100, &err));
	mock_cluster_set_reachable(cluster, true);
	UNTIL(news_count(&member->news, KAFKA_NEWS_BROKERS_UP) == 1, step(member));
	feed_many(40);
	UNTIL(member->received == 40, step(member));
}

static void a_callback_that_fails_makes_the_poll_fail(void **state)
{
	(void)state;
	feed_many(4);
	member->fail = true;
	start(member);
	struct error err = {0};
	UNTIL(!consumer_poll(member->consumer, 20, 100, &err), (void)0);
	assert_string_equal(err.text, "out of memory");
}

static void a_wrong_property_is_named_as_the_user_wrote_it(void **state)
{
	(void)state;
	const struct consumer_callbacks callbacks = {member, assigned, revoked, received, reported};
	struct property wrong = {(char *)"fetch.min.bytess", (char *)"1"};
	member->settings.kafka.consumer = (struct property_list){&wrong, 1};
	struct error err = {0};
	assert_null(consumer_new(&member->settings, &callbacks, &err));
	assert_string_equal(
		err.text, "kafka.consumer.fetch_min_bytess: no such configuration property");
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_with_all_it_has),
		TEST(absent_and_empty_are_told_apart),
		TEST(a_paused_source_delivers_nothing_until_it_is_resumed),
		TEST(all_pause_and_resume_without_loss_or_repeat),
		TEST(no_more_records_than_asked_for_come_from_one_poll),
		TEST(where_it_began_and_what_is_there_are_known_after_its_first_record),
		TEST(brokers_tell_the_end_of_what_is_not_fetched),
		TEST(waking_ends_the_sleep),
		TEST(a_missing_topic_is_reported_until_it_is_there),
		TEST(topics_can_be_checked_without_joining),
		TEST(brokers_that_go_and_come_are_reported),
		TEST(a_callback_that_fails_makes_the_poll_fail),
		TEST(a_wrong_property_is_named_as_the_user_wrote_it),
	};
	return RUN_TESTS("io/consumer", tests, argc, argv);
}
