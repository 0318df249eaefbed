/* What the tests of the consumer share: a member of a group and all that it has said, and a feeder
 * of requests. */
#ifndef CONSUMER_FIXTURE_H
#define CONSUMER_FIXTURE_H

#include "io/consumer.h"

#include "kafka_fixture.h"

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
	bool store_at_once;                        /* each record is done when it comes */
	bool store_on_revoke;                      /* all that was received is done in time */
	bool fail;                                 /* `received` runs out of memory */
	void (*look)(const struct record *record); /* at the next record */
};

static struct member *member;
static rd_kafka_t *feeder;

static inline void *assigned(void *context, const char *topic, int32_t partition)
{
	struct member *self = context;
	assert_in_range(self->source_count, 0, MOST_SOURCES - 1);
	struct source *source = &self->sources[self->source_count++];
	*source = (struct source){.topic = topic, .partition = partition, .next = -1};
	self->assigned++;
	return source;
}

static inline void revoked(void *context, void *const *sources, size_t count, bool lost)
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

static inline bool received(
	void *context, const struct record *record, void *tag, struct error *err)
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
	if (self->store_at_once)
		consumer_store(self->consumer, source, source->next);
	return true;
}

static inline void reported(void *context, const struct kafka_report *report)
{
	struct member *self = context;
	note_news(&self->news, report);
}

static inline struct member *new_member(void)
{
	struct member *made = test_calloc(1, sizeof(*made));
	pthread_mutex_init(&made->news.lock, NULL);
	made->settings = make_settings();
	return made;
}

static inline void start(struct member *self)
{
	struct error err = {0};
	const struct consumer_callbacks callbacks = {self, assigned, revoked, received, reported};
	self->consumer = consumer_new(&self->settings, &callbacks, &err);
	if (self->consumer == NULL)
		fail_msg("%s", err.text);
}

static inline void step(struct member *self)
{
	struct error err = {0};
	if (!consumer_poll(self->consumer, 20, 100, &err))
		fail_msg("%s", err.text);
}

static inline void stop(struct member *self)
{
	struct error err = {0};
	if (self->consumer != NULL && !consumer_close(self->consumer, 10000, &err))
		fail_msg("%s", err.text);
	consumer_free(self->consumer);
	self->consumer = NULL;
	assert_int_equal(self->assigned, 0);
}

static inline void end_member(struct member *self)
{
	stop(self);
	pthread_mutex_destroy(&self->news.lock);
	test_free(self);
}

/* Forgets what it has seen, for a second life. */
static inline void restart(struct member *self)
{
	stop(self);
	self->source_count = 0;
	self->revoked = 0;
	self->received = 0;
	start(self);
}

static inline int set_up(void **state)
{
	(void)state;
	make_topics();
	member = new_member();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	end_member(member);
	return 0;
}

static inline int start_all(void **state)
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

static inline int stop_all(void **state)
{
	rd_kafka_destroy(feeder);
	return stop_cluster(state);
}

static inline void feed(int32_t partition, const char *key, const char *value, size_t size)
{
	size_t key_size = key == NULL ? 0 : strlen(key);
	rd_kafka_resp_err_t code = rd_kafka_producev(feeder, RD_KAFKA_V_TOPIC(requests),
		RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY((void *)(uintptr_t)key, key_size),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size), RD_KAFKA_V_END);
	assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* `count` records in turns over the 4 partitions, with the keys "0", "1" ... */
static inline void feed_many(int count)
{
	for (int i = 0; i < count; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		feed(i % 4, key, "value", 5);
	}
	assert_int_equal(rd_kafka_flush(feeder, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Runs the tests whose names match the pattern given as an argument, or all. */
#define RUN_TESTS(name, tests, argc, argv)                                                         \
	((argc) > 1 ? cmocka_set_test_filter((argv)[1]) : (void)0,                                 \
		cmocka_run_group_tests_name((name), (tests), start_all, stop_all))

#endif
