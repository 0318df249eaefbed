/*
 * Any thread sends: librdkafka copies the record into a queue of the topic's partition, and its
 * broker threads send batches. Delivery reports wait in librdkafka's queue until producer_poll()
 * calls them out, so that they all come on one thread, delivery's.
 *
 * That thread is not the consumer's: a rebalance waits in there for results to be acknowledged.
 *
 * librdkafka's idempotent producer is finished for good where the brokers do not let it write.
 * Somebody will give it the right, so the polling thread makes a new client every RENEW_AFTER then,
 * and what the former one held is reported as not delivered. The lock makes senders wait while
 * clients are exchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "producer_parts.h"

#define RENEW_AFTER (5 * NS_PER_S)

/* A new client that was not refused for so long is not going to be: it asks for leave to write at
 * once. */
#define TRUSTED_AFTER (3 * NS_PER_S)

/* Whether a client is finished only because it lacks a right, which somebody may give it. */
static bool lacks_right(rd_kafka_t *client)
{
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, NULL, 0);
	return code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
	       code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static enum delivery_status judge(
	struct producer *producer, rd_kafka_t *client, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	const char *text = rd_kafka_err2str(message->err);
	if (lacks_right(client))
		return DELIVERY_TOPIC_ERROR;
	if (rd_kafka_fatal_error(client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return DELIVERY_FATAL;
	if (kafka_link_trouble(&producer->link, message->err, topic, text, true))
		return DELIVERY_TOPIC_ERROR;
	switch (message->err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		return DELIVERY_TOO_LARGE;
	case RD_KAFKA_RESP_ERR__FATAL:
		return DELIVERY_FATAL;
	default:
		return DELIVERY_FAILED;
	}
}

static void reported(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_link *link = opaque;
	struct producer *producer = link->owner;
	producer->reported++;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (producer->reported == 1 && kafka_link_troubled(link)) {
			kafka_link_alive(link);
			kafka_link_fine(link, rd_kafka_topic_name(message->rkt));
		}
		producer->delivered(
			producer->context, message->_private, DELIVERY_ACKNOWLEDGED, NULL);
		return;
	}
	producer->delivered(producer->context, message->_private, judge(producer, client, message),
		rd_kafka_err2str(message->err));
}

/* --- topics --- */

static rd_kafka_topic_t *known_topic(const struct producer *producer, const char *name)
{
	for (size_t i = 0; i < producer->topic_count; i++)
		if (strcmp(producer->topics[i].name, name) == 0)
			return producer->topics[i].handle;
	return NULL;
}

/* Makes the handle of a topic, which has librdkafka look for it at once. NULL and err. The lock is
 * held for writing. */
static rd_kafka_topic_t *add_topic(struct producer *producer, const char *name, struct error *err)
{
	struct topic *topics =
		realloc(producer->topics, (producer->topic_count + 1) * sizeof(*topics));
	if (topics == NULL) {
		error_memory(err);
		return NULL;
	}
	producer->topics = topics;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(producer->client, name, NULL);
	if (handle == NULL) {
		error_set(err, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
		return NULL;
	}
	topics[producer->topic_count++] = (struct topic){rd_kafka_topic_name(handle), handle};
	return handle;
}

/* The handle of a topic, with the lock held so that it stays valid; NULL and err, and the lock is
 * free. */
static rd_kafka_topic_t *lock_topic(struct producer *producer, const char *name, struct error *err)
{
	pthread_rwlock_rdlock(&producer->lock);
	rd_kafka_topic_t *handle = known_topic(producer, name);
	if (handle != NULL)
		return handle;
	pthread_rwlock_unlock(&producer->lock);
	pthread_rwlock_wrlock(&producer->lock);
	handle = known_topic(producer, name);
	if (handle == NULL)
		handle = add_topic(producer, name, err);
	if (handle == NULL)
		pthread_rwlock_unlock(&producer->lock);
	return handle;
}

static void drop_topics(struct producer *producer)
{
	for (size_t i = 0; i < producer->topic_count; i++)
		rd_kafka_topic_destroy(producer->topics[i].handle);
	producer->topic_count = 0;
}

/* --- sending --- */

/* librdkafka's form of the headers; NULL where memory ran out. */
static rd_kafka_headers_t *make_headers(const struct header *headers, size_t count)
{
	rd_kafka_headers_t *made = rd_kafka_headers_new(count);
	for (size_t i = 0; i < count && made != NULL; i++) {
		const struct header *one = &headers[i];
		if (rd_kafka_header_add(made, one->name.data, (ssize_t)one->name.length,
			    one->value.data,
			    (ssize_t)one->value.length) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_headers_destroy(made);
			made = NULL;
		}
	}
	return made;
}

/* What it means that librdkafka did not take a record. */
static enum send_status refused(
	struct producer *producer, rd_kafka_error_t *error, const char *topic, struct error *err)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	enum send_status status = SEND_FULL;
	error_set(err, "%s", rd_kafka_error_string(error));
	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		status = SEND_TOO_LARGE;
	else if (rd_kafka_fatal_error(producer->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
		status = lacks_right(producer->client) ? SEND_FULL : SEND_FATAL;
	else if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		kafka_link_trouble(
			&producer->link, code, topic, rd_kafka_error_string(error), true);
	rd_kafka_error_destroy(error);
	return status;
}

enum send_status producer_send_record(
	struct producer *producer, const struct record *record, void *tag, struct error *err)
{
	rd_kafka_headers_t *made = make_headers(record->headers, record->header_count);
	if (made == NULL) {
		error_memory(err);
		return SEND_FULL;
	}
	rd_kafka_topic_t *handle = lock_topic(producer, record->topic, err);
	if (handle == NULL) {
		rd_kafka_headers_destroy(made);
		return SEND_FULL;
	}
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = handle},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {(void *)record->key.data, record->key.length}},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {(void *)record->value.data, record->value.length}},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = made},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = tag},
	};
	rd_kafka_error_t *error = rd_kafka_produceva(producer->client, parts, array_length(parts));
	enum send_status status = SEND_QUEUED;
	if (error != NULL) {
		rd_kafka_headers_destroy(made);
		status = refused(producer, error, record->topic, err);
	}
	pthread_rwlock_unlock(&producer->lock);
	return status;
}

enum send_status producer_send(struct producer *producer, const char *topic, struct bytes key,
	struct bytes value, const struct header *headers, size_t header_count, void *tag,
	struct error *err)
{
	struct record record = {
		.topic = topic,
		.partition = RD_KAFKA_PARTITION_UA,
		.key = key,
		.value = value,
		.headers = headers,
		.header_count = header_count,
	};
	return producer_send_record(producer, &record, tag, err);
}

void producer_hurry(struct producer *producer)
{
	producer->hurry = true;
}

/* Makes a client. The lock is held for writing, or nobody else knows the producer yet. */
static bool make_client(struct producer *producer, struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(producer->conf);
	producer->client = kafka_client_new(conf, KAFKA_PRODUCER, err);
	producer->born_at = clock_monotonic_ns();
	return producer->client != NULL;
}

bool producer_renew(struct producer *producer, struct error *err)
{
	pthread_rwlock_wrlock(&producer->lock);
	drop_topics(producer);
	producer->former = producer->client;
	bool made = make_client(producer, err);
	if (!made) {
		producer->client = producer->former;
		producer->former = NULL;
	}
	pthread_rwlock_unlock(&producer->lock);
	if (made)
		rd_kafka_purge(
			producer->former, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	return made;
}

bool producer_former_gone(struct producer *producer)
{
	if (producer->former == NULL)
		return true;
	rd_kafka_poll(producer->former, 0);
	if (rd_kafka_outq_len(producer->former) > 0)
		return false;
	rd_kafka_destroy(producer->former);
	producer->former = NULL;
	return true;
}

/* Looks after a client that lacks a right, and the one that took its place. */
static void mind_rights(struct producer *producer)
{
	int64_t age = clock_monotonic_ns() - producer->born_at;
	if (!producer_former_gone(producer))
		return;
	if (lacks_right(producer->client)) {
		producer->refused = true;
		if (age > RENEW_AFTER)
			producer_renew(producer, NULL);
	} else if (producer->refused && age > TRUSTED_AFTER && !kafka_link_down(&producer->link)) {
		producer->refused = false;
		kafka_link_fine(&producer->link, NULL);
	}
}

int producer_poll(struct producer *producer, int timeout_ms)
{
	producer->reported = 0;
	int wait_ms = kafka_link_wait_ms(&producer->link, timeout_ms);
	if (producer->hurry) {
		/* While it flushes, linger.ms counts as over; what comes later lingers again. */
		if (rd_kafka_flush(producer->client, wait_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
			producer->hurry = false;
	} else {
		rd_kafka_poll(producer->client, wait_ms);
	}
	kafka_link_probe(&producer->link, producer->client);
	if (producer->refused || lacks_right(producer->client))
		mind_rights(producer);
	return producer->reported;
}

/* --- life and death --- */

/* Has librdkafka look for a topic: the first record to one that it does not know waits up to a
 * second. */
static bool warm_up(struct producer *producer, const char *topic, struct error *err)
{
	if (topic[0] == '\0')
		return true;
	if (lock_topic(producer, topic, err) == NULL)
		return false;
	pthread_rwlock_unlock(&producer->lock);
	return true;
}

static bool start(struct producer *producer, const struct settings *settings, bool transactional,
	struct error *err)
{
	producer->conf = kafka_conf_new(settings, KAFKA_PRODUCER, &producer->link, err);
	if (producer->conf == NULL ||
		(transactional && !kafka_conf_add_transactions(producer->conf, settings, err)))
		return false;
	rd_kafka_conf_set_dr_msg_cb(producer->conf, reported);
	return make_client(producer, err) && warm_up(producer, settings->kafka.result_topic, err) &&
	       warm_up(producer, settings->kafka.error_topic, err);
}

static struct producer *make(const struct settings *settings, bool transactional,
	delivery_report_fn *delivered, kafka_report_fn *report, void *context, struct error *err)
{
	if (!kafka_library_check(err))
		return NULL;
	struct producer *producer = mem_new(struct producer);
	if (producer == NULL) {
		error_memory(err);
		return NULL;
	}
	producer->delivered = delivered;
	producer->context = context;
	pthread_rwlock_init(&producer->lock, NULL);
	kafka_link_init(&producer->link, "producer", settings, settings->kafka.result_topic,
		producer, report, context);
	if (!start(producer, settings, transactional, err)) {
		producer_free(producer);
		return NULL;
	}
	return producer;
}

struct producer *producer_new(const struct settings *settings, delivery_report_fn *delivered,
	kafka_report_fn *report, void *context, struct error *err)
{
	return make(settings, false, delivered, report, context, err);
}

struct producer *producer_new_transactional(const struct settings *settings,
	delivery_report_fn *delivered, kafka_report_fn *report, void *context, struct error *err)
{
	return make(settings, true, delivered, report, context, err);
}

static void end_client(rd_kafka_t *client)
{
	if (client == NULL)
		return;
	rd_kafka_purge(client,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_destroy(client);
}

void producer_free(struct producer *producer)
{
	if (producer == NULL)
		return;
	producer->link.silent = true;
	drop_topics(producer);
	free(producer->topics);
	end_client(producer->former);
	end_client(producer->client);
	if (producer->conf != NULL)
		rd_kafka_conf_destroy(producer->conf);
	pthread_rwlock_destroy(&producer->lock);
	kafka_link_fini(&producer->link);
	free(producer);
}
