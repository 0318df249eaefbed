/*
 * The history: the last minutes in numbers, so that whoever opens the status page sees what led up
 * to now.
 *
 * The supervisor adds a sample every HISTORY_EVERY_NS; any thread may read. Numbers are those of
 * the metrics, counted since the start: differences of samples are what happened between them.
 */
#ifndef APP_HISTORY_H
#define APP_HISTORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/histogram.h"

#define HISTORY_EVERY_NS (2 * NS_PER_S)
#define HISTORY_SIZE     151 /* five minutes between the first and the last */

struct history_sample {
	int64_t at;      /* of the monotonic clock */
	int64_t wall_ms; /* the same time */
	uint64_t consumed;
	uint64_t found;
	uint64_t not_found;
	uint64_t errors;          /* other error events */
	int64_t waiting;          /* records not committed yet; -1: unknown */
	struct histogram_sum api; /* durations of all API requests */
};

/* Start one as zeros, but for the lock. */
struct history {
	pthread_mutex_t lock;
	struct history_sample
		samples[HISTORY_SIZE]; /* a ring: the oldest at `next` once it is full */
	size_t next;
	size_t count;
};

void history_add(struct history *history, const struct history_sample *sample);

/* Copies the last samples, the oldest first; how many they are. */
size_t history_copy(struct history *history, struct history_sample ret_samples[HISTORY_SIZE]);

/* The last sample that is at least `age_ns` old at `now`, the oldest where none is that old. False
 * where there is none at all. */
bool history_before(
	struct history *history, int64_t now, int64_t age_ns, struct history_sample *ret_sample);

#endif
