#include "io/producer.h"

#include "kafka_fixture.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#define MOST 2000

struct test {
	struct settings settings;
	struct producer *producer;
	struct news news;
	int delivered[DELIVERY_FATAL + 1];
	int reports;
	bool seen[MOST]; /* by tag */
};

static void delivered(void *context, void *tag, enum delivery_status status, const char *text)
{
	struct test *test = context;
	uintptr_t number = (uintptr_t)tag;
	assert_in_range(number, 0, MOST - 1);
	assert_false(test->seen[number]);
	assert_true((text == NULL) == (status == DELIVERY_ACKNOWLEDGED));
	test->seen[number] = true;
	test->delivered[status]++;
	test->reports++;
}

static void reported(void *context, const struct kafka_report *report)
{
	struct test *test = context;
	note_news(&test->news, report);
}

static void start(struct test *test)
{
	struct error err = {0};
	test->producer = producer_new(&test->settings, delivered, reported, test, &err);
	if (test->producer == NULL)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct test *test = test_calloc(1, sizeof(*test));
	pthread_mutex_init(&test->news.lock, NULL);
	make_topics();
	test->settings = make_settings();
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;
	producer_free(test->producer);
	pthread_mutex_destroy(&test->news.lock);
	test_free(test);
	return 0;
}

static enum send_status send_to(struct test *test, const char *topic, const char *key, int tag)
{
	struct error err = {0};
	return producer_send(test->producer, topic, bytes_of_text(key), BYTES("value"), NULL, 0,
		(void *)(uintptr_t)tag, &err);
}

/* A consumer of the test's own that reads all of a topic. */
static rd_kafka_t *make_reader(const struct test *test, const char *topic, int partitions)
{
	char text[256] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(
		conf, "bootstrap.servers", test->settings.kafka.brokers, text, sizeof(text));
	rd_kafka_conf_set(conf, "group.id", "reader", text, sizeof(text));
	rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	assert_non_null(reader);
	rd_kafka_poll_set_consumer(reader);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	for (int i = 0; i < partitions; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(reader, list);
	rd_kafka_topic_partition_list_destroy(list);
	return reader;
}

static rd_kafka_message_t *read_one(rd_kafka_t *reader)
{
	rd_kafka_message_t *message = NULL;
	UNTIL(message != NULL, message = rd_kafka_consumer_poll(reader, 100));
	assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
	return message;
}

static void a_record_arrives_with_key_value_and_headers(void **state)
{
	struct test *test = *state;
	start(test);
	const struct header headers[] = {
		{BYTES("content-type"), BYTES("application/json")},
		{BYTES("empty"), {"", 0}},
		{BYTES("absent"), {NULL, 0}},
	};
	struct error err = {0};
	assert_int_equal(producer_send(test->producer, results, BYTES("k\0y"), BYTES("v\0lue"),
				 headers, 3, (void *)7, &err),
		SEND_QUEUED);
	UNTIL(test->reports == 1, producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], 1);
	assert_true(test->seen[7]);

	rd_kafka_t *reader = make_reader(test, results, 4);
	rd_kafka_message_t *message = read_one(reader);
	assert_int_equal(message->key_len, 3);
	assert_memory_equal(message->key, "k\0y", 3);
	assert_int_equal(message->len, 5);
	assert_memory_equal(message->payload, "v\0lue", 5);
	rd_kafka_headers_t *found = NULL;
	assert_int_equal(rd_kafka_message_headers(message, &found), RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_int_equal(rd_kafka_header_cnt(found), 3);
	const char *name = NULL;
	const void *value = NULL;
	size_t size = 99;
	rd_kafka_header_get_all(found, 0, &name, &value, &size);
	assert_string_equal(name, "content-type");
	assert_int_equal(size, 16);
	rd_kafka_header_get_all(found, 1, &name, &value, &size);
	assert_non_null(value);
	assert_int_equal(size, 0);
	rd_kafka_header_get_all(found, 2, &name, &value, &size);
	assert_null(value);
	rd_kafka_message_destroy(message);
	rd_kafka_destroy(reader);
}

/* Absent and empty are told apart on the way out too. */
static void absent_and_empty_keys_and_values_stay_so(void **state)
{
	struct test *test = *state;
	start(test);
	struct error err = {0};
	const struct bytes absent = {NULL, 0};
	assert_int_equal(
		producer_send(test->producer, results, absent, BYTES(""), NULL, 0, (void *)0, &err),
		SEND_QUEUED);
	UNTIL(test->reports == 1, producer_poll(test->producer, 100));
	assert_int_equal(
		producer_send(test->producer, results, BYTES(""), absent, NULL, 0, (void *)1, &err),
		SEND_QUEUED);
	UNTIL(test->reports == 2, producer_poll(test->producer, 100));

	rd_kafka_t *reader = make_reader(test, results, 4);
	bool absent_key = false;
	bool empty_key = false;
	for (int i = 0; i < 2; i++) {
		rd_kafka_message_t *message = read_one(reader);
		if (message->key == NULL && message->payload != NULL && message->len == 0)
			absent_key = true;
		if (message->key != NULL && message->key_len == 0 && message->payload == NULL)
			empty_key = true;
		rd_kafka_message_destroy(message);
	}
	assert_true(absent_key);
	assert_true(empty_key);
	rd_kafka_destroy(reader);
}

/* The values are those of Java's org.apache.kafka.common.utils.Utils.murmur2, positive, modulo 4.
 */
static void keys_land_where_java_clients_put_them(void **state)
{
	struct test *test = *state;
	start(test);
	static const struct {
		const char *key;
		int32_t hash; /* murmur2 of the key in Java */
	} known[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};
	for (size_t i = 0; i < array_length(known); i++)
		assert_int_equal(send_to(test, results, known[i].key, (int)i), SEND_QUEUED);
	UNTIL(test->reports == (int)array_length(known), producer_poll(test->producer, 100));
	rd_kafka_t *reader = make_reader(test, results, 4);
	for (size_t i = 0; i < array_length(known); i++) {
		rd_kafka_message_t *message = read_one(reader);
		bool matched = false;
		for (size_t j = 0; j < array_length(known); j++) {
			if (strlen(known[j].key) != message->key_len ||
				memcmp(known[j].key, message->key, message->key_len) != 0)
				continue;
			matched = true;
			assert_int_equal(message->partition, (known[j].hash & INT32_MAX) % 4);
		}
		assert_true(matched);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_destroy(reader);
}

static void a_record_as_it_was_read_goes_into_the_partition_it_names(void **state)
{
	struct test *test = *state;
	start(test);
	const struct header header = {BYTES("name"), BYTES("value")};
	struct error err = {0};
	for (int32_t partition = 0; partition < 4; partition++) {
		struct record record = {.topic = results,
			.partition = partition,
			.offset = 99,
			.key = BYTES("the same"),
			.value = BYTES("value"),
			.headers = &header,
			.header_count = 1};
		assert_int_equal(producer_send_record(test->producer, &record,
					 (void *)(uintptr_t)partition, &err),
			SEND_QUEUED);
	}
	UNTIL(test->reports == 4, producer_poll(test->producer, 100));
	rd_kafka_t *reader = make_reader(test, results, 4);
	bool seen[4] = {false};
	for (int i = 0; i < 4; i++) {
		rd_kafka_message_t *message = read_one(reader);
		rd_kafka_headers_t *headers = NULL;
		assert_int_equal(
			rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
		assert_int_equal(rd_kafka_header_cnt(headers), 1);
		assert_int_equal(message->key_len, 8);
		assert_false(seen[message->partition]);
		seen[message->partition] = true;
		rd_kafka_message_destroy(message);
	}
	rd_kafka_destroy(reader);
}

static void a_record_larger_than_the_producer_may_send_is_refused_at_once(void **state)
{
	struct test *test = *state;
	static struct property limit = {(char *)"message.max.bytes", (char *)"2000"};
	test->settings.kafka.producer = (struct property_list){&limit, 1};
	start(test);
	static char large[4000];
	struct error err = {0};
	assert_int_equal(producer_send(test->producer, results, BYTES("k"),
				 (struct bytes){large, sizeof(large)}, NULL, 0, NULL, &err),
		SEND_TOO_LARGE);
	assert_string_not_equal(err.text, "");
}

static void a_record_of_900_kb_with_a_key_as_large_is_taken(void **state)
{
	struct test *test = *state;
	start(test);
	size_t size = 900000;
	char *large = test_malloc(size);
	memset(large, 'x', size);
	struct error err = {0};
	assert_int_equal(producer_send(test->producer, results, (struct bytes){large, size},
				 (struct bytes){large, size}, NULL, 0, NULL, &err),
		SEND_QUEUED);
	UNTIL(test->reports == 1, producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], 1);
	test_free(large);
}

static void a_full_queue_says_so_and_has_room_again_later(void **state)
{
	struct test *test = *state;
	static struct property limit = {(char *)"queue.buffering.max.messages", (char *)"10"};
	test->settings.kafka.producer = (struct property_list){&limit, 1};
	start(test);
	mock_cluster_set_reachable(cluster, false);
	int sent = 0;
	enum send_status status = SEND_QUEUED;
	while (status == SEND_QUEUED && sent < 100) {
		status = send_to(test, results, "k", sent);
		sent += status == SEND_QUEUED ? 1 : 0;
	}
	assert_int_equal(status, SEND_FULL);
	assert_int_equal(sent, 10);
	mock_cluster_set_reachable(cluster, true);
	UNTIL(test->reports == 10, producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], 10);
	assert_int_equal(send_to(test, results, "k", 10), SEND_QUEUED);
}

static void records_wait_while_no_broker_is_there(void **state)
{
	struct test *test = *state;
	start(test);
	assert_int_equal(send_to(test, results, "k", 0), SEND_QUEUED);
	UNTIL(test->reports == 1, producer_poll(test->producer, 100));
	mock_cluster_set_reachable(cluster, false);
	assert_int_equal(send_to(test, results, "k", 1), SEND_QUEUED);
	UNTIL(news_count(&test->news, KAFKA_NEWS_BROKERS_DOWN) == 1,
		producer_poll(test->producer, 100));
	assert_int_equal(test->reports, 1);
	mock_cluster_set_reachable(cluster, true);
	UNTIL(test->reports == 2, producer_poll(test->producer, 100));
	UNTIL(news_count(&test->news, KAFKA_NEWS_BROKERS_UP) == 1,
		producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], 2);
}

static void a_missing_topic_is_reported_until_it_is_there(void **state)
{
	struct test *test = *state;
	mock_cluster_set_missing(cluster, results, true);
	start(test);
	int tag = 0;
	UNTIL(news_count(&test->news, KAFKA_NEWS_TOPIC_MISSING) == 1, {
		tag += send_to(test, results, "k", tag) == SEND_QUEUED ? 1 : 0;
		producer_poll(test->producer, 100);
	});
	UNTIL(test->reports == tag, producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_TOPIC_ERROR], test->reports);
	assert_int_equal(news_count(&test->news, KAFKA_NEWS_TOPIC_MISSING), 1);
	char resource[64];
	snprintf(resource, sizeof(resource), "topic %s", results);
	assert_string_equal(test->news.resource[KAFKA_NEWS_TOPIC_MISSING], resource);

	mock_cluster_set_missing(cluster, results, false);
	UNTIL(news_count(&test->news, KAFKA_NEWS_TOPIC_FINE) == 1,
		producer_poll(test->producer, 100));
	assert_string_equal(test->news.resource[KAFKA_NEWS_TOPIC_FINE], resource);
	UNTIL(send_to(test, results, "k", tag) == SEND_QUEUED, producer_poll(test->producer, 10));
	UNTIL(test->seen[tag], producer_poll(test->producer, 100));
	assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], 1);
}

static void hurrying_ends_a_long_linger(void **state)
{
	struct test *test = *state;
	static struct property linger = {(char *)"linger.ms", (char *)"60000"};
	test->settings.kafka.producer = (struct property_list){&linger, 1};
	start(test);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_to(test, results, "k", i), SEND_QUEUED);
	producer_hurry(test->producer);
	UNTIL(test->reports == 20, producer_poll(test->producer, 100));
}

static void records_of_one_partition_are_acknowledged_in_order(void **state)
{
	struct test *test = *state;
	start(test);
	for (int i = 0; i < MOST; i++)
		UNTIL(send_to(test, results, "one key", i) == SEND_QUEUED,
			producer_poll(test->producer, 1));
	for (int i = 0; i < MOST; i++) {
		UNTIL(test->seen[i], producer_poll(test->producer, 100));
		assert_int_equal(test->delivered[DELIVERY_ACKNOWLEDGED], test->reports);
	}
	assert_int_equal(test->reports, MOST);
}

static void freeing_drops_what_is_queued(void **state)
{
	struct test *test = *state;
	start(test);
	mock_cluster_set_reachable(cluster, false);
	for (int i = 0; i < 100; i++)
		assert_int_equal(send_to(test, results, "k", i), SEND_QUEUED);
	int64_t before = clock_monotonic_ns();
	producer_free(test->producer);
	test->producer = NULL;
	assert_int_equal(test->reports, 0);
	assert_in_range(clock_monotonic_ns() - before, 0, DEADLINE); /* it waits for no broker */
}

static void a_wrong_property_is_named_as_the_user_wrote_it(void **state)
{
	struct test *test = *state;
	static struct property wrong = {(char *)"compresion.type", (char *)"lz4"};
	static const char text[] = "kafka.producer.compresion_type: no such configuration property";
	test->settings.kafka.producer = (struct property_list){&wrong, 1};
	struct error err = {0};
	assert_null(producer_new(&test->settings, delivered, reported, test, &err));
	assert_string_equal(err.text, text);
	assert_false(kafka_settings_check(&test->settings, &err));
	assert_string_equal(err.text, text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_record_arrives_with_key_value_and_headers),
		TEST(absent_and_empty_keys_and_values_stay_so),
		TEST(keys_land_where_java_clients_put_them),
		TEST(a_record_as_it_was_read_goes_into_the_partition_it_names),
		TEST(a_record_larger_than_the_producer_may_send_is_refused_at_once),
		TEST(a_record_of_900_kb_with_a_key_as_large_is_taken),
		TEST(a_full_queue_says_so_and_has_room_again_later),
		TEST(records_wait_while_no_broker_is_there),
		TEST(a_missing_topic_is_reported_until_it_is_there),
		TEST(hurrying_ends_a_long_linger),
		TEST(records_of_one_partition_are_acknowledged_in_order),
		TEST(freeing_drops_what_is_queued),
		TEST(a_wrong_property_is_named_as_the_user_wrote_it),
	};
	return cmocka_run_group_tests_name("io/producer", tests, start_cluster, stop_cluster);
}
