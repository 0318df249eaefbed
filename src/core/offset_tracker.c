#include "core/offset_tracker.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIRST_CAPACITY 256
#define DONE           INT64_MIN

/*
 * A ring of the offsets from `first` (the lowest that is not done) up to `next`, in the order of
 * their places. The ring's size is a power of two; a place's slot is its number modulo that size.
 */
struct slot {
	int64_t offset;
	int64_t time_ms; /* or DONE */
};

struct offset_tracker {
	struct slot *slots;
	size_t capacity;
	uint64_t first;
	uint64_t next;
	int64_t watermark;
};

static struct slot *slot_at(const struct offset_tracker *tracker, uint64_t sequence)
{
	return &tracker->slots[sequence & (tracker->capacity - 1)];
}

struct offset_tracker *offset_tracker_new(struct error *err)
{
	struct offset_tracker *tracker = mem_new(struct offset_tracker);
	if (tracker != NULL)
		tracker->slots = mem_new_array(struct slot, FIRST_CAPACITY);
	if (tracker == NULL || tracker->slots == NULL) {
		offset_tracker_free(tracker);
		error_memory(err);
		return NULL;
	}
	tracker->capacity = FIRST_CAPACITY;
	tracker->watermark = -1;
	return tracker;
}

void offset_tracker_free(struct offset_tracker *tracker)
{
	if (tracker == NULL)
		return;
	free(tracker->slots);
	free(tracker);
}

static bool grow(struct offset_tracker *tracker, struct error *err)
{
	struct offset_tracker grown = *tracker;
	grown.capacity *= 2;
	grown.slots = mem_new_array(struct slot, grown.capacity);
	if (grown.slots == NULL)
		return error_memory(err);
	for (uint64_t i = tracker->first; i < tracker->next; i++)
		*slot_at(&grown, i) = *slot_at(tracker, i);
	free(tracker->slots);
	*tracker = grown;
	return true;
}

bool offset_tracker_open(struct offset_tracker *tracker, int64_t offset, int64_t time_ms,
	uint64_t *ret_sequence, struct error *err)
{
	if (tracker->next - tracker->first == tracker->capacity && !grow(tracker, err))
		return false;
	*slot_at(tracker, tracker->next) = (struct slot){.offset = offset, .time_ms = time_ms};
	*ret_sequence = tracker->next++;
	return true;
}

void offset_tracker_done(struct offset_tracker *tracker, uint64_t sequence)
{
	slot_at(tracker, sequence)->time_ms = DONE;
	while (tracker->first < tracker->next &&
		slot_at(tracker, tracker->first)->time_ms == DONE) {
		tracker->watermark = slot_at(tracker, tracker->first)->offset + 1;
		tracker->first++;
	}
}

int64_t offset_tracker_watermark(const struct offset_tracker *tracker)
{
	return tracker->watermark;
}

size_t offset_tracker_uncommitted(const struct offset_tracker *tracker)
{
	return (size_t)(tracker->next - tracker->first);
}

int64_t offset_tracker_oldest(const struct offset_tracker *tracker, int64_t *ret_time_ms)
{
	*ret_time_ms = -1;
	if (tracker->first == tracker->next)
		return -1;
	const struct slot *oldest = slot_at(tracker, tracker->first);
	*ret_time_ms = oldest->time_ms;
	return oldest->offset;
}
