#include "io/topic_reader.h"

#include "consumer_fixture.h"

#include <stdlib.h>

static struct settings settings;
static struct news news;
static struct topic_reader *reader;

static void note(void *context, const struct kafka_report *report)
{
	note_news(context, report);
}

static int open_reader(void **state)
{
	(void)state;
	struct error err = {0};
	make_topics();
	settings = make_settings();
	news = (struct news){0};
	pthread_mutex_init(&news.lock, NULL);
	reader = topic_reader_new(&settings, note, &news, &err);
	if (reader == NULL)
		fail_msg("%s", err.text);
	return 0;
}

static int close_reader(void **state)
{
	(void)state;
	topic_reader_free(reader);
	topic_reader_free(NULL);
	pthread_mutex_destroy(&news.lock);
	return 0;
}

/* Reads the ranges to their end and writes "PARTITION:OFFSET=KEY" of each record, partition by
 * partition. */
static void read_all(const struct record_range *ranges, size_t count, struct buffer *ret_text)
{
	struct error err = {0};
	if (!topic_reader_begin(reader, ranges, count, 10000, &err))
		fail_msg("%s", err.text);
	struct buffer texts[4] = {{0}};
	struct record record;
	enum topic_read read = TOPIC_READ_NOTHING;
	UNTIL(read == TOPIC_READ_END, {
		read = topic_reader_next(reader, 100, &record, &err);
		if (read == TOPIC_READ_FAILED)
			fail_msg("%s", err.text);
		if (read == TOPIC_READ_RECORD)
			buffer_append_format(&texts[record.partition],
				"%" PRId32 ":%" PRId64 "=%.*s ", record.partition, record.offset,
				(int)record.key.length, record.key.data);
	});
	for (size_t i = 0; i < array_length(texts); i++) {
		buffer_append_text(ret_text, buffer_text(&texts[i]));
		buffer_fini(&texts[i]);
	}
}

static void assert_reads(const struct record_range *ranges, size_t count, const char *wanted)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	read_all(ranges, count, &text);
	assert_string_equal(buffer_text(&text), wanted);
	int64_t done = -1;
	int64_t total = -1;
	topic_reader_progress(reader, &done, &total);
	assert_int_equal(done, total);
}

static void reads_a_whole_topic_up_to_its_end(void **state)
{
	(void)state;
	feed_many(10);
	struct error err = {0};
	CLEANUP(free_pointer) struct record_range *ranges = NULL;
	size_t count = 0;
	assert_true(topic_reader_ranges_since(
		reader, requests, INT64_MIN, 10000, &ranges, &count, &err));
	assert_int_equal(count, 4);
	assert_reads(ranges, count, "0:0=0 0:1=4 0:2=8 1:0=1 1:1=5 1:2=9 2:0=2 2:1=6 3:0=3 3:1=7 ");
	/* It can be asked again, and sees what has come since. */
	feed(3, "new", "value", 5);
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_reads(&ranges[3], 1, "3:0=3 3:1=7 3:2=new ");
}

static void what_comes_after_it_began_is_not_read(void **state)
{
	(void)state;
	feed(0, "before", "value", 5);
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
	struct record_range range = {requests, 0, 0, INT64_MAX};
	struct error err = {0};
	struct record record;
	assert_true(topic_reader_begin(reader, &range, 1, 10000, &err));
	feed(0, "after", "value", 5);
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
	int records = 0;
	enum topic_read read = TOPIC_READ_NOTHING;
	UNTIL(read == TOPIC_READ_END, {
		read = topic_reader_next(reader, 100, &record, &err);
		records += read == TOPIC_READ_RECORD;
	});
	assert_int_equal(records, 1);
}

static void reads_ranges_and_nothing_between_them(void **state)
{
	(void)state;
	feed_many(400); /* 100 each */
	const struct record_range ranges[] = {
		{requests, 0, 3, 5},
		{requests, 0, 50, 51},
		{requests, 0, 98, 100},
		{requests, 2, 99, 100},
		{requests, 3, 0, 1},
		{requests, 3, 70, 72},
	};
	assert_reads(ranges, array_length(ranges),
		"0:3=12 0:4=16 0:50=200 0:98=392 0:99=396 2:99=398 3:0=3 3:70=283 3:71=287 ");
}

static void many_ranges_of_one_partition_are_read_in_order(void **state)
{
	(void)state;
	feed_many(400);
	struct record_range ranges[33];
	CLEANUP(buffer_fini) struct buffer wanted = {0};
	for (int i = 0; i < 33; i++) {
		ranges[i] = (struct record_range){requests, 1, 3 * i, 3 * i + 1};
		buffer_append_format(&wanted, "1:%d=%d ", 3 * i, 12 * i + 1);
	}
	assert_reads(ranges, array_length(ranges), buffer_text(&wanted));
}

static void what_lies_beyond_the_log_is_left_out(void **state)
{
	(void)state;
	feed_many(8); /* 2 each */
	const struct record_range ranges[] = {
		{requests, 0, 1, 900},
		{requests, 1, 2, INT64_MAX},
		{requests, 2, 500, 600},
	};
	assert_reads(ranges, array_length(ranges), "0:1=4 ");
	assert_reads(NULL, 0, "");
}

static void records_come_with_all_they_have(void **state)
{
	(void)state;
	rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
	rd_kafka_header_add(headers, "a", -1, "1", 1);
	rd_kafka_header_add(headers, "empty", -1, NULL, 0);
	assert_int_equal(
		rd_kafka_producev(feeder, RD_KAFKA_V_TOPIC(requests), RD_KAFKA_V_PARTITION(2),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("k", 1),
			RD_KAFKA_V_VALUE("v\0v", 3), RD_KAFKA_V_TIMESTAMP(1795489200000),
			RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
	struct record_range range = {requests, 2, 0, INT64_MAX};
	struct error err = {0};
	struct record record;
	assert_true(topic_reader_begin(reader, &range, 1, 10000, &err));
	enum topic_read read = TOPIC_READ_NOTHING;
	UNTIL(read == TOPIC_READ_RECORD, read = topic_reader_next(reader, 100, &record, &err));
	assert_string_equal(record.topic, requests);
	assert_int_equal(record.partition, 2);
	assert_int_equal(record.offset, 0);
	assert_int_equal(record.timestamp_ms, 1795489200000);
	assert_true(bytes_equal(record.key, BYTES("k")));
	assert_true(bytes_equal(record.value, BYTES("v\0v")));
	assert_int_equal(record.header_count, 2);
	assert_true(bytes_equal(record_header(&record, BYTES("a")), BYTES("1")));
	assert_null(record.headers[1].value.data);
}

static void it_is_in_no_group(void **state)
{
	(void)state;
	feed_many(4);
	start(member);
	UNTIL(member->received == 4, step(member));
	int revoked_before = member->revoked;
	struct record_range range = {requests, 0, 0, INT64_MAX};
	assert_reads(&range, 1, "0:0=0 ");
	feed_many(4);
	UNTIL(member->received == 8, step(member));
	assert_int_equal(member->revoked, revoked_before);
	assert_int_equal(member->assigned, 4);
}

static void a_topic_that_is_not_there_is_named(void **state)
{
	(void)state;
	struct error err = {0};
	struct record_range *ranges = NULL;
	size_t count = 7;
	mock_cluster_set_missing(cluster, requests, true);
	assert_false(topic_reader_ranges_since(
		reader, requests, INT64_MIN, 10000, &ranges, &count, &err));
	char text[64];
	snprintf(text, sizeof(text), "topic %s does not exist", requests);
	assert_string_equal(err.text, text);
	assert_null(ranges);
	assert_int_equal(count, 7);
}

static void brokers_that_are_gone_are_told_in_time(void **state)
{
	(void)state;
	struct error err = {0};
	struct record_range *ranges = NULL;
	size_t count = 0;
	mock_cluster_set_reachable(cluster, false);
	assert_false(
		topic_reader_ranges_since(reader, requests, INT64_MIN, 100, &ranges, &count, &err));
	mock_cluster_set_reachable(cluster, true);
	char text[128];
	snprintf(
		text, sizeof(text), "no broker of %s can be used: ", mock_cluster_brokers(cluster));
	assert_memory_equal(err.text, text, strlen(text));
}

static int open_both(void **state)
{
	open_reader(state);
	member = new_member();
	return 0;
}

static int close_both(void **state)
{
	end_member(member);
	return close_reader(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_reader, close_reader)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_a_whole_topic_up_to_its_end),
		TEST(what_comes_after_it_began_is_not_read),
		TEST(reads_ranges_and_nothing_between_them),
		TEST(many_ranges_of_one_partition_are_read_in_order),
		TEST(what_lies_beyond_the_log_is_left_out),
		TEST(records_come_with_all_they_have),
		cmocka_unit_test_setup_teardown(it_is_in_no_group, open_both, close_both),
		TEST(a_topic_that_is_not_there_is_named),
		TEST(brokers_that_are_gone_are_told_in_time),
	};
	return RUN_TESTS("topic_reader", tests, argc, argv);
}
