/*
 * A thread's pulse: shows the supervisor that a thread goes round its loop.
 */
#ifndef APP_PULSE_H
#define APP_PULSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A thread that did not go round for so long is stuck. No wait of ours takes half of it. */
#define PULSE_PATIENCE_NS (20 * NS_PER_S)

/* Start one as {0}. */
struct pulse {
	_Atomic(uint64_t) beats;

	/* The supervisor's own. */
	uint64_t seen;
	int64_t seen_at;
};

/* Once each round. For the thread. */
static inline void pulse_beat(struct pulse *pulse)
{
	atomic_fetch_add_explicit(&pulse->beats, 1, memory_order_relaxed);
}

/* Whether the thread went round lately, as far as calls before this one saw. For the supervisor. */
static inline bool pulse_alive(struct pulse *pulse, int64_t now)
{
	uint64_t beats = atomic_load_explicit(&pulse->beats, memory_order_relaxed);
	if (beats != pulse->seen || pulse->seen_at == 0) {
		pulse->seen = beats;
		pulse->seen_at = now;
	}
	return now - pulse->seen_at < PULSE_PATIENCE_NS;
}

#endif
