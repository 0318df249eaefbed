/*
 * A worker: one thread with a flow and an HTTP client of its own.
 *
 * It is the loop between the two: what the flow wants sent it sends, what comes back it returns,
 * and what has an outcome it hands to delivery. All workers share the gate.
 */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api_durations.h"
#include "base/error.h"
#include "core/flow.h"
#include "delivery.h"
#include "io/http_client.h"
#include "io/settings.h"

struct worker_options {
	unsigned number; /* from 0: also the flow's number at the gate */
	const struct settings *settings;
	struct gate *gate;
	struct http_share *share;
	struct delivery *delivery;

	/* Called on the worker's thread when it cannot go on. */
	void (*fatal)(void *context, const char *text);
	void *context;
};

/* What others may know of it, as of its last round. */
struct worker_news {
	struct flow_counters counters;
	size_t retrying; /* look-ups that failed and are tried again */
};

struct worker;

/* Makes it; worker_start() sets it going. */
struct worker *worker_new(const struct worker_options *options, struct error *err);
bool worker_start(struct worker *worker, struct error *err);

/* Stops its thread and frees it with the events it holds. NULL is fine. */
void worker_free(struct worker *worker);

/* Hands it a list of events, linked by `next`. For intake's thread. */
void worker_give(struct worker *worker, struct event *first, struct event *last);

/*
 * Calls function(flow, argument) on the worker's thread, after it has taken all events given
 * before, and returns when that is done. For intake's thread.
 */
void worker_call(
	struct worker *worker, void (*function)(struct flow *flow, void *argument), void *argument);

/* The gate has news for its flow. For any thread. */
void worker_wake(struct worker *worker);

/* The key for requests from now on. For any thread. The bytes are copied. */
void worker_set_key(struct worker *worker, struct bytes key);

/* Puts retry options and time-outs in force. For any thread. The values are copied. */
void worker_set_options(struct worker *worker, const struct settings *settings);

/* Whether its loop goes round, which this call makes it do. For the supervisor. */
bool worker_alive(struct worker *worker, int64_t now);

/* For any thread. */
void worker_news(struct worker *worker, struct worker_news *ret_news);

/* How long its requests took. For any thread; lives as long as the worker. */
const struct api_durations *worker_durations(const struct worker *worker);

#endif
