/*
 * Timers: which look-up is to be tried again first. A binary heap, ordered by time.
 */
#ifndef CORE_TIMERS_H
#define CORE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What waits: embedded in what the caller wants to find again. */
struct timer {
	int64_t at;
	size_t index; /* its place in the heap */
};

/* Start one as `struct timers timers = {0};`, end it with timers_fini(). */
struct timers {
	struct timer **heap;
	size_t count;
	size_t capacity;
};

void timers_fini(struct timers *timers);

/* Makes room for `count` timers in all. False and err when out of memory. */
bool timers_reserve(struct timers *timers, size_t count, struct error *err);

/* Adds a timer that is in no heap; there must be room. */
void timers_add(struct timers *timers, struct timer *timer, int64_t at);

void timers_remove(struct timers *timers, struct timer *timer);

/* The earliest; NULL where there is none. */
struct timer *timers_first(const struct timers *timers);

#endif
