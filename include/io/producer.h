/*
 * The producer: publishes result records, idempotent and acknowledged by all replicas.
 *
 * Any thread may send; one thread, delivery's, polls. Records of one partition are acknowledged in
 * the order in which they were sent. Nothing expires: while no broker is there, records wait.
 */
#ifndef IO_PRODUCER_H
#define IO_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/event.h"
#include "io/kafka.h"
#include "io/settings.h"

/* What became of a record. */
enum delivery_status {
	DELIVERY_ACKNOWLEDGED, /* it is in the log of all in-sync replicas */
	DELIVERY_TOO_LARGE,    /* the topic does not take a record of this size */
	DELIVERY_TOPIC_ERROR, /* the topic is missing or may not be written: worth another try later
			       */
	DELIVERY_FAILED,      /* anything else that is worth another try */
	DELIVERY_FATAL, /* the producer is finished; what it was sent may or may not have arrived */
};

/* The fate of one record, on the polling thread. `text` is a sentence for people, NULL when
 * acknowledged. */
typedef void delivery_report_fn(
	void *context, void *tag, enum delivery_status status, const char *text);

/* What became of an attempt to send. */
enum send_status {
	SEND_QUEUED,    /* a delivery report will come */
	SEND_FULL,      /* no room now: try again later */
	SEND_TOO_LARGE, /* larger than the producer may send */
	SEND_FATAL,     /* the producer is finished */
};

struct producer;

/* `settings` must outlive it. NULL and err where a setting or a property is not to librdkafka's
 * liking. */
struct producer *producer_new(const struct settings *settings, delivery_report_fn *delivered,
	kafka_report_fn *report, void *context, struct error *err);

/* The same for transactions, which all its records must be part of; see below. */
struct producer *producer_new_transactional(const struct settings *settings,
	delivery_report_fn *delivered, kafka_report_fn *report, void *context, struct error *err);

/* Drops what is still queued, without reports. NULL is fine. */
void producer_free(struct producer *producer);

/*
 * Queues a record; key, value and headers are copied. `tag` comes back with its delivery report,
 * exactly one for every SEND_QUEUED. err is set for all but SEND_QUEUED. For any thread.
 */
enum send_status producer_send(struct producer *producer, const char *topic, struct bytes key,
	struct bytes value, const struct header *headers, size_t header_count, void *tag,
	struct error *err);

/* The same for a record as it was read, into the partition that it names. */
enum send_status producer_send_record(
	struct producer *producer, const struct record *record, void *tag, struct error *err);

/* Waits at most timeout_ms for delivery reports and hands out those there are; returns how many. */
int producer_poll(struct producer *producer, int timeout_ms);

/* Sends what waits for linger.ms, now. For any thread. */
void producer_hurry(struct producer *producer);

/* What a step of a transaction has come to. */
enum step_status {
	STEP_FINE,
	STEP_AGAIN, /* it has not happened yet: take the same step again */
	STEP_ABORT, /* the transaction cannot be committed: producer_abort() must follow */
	STEP_FATAL, /* this client is finished, and whether the transaction was committed is not
		       known: producer_start_anew() */
};

/*
 * Transactions, with kafka.delivery exactly_once; all on the polling thread, one after another:
 *
 *	producer_ready_transactions()                         once, and after producer_start_anew()
 *	producer_begin(), producer_send() ..., producer_add_offsets(), producer_commit()
 *	                                       or producer_abort(), where a step says so
 *
 * Each waits at most timeout_ms, and hands out delivery reports meanwhile. A report of a record
 *says that it is in the log, not that readers of committed data see it: that producer_commit()
 *says. err is set for all but STEP_FINE.
 */
enum step_status producer_ready_transactions(
	struct producer *producer, int timeout_ms, struct error *err);
enum step_status producer_begin(struct producer *producer, struct error *err);

/* Makes the offsets of a member's group a part of the transaction. */
enum step_status producer_add_offsets(struct producer *producer, const struct kafka_offset *offsets,
	size_t count, const struct kafka_member *member, int timeout_ms, struct error *err);

/* Commits the records sent since producer_begin(), and the offsets, all or nothing. */
enum step_status producer_commit(struct producer *producer, int timeout_ms, struct error *err);
enum step_status producer_abort(struct producer *producer, int timeout_ms, struct error *err);

/*
 * Puts a new client in the place of one that is finished, with the same transactional id: the
 * broker then ends what the former left open, one way or the other.
 */
bool producer_start_anew(struct producer *producer, struct error *err);

#endif
