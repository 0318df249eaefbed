/*
 * Delivery's inside: what delivery.c (at least once) and transactions.c (exactly once) share.
 */
#ifndef APP_DELIVERY_STATE_H
#define APP_DELIVERY_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "core/result.h"
#include "delivery.h"
#include "io/producer.h"
#include "pulse.h"
#include "transactions.h"

/*
 * Threads meet here at three places: workers send through the producer, which is safe; the list
 * `again` belongs to the delivery thread alone, on which all reports come; `blocked` and its reason
 * are read by workers and the supervisor under `lock`.
 *
 * While blocked, workers keep what they have, so that results that come later do not overtake those
 * in `again`.
 */
struct delivery {
	struct delivery_options options;
	struct producer *producer;
	struct result_options result_options;
	struct bytes *forward;
	struct result_encoder *encoder; /* of the delivery thread */
	struct delivery_counters counters;
	struct last_errors last_errors;
	struct transactions *transactions; /* NULL: at least once */
	_Atomic(bool) hurry;               /* its next transaction is to come at once */

	struct pulse pulse;
	pthread_t thread;
	bool started;
	_Atomic(bool) stop;

	struct event *again; /* refused results, to be sent again, in the order of their reports */
	int64_t again_at;
	size_t again_pending; /* of those sent again, how many have no report yet */

	pthread_mutex_t lock;
	_Atomic(bool) blocked;
	struct error reason;
};

/* Encodes and sends, smaller and smaller where it must be. For any thread, with an encoder of its
 * own. */
enum send_status delivery_send(struct delivery *delivery, struct result_encoder *encoder,
	struct event *event, struct error *err);

/*
 * The result is larger than its topic takes: the next time without what it forwards, then as an
 * error event without key. False where that was it already.
 */
bool delivery_shrink(struct event *event);

/* The event's result is where it belongs. */
void delivery_count(struct delivery *delivery, const struct event *event);

/* Frees an event and gives its room back. */
void delivery_end(struct delivery *delivery, struct event *event);

/* Results cannot be published for now: workers keep theirs, and readiness says why. */
void delivery_block(struct delivery *delivery, const char *topic, const char *text);

#endif
