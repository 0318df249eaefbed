/*
 * Delivery: publishes results, and ends each event when the broker has acknowledged its result.
 *
 * Workers hand it events with an outcome, in the order in which a lane's results must come out; its
 * own thread serves the delivery reports. A result that the broker refuses is tried again: smaller
 * where it was too large, later where the topic cannot be used. Nothing is marked done before it is
 * acknowledged.
 */
#ifndef APP_DELIVERY_H
#define APP_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"
#include "base/log.h"
#include "budget.h"
#include "core/event.h"
#include "core/result.h"
#include "io/kafka.h"
#include "io/settings.h"
#include "last_errors.h"

/* What delivery counts, in numbers that only grow. Read from any thread. */
struct delivery_counters {
	_Atomic(uint64_t) found;
	_Atomic(uint64_t) errors[REASON_COUNT];
	_Atomic(uint64_t) failures;
	_Atomic(uint64_t) headers_dropped;
	struct histogram durations; /* from consumed to acknowledged; see event_duration_scale */
};

extern const struct histogram_scale event_duration_scale;

struct delivery_options {
	const struct settings *settings;
	struct log *log;
	struct budget *budget;

	/* Called on delivery's thread. */
	void (*ended)(void *context);                   /* an event ended: there is room again */
	void (*fatal)(void *context, const char *text); /* the producer is finished */
	kafka_report_fn *report;                        /* on any thread */

	/* For exactly-once, on delivery's thread, until delivery_stop(): who we are in the consumer
	 * group (NULL: no member), and what is committed; see io/consumer.h. */
	struct kafka_member *(*member)(void *context);
	bool (*ask_committed)(void *context, struct kafka_offset *offsets, size_t count,
		int timeout_ms, struct error *err);
	void *context;
};

struct delivery;

/* Starts its thread. `options` are copied, what they point to must outlive it. */
struct delivery *delivery_new(const struct delivery_options *options, struct error *err);

/* Stops the thread: nothing is called any more. NULL is fine. */
void delivery_stop(struct delivery *delivery);

/* Stops it, and drops what is not acknowledged. NULL is fine. */
void delivery_free(struct delivery *delivery);

/* How results are encoded; each worker makes an encoder of its own with it. */
const struct result_options *delivery_result_options(const struct delivery *delivery);

enum delivery_answer {
	DELIVERY_TAKEN, /* the event is delivery's now */
	DELIVERY_LATER, /* no room, or the topic cannot be used: the caller keeps it and tries again
			   soon */
};

/* Publishes the result of an event whose outcome is set. For any thread, with an encoder of its
 * own. */
enum delivery_answer delivery_publish(
	struct delivery *delivery, struct result_encoder *encoder, struct event *event);

/* Ends an event without a result: it was dropped, and will be read again. For any thread. */
void delivery_drop(struct delivery *delivery, struct event *event);

/* Sends what waits to be sent together with more, now. For any thread. */
void delivery_hurry(struct delivery *delivery);

/* Why results cannot be published at present; false where they can. Copies the text. For any
 * thread. */
bool delivery_blocked(struct delivery *delivery, struct error *ret_reason);

/* Whether its loop goes round. For the supervisor. */
bool delivery_alive(struct delivery *delivery, int64_t now);

const struct delivery_counters *delivery_counters(const struct delivery *delivery);

/* Which requests ended in an error event lately. */
struct last_errors *delivery_last_errors(struct delivery *delivery);

#endif
