#include "io/consumer.h"

#include "kafka_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define MOST_SOURCES 64
#define MOST_RECORDS 4096

/* An assignment as the test sees it. */
struct source {
	const char *topic;
	int32_t partition;
	bool revoked;
	bool lost;
	int64_t next; /* the offset above the last record */
	int received;
};

struct record_seen {
	char key[32];
	int64_t offset;
	int32_t partition;
};

/* A consumer and all that it has said. */
struct member {
	struct consumer *consumer;
	struct settings settings;
	struct news news;
	struct source sources[MOST_SOURCES];
	int source_count;
	int assigned;
	int revoked;
	struct record_seen records[MOST_RECORDS];
	int received;
	bool store_on_revoke;                      /* all that was received is done in time */
	bool fail;                                 /* `received` runs out of memory */
	void (*look)(const struct record *record); /* at the next record */
};

static struct member *member;
static rd_kafka_t *feeder;

static void *assigned(void *context, const char *topic, int32_t partition)
{
	struct member *self = context;
	assert_in_range(self->source_count, 0, MOST_SOURCES - 1);
	struct source *source = &self->sources[self->source_count++];
	*source = (struct source){.topic = topic, .partition = partition, .next = -1};
	self->assigned++;
	return source;
}

static void revoked(void *context, void *const *sources, size_t count, bool lost)
{
	struct member *self = context;
	for (size_t i = 0; i < count; i++) {
		struct source *source = sources[i];
		assert_false(source->revoked);
		source->revoked = true;
		source->lost = lost;
		self->assigned--;
		self->revoked++;
		if (self->store_on_revoke && source->next >= 0)
			consumer_store(self->consumer, source, source->next);
	}
}

static bool received(void *context, const struct record *record, void *tag, struct error *err)
{
	struct member *self = context;
	struct source *source = tag;
	if (self->fail)
		return error_memory(err);
	assert_false(source->revoked);
	assert_string_equal(record->topic, source->topic);
	assert_int_equal(record->partition, source->partition);
	assert_true(record->offset >= source->next);
	source->next = record->offset + 1;
	source->received++;
	assert_in_range(self->received, 0, MOST_RECORDS - 1);
	struct record_seen *seen = &self->records[self->received++];
	seen->offset = record->offset;
	seen->partition = record->partition;
	snprintf(seen->key, sizeof(seen->key), "%.*s", (int)record->key.length,
		record->key.data == NULL ? "" : record->key.data);
	if (self->look != NULL)
		self->look(record);
	return true;
}

static void reported(void *context, const struct kafka_report *report)
{
	struct member *self = context;
	note_news(&self->news, report);
}

static struct member *new_member(void)
{
	struct member *made = test_calloc(1, sizeof(*made));
	pthread_mutex_init(&made->news.lock, NULL);
	made->settings = make_settings();
	return made;
}

static void start(struct member *self)
{
	struct error err = {0};
	const struct consumer_callbacks callbacks = {self, assigned, revoked, received, reported};
	self->consumer = consumer_new(&self->settings, &callbacks, &err);
	if (self->consumer == NULL)
		fail_msg("%s", err.text);
}

static void step(struct member *self)
{
	struct error err = {0};
	if (!consumer_poll(self->consumer, 20, 100, &err))
		fail_msg("%s", err.text);
}

static void stop(struct member *self)
{
	struct error err = {0};
	if (self->consumer != NULL && !consumer_close(self->consumer, 10000, &err))
		fail_msg("%s", err.text);
	consumer_free(self->consumer);
	self->consumer = NULL;
	assert_int_equal(self->assigned, 0);
}

static void end_member(struct member *self)
{
	stop(self);
	pthread_mutex_destroy(&self->news.lock);
	test_free(self);
}

/* Forgets what it has seen, for a second life. */
static void restart(struct member *self)
{
	stop(self);
	self->source_count = 0;
	self->revoked = 0;
	self->received = 0;
	start(self);
}

static int set_up(void **state)
{
	(void)state;
	make_topics();
	member = new_member();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end_member(member);
	return 0;
}

static int start_all(void **state)
{
	start_cluster(state);
	char text[256] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(
		conf, "bootstrap.servers", mock_cluster_brokers(cluster), text, sizeof(text));
	rd_kafka_conf_set(conf, "batch.size", "200000", text, sizeof(text));
	feeder = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	return feeder == NULL;
}

static int stop_all(void **state)
{
	rd_kafka_destroy(feeder);
	return stop_cluster(state);
}

static void feed(int32_t partition, const char *key, const char *value, size_t size)
{
	size_t key_size = key == NULL ? 0 : strlen(key);
	rd_kafka_resp_err_t code = rd_kafka_producev(feeder, RD_KAFKA_V_TOPIC(requests),
		RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY((void *)(uintptr_t)key, key_size),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size), RD_KAFKA_V_END);
	assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* `count` records in turns over the 4 partitions, with the keys "0", "1" ... */
static void feed_many(int count)
{
	for (int i = 0; i < count; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		feed(i % 4, key, "value", 5);
	}
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* --- */

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

/* Nothing is lost or repeated where both finish what they have when it is revoked. */
static void a_second_member_takes_its_share(void **state)
{
	(void)state;
	feed_many(400);
	member->store_on_revoke = true;
	start(member);
	UNTIL(member->received == 400, step(member));
	struct member *second = new_member();
	second->store_on_revoke = true;
	start(second);
	UNTIL(member->assigned == 2 && second->assigned == 2, {
		step(member);
		step(second);
	});
	assert_in_range(member->revoked, 4, 8);
	feed_many(400);
	UNTIL(member->received + second->received >= 800, {
		step(member);
		step(second);
	});
	assert_int_equal(member->received + second->received, 800);
	end_member(second);
	UNTIL(member->assigned == 4, step(member));
	feed_many(40);
	UNTIL(member->received >= 840 - 200, step(member));
	assert_int_equal(member->received, 640);
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

static void closing_ends_in_time_while_no_broker_is_there(void **state)
{
	(void)state;
	feed_many(40);
	member->store_on_revoke = true;
	member->settings.kafka.commit_interval_ms = 60000;
	start(member);
	UNTIL(member->received == 40, step(member));
	mock_cluster_set_reachable(cluster, false);
	struct error err = {0};
	int64_t before = clock_monotonic_ns();
	consumer_close(member->consumer, 1000, &err);
	consumer_free(member->consumer);
	member->consumer = NULL;
	assert_in_range(clock_monotonic_ns() - before, 0, 12 * NS_PER_S);
	mock_cluster_set_reachable(cluster, true);
	assert_int_equal(member->assigned, 0);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_with_all_it_has),
		TEST(absent_and_empty_are_told_apart),
		TEST(all_partitions_are_read_from_the_first_record_in_order),
		TEST(a_group_without_offsets_can_start_at_the_end),
		TEST(what_was_stored_is_not_read_again),
		TEST(what_is_stored_is_committed_in_time),
		TEST(closing_revokes_all_and_commits_what_was_stored_meanwhile),
		TEST(a_second_member_takes_its_share),
		TEST(a_source_of_an_earlier_assignment_is_ignored),
		TEST(a_paused_source_delivers_nothing_until_it_is_resumed),
		TEST(all_pause_and_resume_without_loss_or_repeat),
		TEST(no_more_records_than_asked_for_come_from_one_poll),
		TEST(waking_ends_the_sleep),
		TEST(a_missing_topic_is_reported_until_it_is_there),
		TEST(topics_can_be_checked_without_joining),
		TEST(brokers_that_go_and_come_are_reported),
		TEST(a_log_that_lost_what_is_due_is_reported_with_the_gap),
		TEST(a_callback_that_fails_makes_the_poll_fail),
		TEST(a_wrong_property_is_named_as_the_user_wrote_it),
		TEST(closing_ends_in_time_while_no_broker_is_there),
	};
	return cmocka_run_group_tests_name("io/consumer", tests, start_all, stop_all);
}
