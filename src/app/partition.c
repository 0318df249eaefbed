#include "partition.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct partition *partition_new(const char *topic, int32_t number, struct error *err)
{
	struct partition *partition = mem_new(struct partition);
	if (partition == NULL) {
		error_memory(err);
		return NULL;
	}
	partition->tracker = offset_tracker_new(err);
	if (partition->tracker == NULL) {
		free(partition);
		return NULL;
	}
	pthread_mutex_init(&partition->lock, NULL);
	partition->topic = topic;
	partition->number = number;
	partition->references = 1;
	partition->stored = -1;
	return partition;
}

void partition_release(struct partition *partition)
{
	if (partition == NULL || atomic_fetch_sub(&partition->references, 1) > 1)
		return;
	offset_tracker_free(partition->tracker);
	pthread_mutex_destroy(&partition->lock);
	free(partition);
}

size_t partition_open(struct partition *partition, struct event *event, struct error *err)
{
	size_t uncommitted = 0;
	int64_t time_ms = event->record.timestamp_ms;
	if (time_ms < 0)
		time_ms = clock_wall_ms();
	pthread_mutex_lock(&partition->lock);
	if (offset_tracker_open(
		    partition->tracker, event->record.offset, time_ms, &event->sequence, err))
		uncommitted = offset_tracker_uncommitted(partition->tracker);
	pthread_mutex_unlock(&partition->lock);
	if (uncommitted > 0) {
		event->source = partition;
		atomic_fetch_add(&partition->references, 1);
	}
	return uncommitted;
}

void partition_done(struct partition *partition, const struct event *event)
{
	pthread_mutex_lock(&partition->lock);
	if (!partition->revoked)
		offset_tracker_done(partition->tracker, event->sequence);
	pthread_mutex_unlock(&partition->lock);
}

bool partition_revoked(const struct partition *partition)
{
	return partition->revoked;
}

int64_t partition_watermark(struct partition *partition)
{
	pthread_mutex_lock(&partition->lock);
	int64_t watermark = offset_tracker_watermark(partition->tracker);
	pthread_mutex_unlock(&partition->lock);
	return watermark;
}

size_t partition_uncommitted(struct partition *partition)
{
	pthread_mutex_lock(&partition->lock);
	size_t uncommitted = offset_tracker_uncommitted(partition->tracker);
	pthread_mutex_unlock(&partition->lock);
	return uncommitted;
}

int64_t partition_oldest(struct partition *partition, int64_t *ret_time_ms)
{
	pthread_mutex_lock(&partition->lock);
	int64_t oldest = offset_tracker_oldest(partition->tracker, ret_time_ms);
	pthread_mutex_unlock(&partition->lock);
	return oldest;
}

size_t partition_held(const struct partition *partition)
{
	return atomic_load(&partition->references) - 1;
}
