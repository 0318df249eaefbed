/*
 * The drain: how partitions end in good order when they are revoked or the service stops.
 *
 * As the contract has it: per partition everything at or below the highest offset started or
 * published is finished, and everything above is dropped unread.
 */
#ifndef APP_DRAIN_H
#define APP_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/gate.h"
#include "delivery.h"
#include "partition.h"
#include "worker.h"

struct drain {
	struct worker *const *workers;
	size_t worker_count;
	struct gate *gate;
	struct delivery *delivery;
	struct partition *const *partitions;
	size_t count;
	int64_t deadline; /* of the monotonic clock */

	/* Sleeps a moment, or until an event ended. */
	void (*rest)(void *context);
	void *context;
};

/*
 * Finishes what was begun and drops the rest. True where everything up to the cut is acknowledged;
 * false where the deadline passed or the line is stopped: then what was begun is dropped too, and
 * may be repeated. For intake's thread.
 */
bool drain_run(const struct drain *drain);

/* Drops everything of partitions that belong to somebody else already. For intake's thread. */
void drain_abandon(const struct drain *drain);

#endif
