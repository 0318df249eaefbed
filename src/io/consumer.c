/*
 * One thread, intake's, drives the consumer: librdkafka hands everything to one queue, and only
 * consumer_poll() and consumer_close() serve it, so records, rebalances and errors all come on that
 * thread. The log alone comes on librdkafka's own threads; the link sees to that.
 *
 * The thread sleeps in poll(2) on two eventfds: librdkafka writes to one when its queue becomes
 * non-empty, consumer_wake() to the other. librdkafka writes only on the change from empty to
 * non-empty, so a drain that was cut short by `max_records` is remembered in `more`, and the next
 * poll does not sleep.
 *
 * A rebalance is done inside librdkafka's callback, which waits for us: `revoked` drains, what is
 * stored is committed, and only then are partitions given up. Nothing in here waits for a broker
 * without a limit, since any such wait delays the whole group: commits go through a queue of their
 * own, whose answer is awaited for COMMIT_TIMEOUT_MS.
 *
 * Where to begin is decided here: the group's committed offsets are read at each assignment, and
 * the partitions are assigned at explicit offsets. So it is known which record must come next, and
 * a log that no longer has it is seen (librdkafka goes on at its beginning by itself, and tells
 * nobody but its log).
 */
#include "io/consumer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/kafka_conf.h"

#define COMMIT_TIMEOUT_MS 5000
#define LOOKUP_TIMEOUT_MS 5000
#define LOOKUP_ATTEMPTS   3
#define LONGEST_SLEEP_MS  1000 /* librdkafka wants to see that we are alive */

/* A partition that is assigned to us. */
struct partition {
	const char *topic; /* one of the consumer's topic names */
	int32_t number;
	void *source;
	int64_t start;  /* where it was assigned to begin; librdkafka's logical offset where unknown
			 */
	int64_t next;   /* the offset that the next record has, if none is missing; -1 unknown */
	int64_t done;   /* everything below is done; -1: nothing yet */
	int64_t stored; /* what librdkafka was told of it */
	int64_t committed; /* what the broker has taken; -1 unknown */
};

struct consumer {
	const struct settings *settings;
	struct consumer_callbacks callbacks;
	struct kafka_link link;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	int queue_event; /* librdkafka has something in its queue */
	int wake_event;  /* consumer_wake() was called */
	bool more;       /* the last poll left records in the queue */

	char **topics; /* every topic name that was ever assigned */
	size_t topic_count;
	struct partition *partitions;
	size_t partition_count;
	struct partition *last; /* the last record's partition, and librdkafka's topic of it */
	const rd_kafka_topic_t *last_topic;

	struct header *headers; /* room for a record's */
	size_t header_room;

	bool committing; /* an asynchronous commit is on its way */
	int64_t next_commit_ns;
	_Atomic(bool) joined;
	bool broken; /* it cannot go on; `failure` says why */
	struct error failure;
	bool stuck; /* it did not close in time */
};

static void break_down(struct consumer *consumer, const char *why)
{
	if (consumer->broken)
		return;
	consumer->broken = true;
	error_set(&consumer->failure, "%s", why);
}

/* --- topics and partitions --- */

/* A copy of the name that lives as long as the consumer. NULL when out of memory. */
static const char *intern_topic(struct consumer *consumer, const char *name)
{
	for (size_t i = 0; i < consumer->topic_count; i++)
		if (strcmp(consumer->topics[i], name) == 0)
			return consumer->topics[i];
	char **topics = realloc(consumer->topics, (consumer->topic_count + 1) * sizeof(*topics));
	if (topics == NULL)
		return NULL;
	consumer->topics = topics;
	topics[consumer->topic_count] = strdup(name);
	if (topics[consumer->topic_count] == NULL)
		return NULL;
	return topics[consumer->topic_count++];
}

static struct partition *find_partition(
	struct consumer *consumer, const char *topic, int32_t number)
{
	for (size_t i = 0; i < consumer->partition_count; i++) {
		struct partition *partition = &consumer->partitions[i];
		if (partition->number == number && strcmp(partition->topic, topic) == 0)
			return partition;
	}
	return NULL;
}

static struct partition *find_source(struct consumer *consumer, const void *source)
{
	for (size_t i = 0; i < consumer->partition_count; i++)
		if (consumer->partitions[i].source == source)
			return &consumer->partitions[i];
	return NULL;
}

/* --- committing --- */

static bool uncommitted(const struct consumer *consumer)
{
	for (size_t i = 0; i < consumer->partition_count; i++)
		if (consumer->partitions[i].done > consumer->partitions[i].committed)
			return true;
	return false;
}

/* Tells librdkafka what is done since the last time. What it does not take (not assigned yet) is
 * told again. */
static void store_done(struct consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)consumer->partition_count);
	for (size_t i = 0; i < consumer->partition_count; i++) {
		const struct partition *partition = &consumer->partitions[i];
		if (partition->done > partition->stored)
			rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)
				->offset = partition->done;
	}
	if (list->cnt > 0)
		rd_kafka_offsets_store(consumer->client, list);
	for (int i = 0; i < list->cnt; i++) {
		struct partition *partition =
			find_partition(consumer, list->elems[i].topic, list->elems[i].partition);
		if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			partition->stored = list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
}

static void note_committed(struct consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; list != NULL && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *one = &list->elems[i];
		struct partition *partition = find_partition(consumer, one->topic, one->partition);
		if (partition != NULL && one->err == RD_KAFKA_RESP_ERR_NO_ERROR && one->offset >= 0)
			partition->committed = one->offset;
	}
}

static bool commit_failed(rd_kafka_resp_err_t code)
{
	return code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET;
}

/* The answer to an asynchronous commit. */
static void committed(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	(void)client;
	struct kafka_link *link = opaque;
	struct consumer *consumer = link->owner;
	consumer->committing = false;
	if (!commit_failed(code))
		note_committed(consumer, offsets);
	else if (!kafka_link_trouble(link, code, NULL, rd_kafka_err2str(code), true))
		kafka_link_say(link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"offsets could not be committed and will be again: %s",
			rd_kafka_err2str(code));
}

/* What a commit that somebody waits for has come to. */
struct commit_answer {
	struct consumer *consumer;
	rd_kafka_resp_err_t code;
	bool came;
};

static void commit_answered(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	(void)client;
	struct commit_answer *answer = opaque;
	answer->came = true;
	answer->code = code;
	if (!commit_failed(code))
		note_committed(answer->consumer, offsets);
}

/* Commits `offsets`, or all that is stored where it is NULL, and waits for the answer for a while.
 */
static bool commit_now(struct consumer *consumer, const rd_kafka_topic_partition_list_t *offsets,
	struct error *err)
{
	struct commit_answer answer = {.consumer = consumer};
	rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->client);
	answer.code =
		rd_kafka_commit_queue(consumer->client, offsets, queue, commit_answered, &answer);
	int64_t deadline = clock_monotonic_ns() + COMMIT_TIMEOUT_MS * NS_PER_MS;
	while (!commit_failed(answer.code) && !answer.came) {
		int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
		if (left_ms <= 0)
			answer.code = RD_KAFKA_RESP_ERR__TIMED_OUT;
		else
			rd_kafka_queue_poll_callback(queue, (int)left_ms);
	}
	rd_kafka_queue_destroy(queue);
	if (commit_failed(answer.code))
		return error_set(
			err, "offsets could not be committed: %s", rd_kafka_err2str(answer.code));
	return true;
}

bool consumer_commit(struct consumer *consumer, struct error *err)
{
	store_done(consumer);
	return commit_now(consumer, NULL, err);
}

/* Commits what is done, every kafka.commit_interval_ms, one commit at a time. */
static void commit_in_time(struct consumer *consumer)
{
	int64_t now = clock_monotonic_ns();
	if (consumer->committing || now < consumer->next_commit_ns || !uncommitted(consumer))
		return;
	consumer->next_commit_ns = now + consumer->settings->kafka.commit_interval_ms * NS_PER_MS;
	store_done(consumer);
	consumer->committing =
		rd_kafka_commit(consumer->client, NULL, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void consumer_store(struct consumer *consumer, void *source, int64_t offset)
{
	struct partition *partition = find_source(consumer, source);
	if (partition != NULL && offset > partition->done)
		partition->done = offset;
}

/* --- rebalance --- */

static bool cooperative(struct consumer *consumer)
{
	return strcmp(rd_kafka_rebalance_protocol(consumer->client), "COOPERATIVE") == 0;
}

/* Gives a partition's records up to librdkafka, or takes them. */
static void change_assignment(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *list, bool add)
{
	rd_kafka_error_t *error = NULL;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (!cooperative(consumer))
		code = rd_kafka_assign(consumer->client, add ? list : NULL);
	else if (add)
		error = rd_kafka_incremental_assign(consumer->client, list);
	else
		error = rd_kafka_incremental_unassign(consumer->client, list);
	if (error != NULL) {
		code = rd_kafka_error_code(error);
		rd_kafka_error_destroy(error);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR,
			"partitions could not be %s: %s", add ? "taken" : "given up",
			rd_kafka_err2str(code));
}

/* Reads the committed offsets of the list's partitions into it. False where the group could not be
 * asked. */
static bool look_up_committed(struct consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int attempt = 0; attempt < LOOKUP_ATTEMPTS; attempt++) {
		code = rd_kafka_committed(consumer->client, list, LOOKUP_TIMEOUT_MS);
		for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
			code = list->elems[i].err;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
	}
	kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
		"the group's offsets could not be read, so where there is none it starts at the "
		"earliest "
		"record: %s",
		rd_kafka_err2str(code));
	return false;
}

/* The end of a partition, where kafka.start_from says to begin there. */
static int64_t look_up_end(struct consumer *consumer, const rd_kafka_topic_partition_t *one)
{
	int64_t low = 0;
	int64_t high = 0;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		consumer->client, one->topic, one->partition, &low, &high, LOOKUP_TIMEOUT_MS);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? high : RD_KAFKA_OFFSET_END;
}

/*
 * Sets where each partition begins: at the committed offset; without one, as kafka.start_from says.
 * An end that was looked up is put into `ends`, to be committed: else a restart before the first
 * commit would skip what came between.
 */
static void choose_starts(struct consumer *consumer, rd_kafka_topic_partition_list_t *list,
	rd_kafka_topic_partition_list_t *ends)
{
	if (list->cnt == 0)
		return;
	bool known = look_up_committed(consumer, list);
	for (int i = 0; i < list->cnt; i++) {
		rd_kafka_topic_partition_t *one = &list->elems[i];
		if (!known) {
			one->offset = RD_KAFKA_OFFSET_STORED;
		} else if (one->offset < 0 &&
			   consumer->settings->kafka.start_from == START_FROM_LATEST) {
			one->offset = look_up_end(consumer, one);
			if (one->offset >= 0)
				rd_kafka_topic_partition_list_add(ends, one->topic, one->partition)
					->offset = one->offset;
		} else if (one->offset < 0) {
			one->offset = RD_KAFKA_OFFSET_BEGINNING;
		}
	}
}

/* Makes a source for one partition. */
static void open_partition(
	struct consumer *consumer, const char *name, int32_t number, int64_t start)
{
	const char *topic = intern_topic(consumer, name);
	size_t count = consumer->partition_count;
	struct partition *partitions =
		realloc(consumer->partitions, (count + 1) * sizeof(*partitions));
	if (partitions != NULL)
		consumer->partitions = partitions;
	void *source = NULL;
	if (topic != NULL && partitions != NULL)
		source = consumer->callbacks.assigned(consumer->callbacks.context, topic, number);
	if (source == NULL) {
		break_down(consumer, "out of memory");
		return;
	}
	partitions[count] = (struct partition){
		.topic = topic,
		.number = number,
		.source = source,
		.start = start,
		.next = start >= 0 ? start : -1,
		.done = -1,
		.stored = -1,
		.committed = -1,
	};
	consumer->partition_count++;
}

static void take_partitions(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *assigned)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(assigned);
	rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(0);
	consumer->last = NULL;
	choose_starts(consumer, list, ends);
	change_assignment(consumer, list, true);
	if (list->cnt > 0)
		rd_kafka_resume_partitions(consumer->client, list);
	for (int i = 0; i < list->cnt; i++)
		open_partition(consumer, list->elems[i].topic, list->elems[i].partition,
			list->elems[i].offset);
	struct error err = {0};
	if (ends->cnt > 0 && !commit_now(consumer, ends, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"where the group starts is not written down yet: %s", err.text);
	rd_kafka_topic_partition_list_destroy(ends);
	rd_kafka_topic_partition_list_destroy(list);
	consumer->joined = true;
	kafka_link_fine(&consumer->link, NULL);
}

/* Forgets the partitions whose sources are named. */
static void close_partitions(struct consumer *consumer, void *const *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct partition *partition = find_source(consumer, sources[i]);
		if (partition != NULL)
			*partition = consumer->partitions[--consumer->partition_count];
	}
	consumer->last = NULL;
}

/* Has the sources drained, and commits what is done, unless they are lost. */
static void revoke_sources(struct consumer *consumer, void *const *sources, size_t count, bool lost)
{
	if (count == 0)
		return;
	consumer->callbacks.revoked(consumer->callbacks.context, sources, count, lost);
	struct error err = {0};
	if (!lost && uncommitted(consumer) && !consumer_commit(consumer, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"%s: the next owner of the partitions may repeat requests", err.text);
	close_partitions(consumer, sources, count);
}

static void give_partitions_up(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *list, bool lost)
{
	consumer->joined = cooperative(consumer) && !lost;
	void **sources = mem_new_array(void *, (size_t)list->cnt + 1);
	size_t count = 0;
	for (int i = 0; sources != NULL && i < list->cnt; i++) {
		struct partition *partition =
			find_partition(consumer, list->elems[i].topic, list->elems[i].partition);
		if (partition != NULL)
			sources[count++] = partition->source;
	}
	if (sources == NULL)
		break_down(consumer, "out of memory");
	else
		revoke_sources(consumer, sources, count, lost);
	free(sources);
	change_assignment(consumer, list, false);
}

static void rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct kafka_link *link = opaque;
	struct consumer *consumer = link->owner;
	switch (code) {
	case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
		take_partitions(consumer, partitions);
		break;
	case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
		give_partitions_up(consumer, partitions, rd_kafka_assignment_lost(client) != 0);
		break;
	default:
		kafka_link_say(link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR, "the rebalance failed: %s",
			rd_kafka_err2str(code));
		give_partitions_up(consumer, partitions, true);
	}
}

/* --- records --- */

/*
 * The next record is not the one that was due. Transaction markers and compaction leave gaps too,
 * so the log's beginning decides: where it is beyond the one due, or the record lies before it,
 * librdkafka has started again at the beginning. The log was then cut off and grew anew, or a topic
 * of the same name took its place: the same offsets stand for other records. That makes a new
 * source, and the group's offset is put back.
 */
static struct partition *offset_jumped(
	struct consumer *consumer, struct partition *partition, int64_t offset)
{
	int64_t low = -1;
	int64_t high = -1;
	int64_t due = partition->next;
	rd_kafka_get_watermark_offsets(
		consumer->client, partition->topic, partition->number, &low, &high);
	bool behind = offset < due;
	if (!behind && low <= due)
		return partition;
	int64_t to = behind || low > offset ? offset : low;
	char text[512];
	snprintf(text, sizeof(text),
		"%s [%" PRId32 "]: offset %" PRId64 " is no longer in the log, goes on at %" PRId64,
		partition->topic, partition->number, due, to);
	kafka_link_report(&consumer->link, &(struct kafka_report){
						   .news = KAFKA_NEWS_OFFSET_RESET,
						   .level = LOG_LEVEL_ERROR,
						   .text = text,
						   .topic = partition->topic,
						   .partition = partition->number,
						   .from_offset = due,
						   .to_offset = to,
					   });
	if (!behind)
		return partition;

	const char *topic = partition->topic;
	int32_t number = partition->number;
	void *source = partition->source;
	consumer->callbacks.revoked(consumer->callbacks.context, &source, 1, true);
	close_partitions(consumer, &source, 1);
	open_partition(consumer, topic, number, offset);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, number)->offset = offset;
	struct error err = {0};
	if (!commit_now(consumer, list, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR,
			"%s [%" PRId32 "] was not put back to %" PRId64 ": %s", topic, number,
			offset, err.text);
	rd_kafka_topic_partition_list_destroy(list);
	return find_partition(consumer, topic, number);
}

/* Reads the record's headers into consumer->headers. */
static bool read_headers(
	struct consumer *consumer, const rd_kafka_message_t *message, size_t *ret_count)
{
	rd_kafka_headers_t *headers = NULL;
	*ret_count = 0;
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	size_t count = rd_kafka_header_cnt(headers);
	if (count > consumer->header_room) {
		struct header *room = realloc(consumer->headers, count * sizeof(*room));
		if (room == NULL)
			return false;
		consumer->headers = room;
		consumer->header_room = count;
	}
	const char *name = NULL;
	const void *value = NULL;
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		consumer->headers[i] = (struct header){
			.name = {name, strlen(name)},
			.value = {value, value == NULL ? 0 : size},
		};
		*ret_count = i + 1;
	}
	return true;
}

/* Bytes of a record; librdkafka gives NULL for an absent key or value, and may for nothing else. */
static struct bytes slice(const void *data, size_t length)
{
	return (struct bytes){data, data == NULL ? 0 : length};
}

static void deliver(struct consumer *consumer, const rd_kafka_message_t *message)
{
	struct partition *partition = consumer->last;
	if (partition == NULL || message->rkt != consumer->last_topic ||
		message->partition != partition->number) {
		partition = find_partition(
			consumer, rd_kafka_topic_name(message->rkt), message->partition);
		if (partition == NULL)
			return;
		kafka_link_fine(&consumer->link, partition->topic);
	}
	if (partition->next >= 0 && message->offset != partition->next)
		partition = offset_jumped(consumer, partition, message->offset);
	if (partition == NULL)
		return;
	consumer->last = partition;
	consumer->last_topic = message->rkt;
	partition->next = message->offset + 1;

	struct record record = {
		.topic = partition->topic,
		.partition = partition->number,
		.offset = message->offset,
		.key = slice(message->key, message->key_len),
		.value = slice(message->payload, message->len),
	};
	rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
	record.timestamp_ms = rd_kafka_message_timestamp(message, &type);
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
		record.timestamp_ms = -1;
	struct error err = {0};
	bool fine = read_headers(consumer, message, &record.header_count);
	record.headers = consumer->headers;
	if (!fine)
		error_memory(&err);
	else
		fine = consumer->callbacks.received(
			consumer->callbacks.context, &record, partition->source, &err);
	if (!fine)
		break_down(consumer, err.text);
}

/* An error that came in place of a record. */
static void error_came(struct consumer *consumer, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt == NULL ? NULL : rd_kafka_topic_name(message->rkt);
	const char *text = rd_kafka_message_errstr(message);
	bool in_use = message->partition >= 0;
	if (message->err == RD_KAFKA_RESP_ERR__FATAL ||
		rd_kafka_fatal_error(consumer->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		char why[512] = "";
		rd_kafka_fatal_error(consumer->client, why, sizeof(why));
		kafka_link_say(&consumer->link, KAFKA_NEWS_FATAL, LOG_LEVEL_ERROR,
			"the consumer cannot go on: %s", why);
		break_down(consumer, why);
		return;
	}
	if (kafka_link_trouble(&consumer->link, message->err, topic, text, in_use))
		return;
	kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER,
		message->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED ? LOG_LEVEL_ERROR
								     : LOG_LEVEL_WARN,
		"consumer: %s", text);
}

/* --- polling --- */

static void clear_event(int event)
{
	uint64_t count = 0;
	while (read(event, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void sleep_until_something(struct consumer *consumer, int timeout_ms)
{
	int wait_ms = timeout_ms < LONGEST_SLEEP_MS ? timeout_ms : LONGEST_SLEEP_MS;
	if (uncommitted(consumer) && !consumer->committing) {
		int64_t left_ms = (consumer->next_commit_ns - clock_monotonic_ns()) / NS_PER_MS + 1;
		if (left_ms < wait_ms)
			wait_ms = left_ms < 0 ? 0 : (int)left_ms;
	}
	wait_ms = kafka_link_wait_ms(&consumer->link, wait_ms);
	struct pollfd events[2] = {
		{.fd = consumer->queue_event, .events = POLLIN},
		{.fd = consumer->wake_event, .events = POLLIN},
	};
	if (poll(events, 2, wait_ms) <= 0)
		return;
	if (events[0].revents != 0)
		clear_event(consumer->queue_event);
	if (events[1].revents != 0)
		clear_event(consumer->wake_event);
}

/* Takes one message in and gives it back. */
static void take_message(struct consumer *consumer, rd_kafka_message_t *message)
{
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		error_came(consumer, message);
	else
		deliver(consumer, message);
	rd_kafka_message_destroy(message);
}

bool consumer_poll(struct consumer *consumer, int timeout_ms, size_t max_records, struct error *err)
{
	sleep_until_something(consumer, consumer->more || consumer->broken ? 0 : timeout_ms);
	size_t count = 0;
	consumer->more = false;
	while (!consumer->broken && !consumer->more) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->client, 0);
		if (message == NULL)
			break;
		take_message(consumer, message);
		consumer->more = ++count >= max_records;
	}
	commit_in_time(consumer);
	kafka_link_probe(&consumer->link, consumer->client);
	if (consumer->broken)
		return error_set(err, "%s", consumer->failure.text);
	return true;
}

void consumer_wake(struct consumer *consumer)
{
	uint64_t one = 1;
	while (write(consumer->wake_event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- pausing --- */

static void set_paused(
	struct consumer *consumer, const struct partition *partitions, size_t count, bool paused)
{
	if (count == 0)
		return;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].number);
	if (paused)
		rd_kafka_pause_partitions(consumer->client, list);
	else
		rd_kafka_resume_partitions(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void consumer_pause(struct consumer *consumer, void *source)
{
	struct partition *partition = find_source(consumer, source);
	if (partition != NULL)
		set_paused(consumer, partition, 1, true);
}

void consumer_resume(struct consumer *consumer, void *source)
{
	struct partition *partition = find_source(consumer, source);
	if (partition != NULL)
		set_paused(consumer, partition, 1, false);
}

void consumer_pause_all(struct consumer *consumer)
{
	set_paused(consumer, consumer->partitions, consumer->partition_count, true);
}

void consumer_resume_all(struct consumer *consumer)
{
	set_paused(consumer, consumer->partitions, consumer->partition_count, false);
}

/* --- what is there --- */

bool consumer_joined(const struct consumer *consumer)
{
	return consumer->joined;
}

bool consumer_position(
	struct consumer *consumer, void *source, int64_t *ret_committed, int64_t *ret_end)
{
	const struct partition *partition = find_source(consumer, source);
	if (partition == NULL)
		return false;
	int64_t low = -1;
	int64_t high = -1;
	rd_kafka_get_watermark_offsets(
		consumer->client, partition->topic, partition->number, &low, &high);
	*ret_committed = partition->committed >= 0 ? partition->committed : partition->start;
	if (*ret_committed < 0)
		*ret_committed = -1;
	*ret_end = high >= 0 ? high : -1;
	return true;
}

/* Whether it is worth to ask again at once: the answer may change within a moment. */
static bool passing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
	       code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

bool consumer_check_topics(struct consumer *consumer, const char *const *topics, size_t count,
	int timeout_ms, struct error *err)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
		int64_t left_ms = timeout_ms;
		do {
			bool answered = false;
			code = kafka_topic_ask(
				consumer->client, topics[i], (int)left_ms, &answered);
			if (passing(code))
				poll(NULL, 0, 20);
			left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
		} while (passing(code) && left_ms > 0);
		switch (code) {
		case RD_KAFKA_RESP_ERR_NO_ERROR:
		case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
			break;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
			return error_set(err, "topic %s does not exist", topics[i]);
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
			return error_set(err, "topic %s may not be used: access denied", topics[i]);
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
			return error_set(err, "no broker of %s answered within %d ms",
				consumer->settings->kafka.brokers, timeout_ms);
		default:
			return error_set(err, "topic %s: %s", topics[i], rd_kafka_err2str(code));
		}
	}
	return true;
}

/* --- life and death --- */

static bool subscribe(struct consumer *consumer, struct error *err)
{
	const struct text_list *topics = &consumer->settings->kafka.request_topics;
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)topics->count);
	for (size_t i = 0; i < topics->count; i++)
		rd_kafka_topic_partition_list_add(list, topics->items[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return error_set(err, "kafka.request_topics: %s", rd_kafka_err2str(code));
	return true;
}

static bool start(struct consumer *consumer, struct error *err)
{
	rd_kafka_conf_t *conf =
		kafka_conf_new(consumer->settings, KAFKA_CONSUMER, &consumer->link, err);
	if (conf == NULL)
		return false;
	rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	rd_kafka_conf_set_offset_commit_cb(conf, committed);
	consumer->client = kafka_client_new(conf, KAFKA_CONSUMER, err);
	if (consumer->client == NULL)
		return false;
	rd_kafka_poll_set_consumer(consumer->client);
	consumer->queue_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	consumer->wake_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (consumer->queue_event < 0 || consumer->wake_event < 0)
		return error_system(err, errno, "eventfd");
	static const uint64_t one = 1;
	consumer->queue = rd_kafka_queue_get_consumer(consumer->client);
	rd_kafka_queue_io_event_enable(consumer->queue, consumer->queue_event, &one, sizeof(one));
	return subscribe(consumer, err);
}

struct consumer *consumer_new(const struct settings *settings,
	const struct consumer_callbacks *callbacks, struct error *err)
{
	if (!kafka_library_check(err))
		return NULL;
	struct consumer *consumer = mem_new(struct consumer);
	if (consumer == NULL) {
		error_memory(err);
		return NULL;
	}
	consumer->settings = settings;
	consumer->callbacks = *callbacks;
	consumer->queue_event = -1;
	consumer->wake_event = -1;
	const char *first = settings->kafka.request_topics.count > 0
				    ? settings->kafka.request_topics.items[0]
				    : "";
	kafka_link_init(&consumer->link, "consumer", first, consumer, callbacks->report,
		callbacks->context);
	if (!start(consumer, err)) {
		consumer_free(consumer);
		return NULL;
	}
	return consumer;
}

/* The sources that librdkafka gave up without asking us: they are somebody else's by now. */
static void drop_the_rest(struct consumer *consumer)
{
	size_t count = consumer->partition_count;
	void **sources = mem_new_array(void *, count + 1);
	for (size_t i = 0; sources != NULL && i < count; i++)
		sources[i] = consumer->partitions[i].source;
	if (sources != NULL)
		revoke_sources(consumer, sources, count, true);
	free(sources);
	consumer->joined = false;
}

bool consumer_close(struct consumer *consumer, int timeout_ms, struct error *err)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->client);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->client, queue);
	bool closed = error == NULL;
	if (error != NULL) {
		error_set(
			err, "the consumer could not be closed: %s", rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
	while (closed && !rd_kafka_consumer_closed(consumer->client)) {
		int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
		if (left_ms <= 0) {
			closed = error_set(err, "the consumer did not leave its group within %d ms",
				timeout_ms);
			break;
		}
		rd_kafka_message_t *message =
			rd_kafka_consume_queue(queue, left_ms < 100 ? (int)left_ms : 100);
		if (message != NULL)
			rd_kafka_message_destroy(message);
	}
	drop_the_rest(consumer);
	consumer->stuck = !closed;
	/* A queue that librdkafka still forwards to is left to it. */
	if (closed)
		rd_kafka_queue_destroy(queue);
	return closed;
}

void consumer_free(struct consumer *consumer)
{
	if (consumer == NULL)
		return;
	consumer->link.silent = true;
	if (consumer->queue != NULL) {
		rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(consumer->queue);
	}
	/*
	 * librdkafka waits for something that may never come, and its threads go on using us:
	 * neither it nor this object can be freed. The process is about to end.
	 */
	if (consumer->stuck)
		return;
	if (consumer->client != NULL)
		rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (consumer->queue_event >= 0)
		close(consumer->queue_event);
	if (consumer->wake_event >= 0)
		close(consumer->wake_event);
	for (size_t i = 0; i < consumer->topic_count; i++)
		free(consumer->topics[i]);
	free((void *)consumer->topics);
	free(consumer->partitions);
	free(consumer->headers);
	kafka_link_fini(&consumer->link);
	free(consumer);
}
