/*
 * The positions: how far each assigned partition is, as a picture that any thread may look at.
 *
 * Intake's thread, which alone may use the consumer, takes it several times a second. What the
 * consumer cannot see while it fetches nothing, the bounds of the logs, a thread of its own asks
 * the brokers for: they answer on the connection that records come on, behind a request for more
 * that may wait for half a second.
 */
#ifndef APP_POSITIONS_H
#define APP_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/flow.h"
#include "io/consumer.h"
#include "partition.h"
#include "worker.h"

struct position {
	const void *source; /* its assignment; only compared, it may be gone */
	const char *topic;  /* lives as long as the consumer */
	int32_t partition;
	int64_t committed; /* where it began, until something is; -1: unknown */
	int64_t beginning; /* of the log; -1: unknown */
	int64_t end;       /* of the log; -1: unknown */
	uint64_t uncommitted;
	int64_t oldest;    /* the lowest offset whose result is not acknowledged; -1: none */
	int64_t oldest_ms; /* its timestamp */
};

/* How many of its records are not committed yet; -1 where that is unknown. */
int64_t position_lag(const struct position *position);

/* The oldest event of all, by its timestamp, and who has it. */
struct oldest_event {
	struct position position; /* of its partition; `oldest` is its offset; -1: there is none */
	enum {
		OLDEST_PASSES,      /* it came up a moment ago: nobody asked yet */
		OLDEST_IN_FLOW,     /* a worker has it, and `flow` says what it waits for */
		OLDEST_IN_DELIVERY, /* its result was published and is not acknowledged */
	} place;
	struct flow_oldest flow;
};

struct positions;

struct positions *positions_new(struct error *err);

/* Starts its thread. The consumer must outlive it. */
bool positions_start(struct positions *positions, struct consumer *consumer, struct error *err);

/* Has the brokers asked for bounds soon, though nothing is unknown. For any thread. */
void positions_ask(struct positions *positions);

/* No broker is asked from now on. Returns at once. For any thread. */
void positions_stop(struct positions *positions);

/* Stops the thread, and waits for it. NULL is fine. */
void positions_free(struct positions *positions);

/* What the picture is taken of. */
struct positions_scene {
	struct consumer *consumer;
	struct partition *partitions; /* linked by `next` */
	struct worker *const *workers;
	size_t worker_count;
	bool held_up; /* nothing is fetched for now: there is no room */
};

/* Takes the picture where the last one is old, or where `now_please`. For intake's thread. */
void positions_take(
	struct positions *positions, const struct positions_scene *scene, bool now_please);

/*
 * A copy of the picture: `ret_list`, which the caller frees, and its length. NULL and 0 where
 * nothing is assigned or memory is out. For any thread.
 */
size_t positions_copy(
	struct positions *positions, struct position **ret_list, struct oldest_event *ret_oldest);

#endif
