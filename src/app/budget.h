/*
 * The budget: how many events, and how many bytes of them, are held at once.
 *
 * Intake spends, whoever ends an event gives back. Full at the limit, and open again somewhat below
 * it, so that consumption does not stop and go with every event. Every function is safe from any
 * thread.
 */
#ifndef APP_BUDGET_H
#define APP_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
	size_t max_events;
	size_t max_bytes;
	_Atomic(size_t) events;
	_Atomic(size_t) bytes;
};

static inline void budget_spend(struct budget *budget, size_t bytes)
{
	atomic_fetch_add_explicit(&budget->events, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&budget->bytes, bytes, memory_order_relaxed);
}

static inline void budget_give_back(struct budget *budget, size_t bytes)
{
	atomic_fetch_sub_explicit(&budget->events, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&budget->bytes, bytes, memory_order_relaxed);
}

static inline bool budget_full(const struct budget *budget)
{
	return atomic_load_explicit(&budget->events, memory_order_relaxed) >= budget->max_events ||
	       atomic_load_explicit(&budget->bytes, memory_order_relaxed) >= budget->max_bytes;
}

/* At most so much may be held for one part of so many to be free. */
static inline size_t budget_threshold(size_t max, size_t parts)
{
	return max - (max > parts ? max / parts : 1);
}

/* Whether at least one part of so many is free, of events and of bytes; never while it is full. */
static inline bool budget_free(const struct budget *budget, size_t parts)
{
	return atomic_load_explicit(&budget->events, memory_order_relaxed) <=
		       budget_threshold(budget->max_events, parts) &&
	       atomic_load_explicit(&budget->bytes, memory_order_relaxed) <=
		       budget_threshold(budget->max_bytes, parts);
}

#endif
