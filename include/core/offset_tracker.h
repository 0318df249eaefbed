/*
 * The offset tracker: how far one assigned partition is done without a gap.
 *
 * Results are acknowledged in any order, but a group's position is a single offset: everything
 * below it counts as done. The tracker keeps the offsets that were received, in order, and tells
 * the watermark, the offset up to which all of them are done. Only offsets that were received are
 * tracked: compaction and transaction markers leave gaps that nobody will ever report.
 *
 * One tracker stands for one assignment of a partition. Locking must be supplied by the caller.
 */
#ifndef CORE_OFFSET_TRACKER_H
#define CORE_OFFSET_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct offset_tracker;

struct offset_tracker *offset_tracker_new(struct error *err);
void offset_tracker_free(struct offset_tracker *tracker);

/*
 * A record with that timestamp was received; offsets come in rising order. ret_sequence is its
 * place, to name it by later. False and err when out of memory.
 */
bool offset_tracker_open(struct offset_tracker *tracker, int64_t offset, int64_t time_ms,
	uint64_t *ret_sequence, struct error *err);

/* The result of the record at that place is acknowledged. Once for each place. */
void offset_tracker_done(struct offset_tracker *tracker, uint64_t sequence);

/*
 * The offset to commit: one above the last of the records that are done without a gap. -1 while
 * none is. It never falls.
 */
int64_t offset_tracker_watermark(const struct offset_tracker *tracker);

/* How many records were received at or above the watermark, done or not. */
size_t offset_tracker_uncommitted(const struct offset_tracker *tracker);

/* The lowest offset that is not done, and its timestamp; -1 and -1 where all are. */
int64_t offset_tracker_oldest(const struct offset_tracker *tracker, int64_t *ret_time_ms);

#endif
