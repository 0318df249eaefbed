/*
 * Any thread sends: librdkafka copies the record into a queue of the topic's partition, and its
 * broker threads send batches. Delivery reports wait in librdkafka's queue until producer_poll()
 * calls them out, so that they all come on one thread, delivery's.
 *
 * That thread is not the consumer's: a rebalance waits in there for results to be acknowledged.
 */
#include "io/producer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka_conf.h"

/* librdkafka's handle of a topic, made once: making one costs more than sending a record. */
struct topic {
	const char *name; /* librdkafka's */
	rd_kafka_topic_t *handle;
};

struct producer {
	struct kafka_link link;
	rd_kafka_t *client;
	delivery_report_fn *delivered;
	void *context;

	pthread_rwlock_t lock; /* guards the topics */
	struct topic *topics;
	size_t topic_count;

	_Atomic(bool) hurry;
	int reported; /* delivery reports handed out in this poll */
};

static enum delivery_status judge(
	struct producer *producer, rd_kafka_t *client, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	const char *text = rd_kafka_err2str(message->err);
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

static rd_kafka_topic_t *find_topic(struct producer *producer, const char *name, struct error *err)
{
	pthread_rwlock_rdlock(&producer->lock);
	rd_kafka_topic_t *handle = known_topic(producer, name);
	pthread_rwlock_unlock(&producer->lock);
	if (handle != NULL)
		return handle;
	pthread_rwlock_wrlock(&producer->lock);
	handle = known_topic(producer, name);
	if (handle == NULL)
		handle = add_topic(producer, name, err);
	pthread_rwlock_unlock(&producer->lock);
	return handle;
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
	else if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__DESTROY)
		status = SEND_FATAL;
	else if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		kafka_link_trouble(
			&producer->link, code, topic, rd_kafka_error_string(error), true);
	rd_kafka_error_destroy(error);
	return status;
}

enum send_status producer_send(struct producer *producer, const char *topic, struct bytes key,
	struct bytes value, const struct header *headers, size_t header_count, void *tag,
	struct error *err)
{
	rd_kafka_topic_t *handle = find_topic(producer, topic, err);
	if (handle == NULL)
		return SEND_FULL;
	rd_kafka_headers_t *made = make_headers(headers, header_count);
	if (made == NULL) {
		error_memory(err);
		return SEND_FULL;
	}
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = handle},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key.data, key.length}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value.data, value.length}},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = made},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = tag},
	};
	rd_kafka_error_t *error = rd_kafka_produceva(producer->client, parts, array_length(parts));
	if (error == NULL)
		return SEND_QUEUED;
	rd_kafka_headers_destroy(made);
	return refused(producer, error, topic, err);
}

void producer_hurry(struct producer *producer)
{
	producer->hurry = true;
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
	return producer->reported;
}

/* --- life and death --- */

static bool start(struct producer *producer, const struct settings *settings, struct error *err)
{
	rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_PRODUCER, &producer->link, err);
	if (conf == NULL)
		return false;
	rd_kafka_conf_set_dr_msg_cb(conf, reported);
	producer->client = kafka_client_new(conf, KAFKA_PRODUCER, err);
	if (producer->client == NULL)
		return false;
	/* The first record to a topic that is not known yet would wait for up to a second. */
	const char *error_topic = settings->kafka.error_topic;
	return find_topic(producer, settings->kafka.result_topic, err) != NULL &&
	       (error_topic[0] == '\0' || find_topic(producer, error_topic, err) != NULL);
}

struct producer *producer_new(const struct settings *settings, delivery_report_fn *delivered,
	kafka_report_fn *report, void *context, struct error *err)
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
	kafka_link_init(&producer->link, "producer", settings->kafka.result_topic, producer, report,
		context);
	if (!start(producer, settings, err)) {
		producer_free(producer);
		return NULL;
	}
	return producer;
}

void producer_free(struct producer *producer)
{
	if (producer == NULL)
		return;
	producer->link.silent = true;
	for (size_t i = 0; i < producer->topic_count; i++)
		rd_kafka_topic_destroy(producer->topics[i].handle);
	free(producer->topics);
	if (producer->client != NULL) {
		rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE |
							 RD_KAFKA_PURGE_F_INFLIGHT |
							 RD_KAFKA_PURGE_F_NON_BLOCKING);
		rd_kafka_destroy(producer->client);
	}
	pthread_rwlock_destroy(&producer->lock);
	kafka_link_fini(&producer->link);
	free(producer);
}
