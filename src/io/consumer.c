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
 * How partitions come and go is told in consumer_group.c.
 */
#include "io/consumer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "consumer_parts.h"

#define LONGEST_SLEEP_MS 1000 /* librdkafka wants to see that we are alive */

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
	consumer_close_partitions(consumer, &source, 1);
	consumer_open_partition(consumer, topic, number, offset);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, number)->offset = offset;
	struct error err = {0};
	if (!consumer_commit_now(consumer, list, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR,
			"%s [%" PRId32 "] was not put back to %" PRId64 ": %s", topic, number,
			offset, err.text);
	rd_kafka_topic_partition_list_destroy(list);
	return consumer_find(consumer, topic, number);
}

static void deliver(struct consumer *consumer, const rd_kafka_message_t *message)
{
	struct partition *partition = consumer->last;
	if (partition == NULL || message->rkt != consumer->last_topic ||
		message->partition != partition->number) {
		partition = consumer_find(
			consumer, rd_kafka_topic_name(message->rkt), message->partition);
		if (partition == NULL)
			return;
		kafka_link_fine(&consumer->link, partition->topic);
	}
	if (partition->next >= 0 && message->offset != partition->next)
		partition = offset_jumped(consumer, partition, message->offset);
	if (partition == NULL)
		return;
	if (partition->start < 0)
		partition->start = message->offset;
	consumer->last = partition;
	consumer->last_topic = message->rkt;
	partition->next = message->offset + 1;

	struct record record;
	struct error err = {0};
	if (!kafka_record_read(message, partition->topic, &consumer->headers, &record, &err) ||
		!consumer->callbacks.received(
			consumer->callbacks.context, &record, partition->source, &err))
		consumer_break_down(consumer, err.text);
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
		consumer_break_down(consumer, why);
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
	if (consumer_uncommitted(consumer) && !consumer->committing) {
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
	consumer->more = max_records == 0;
	while (!consumer->broken && !consumer->more) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->client, 0);
		if (message == NULL)
			break;
		take_message(consumer, message);
		if (++count >= max_records)
			consumer->more = true;
	}
	consumer_commit_in_time(consumer);
	kafka_link_probe(&consumer->link, consumer->client);
	if (consumer->broken)
		return error_set(err, "%s", consumer->failure.text);
	return true;
}

void consumer_enough(struct consumer *consumer)
{
	consumer->more = true;
}

void consumer_wake(struct consumer *consumer)
{
	uint64_t one = 1;
	while (write(consumer->wake_event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- pausing --- */

void consumer_pause(struct consumer *consumer, void *source)
{
	struct partition *partition = consumer_find_source(consumer, source);
	if (partition != NULL)
		consumer_set_paused(consumer, partition, 1, true);
}

void consumer_resume(struct consumer *consumer, void *source)
{
	struct partition *partition = consumer_find_source(consumer, source);
	if (partition != NULL)
		consumer_set_paused(consumer, partition, 1, false);
}

void consumer_pause_all(struct consumer *consumer)
{
	consumer_set_paused(consumer, consumer->partitions, consumer->partition_count, true);
}

void consumer_resume_all(struct consumer *consumer)
{
	consumer_set_paused(consumer, consumer->partitions, consumer->partition_count, false);
}

/* --- what is there --- */

bool consumer_check_topics(struct consumer *consumer, const char *const *topics, size_t count,
	int timeout_ms, struct error *err)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	for (size_t i = 0; i < count; i++) {
		int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS + 1;
		int32_t partitions = 0;
		if (!kafka_topic_find(&consumer->link, consumer->client, topics[i],
			    left_ms > 0 ? (int)left_ms : 0, &partitions, err))
			return false;
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
	rd_kafka_conf_set_rebalance_cb(conf, consumer_rebalanced);
	rd_kafka_conf_set_offset_commit_cb(conf, consumer_committed);
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
	consumer->left_at = -1;
	const char *first = settings->kafka.request_topics.count > 0
				    ? settings->kafka.request_topics.items[0]
				    : "";
	kafka_link_init(&consumer->link, "consumer", settings, first, consumer, callbacks->report,
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
		consumer_revoke(consumer, sources, count, true);
	free(sources);
	consumer_set_joined(consumer, false);
}

bool consumer_close(struct consumer *consumer, int timeout_ms, struct error *err)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	consumer->closing = true;
	consumer->close_by_ns = deadline;
	consumer->close_queue = rd_kafka_queue_new(consumer->client);
	rd_kafka_error_t *error =
		rd_kafka_consumer_close_queue(consumer->client, consumer->close_queue);
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
		rd_kafka_message_t *message = rd_kafka_consume_queue(
			consumer->close_queue, left_ms < 100 ? (int)left_ms : 100);
		if (message != NULL)
			rd_kafka_message_destroy(message);
	}
	drop_the_rest(consumer);
	consumer->stuck = !closed;
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
	if (consumer->close_queue != NULL)
		rd_kafka_queue_destroy(consumer->close_queue);
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
	kafka_headers_fini(&consumer->headers);
	kafka_link_fini(&consumer->link);
	free(consumer);
}
