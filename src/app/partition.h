/*
 * An assigned partition: what one assignment of a partition holds, from being assigned to the last
 * of its events.
 *
 * It is the `source` of the consumer and of events. Intake owns it until the partition is revoked;
 * each event of it that is still held anywhere keeps it alive. A partition that comes back after a
 * rebalance is a new one, so that a delivery report from before it is refused.
 */
#ifndef APP_PARTITION_H
#define APP_PARTITION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "core/offset_tracker.h"

struct partition {
	const char *topic;
	int32_t number;

	pthread_mutex_t lock; /* of the tracker: intake opens, delivery marks done */
	struct offset_tracker *tracker;

	_Atomic(size_t) references; /* intake's own, and one for each event that is held */
	_Atomic(bool) revoked;      /* delivery reports are refused from now on */

	/* Of transactions.c, under its lock: results that are ready, in the order of their
	 * requests, the sequence that goes into a transaction next, and its place among the
	 * partitions that have such results. */
	struct event *pending;
	uint64_t next_sequence;
	struct partition *waiting_next, *waiting_prev;

	/* Intake's. */
	size_t topic_number; /* which of kafka.request_topics it is of */
	bool paused;
	int64_t stored; /* the watermark that the consumer was told last */
	struct partition *next, *prev;
};

/* `topic` must outlive it. NULL and err when out of memory. */
struct partition *partition_new(const char *topic, int32_t number, struct error *err);

/* Gives a reference back; the last one frees it. For any thread. NULL is fine. */
void partition_release(struct partition *partition);

/*
 * Opens the offset of an event, which is of this partition from now on and holds a reference to it.
 * Returns how many offsets are uncommitted; 0 and err when out of memory. Intake's thread.
 */
size_t partition_open(struct partition *partition, struct event *event, struct error *err);

/* The result of an event is acknowledged; refused where the partition was revoked. For any thread.
 */
void partition_done(struct partition *partition, const struct event *event);

/* Whether it belongs to somebody else by now. For any thread. */
bool partition_revoked(const struct partition *partition);

/* The offset to commit, -1 while there is none; and how many offsets are uncommitted. For any
 * thread. */
int64_t partition_watermark(struct partition *partition);
size_t partition_uncommitted(struct partition *partition);

/* The lowest offset received whose result is not acknowledged, and its timestamp (of its arrival
 * here, where it has none); -1 and -1 where there is none. For any thread. */
int64_t partition_oldest(struct partition *partition, int64_t *ret_time_ms);

/* How many of its events are held. For any thread. */
size_t partition_held(const struct partition *partition);

#endif
