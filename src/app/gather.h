/*
 * Gathering: where many results come, they wait a moment for company.
 *
 * librdkafka sends a request to the broker for each partition that has a result, and a thread is
 * woken for each report that comes back. Results that come one by one, thousands a second, would
 * cost a good part of a request and of a wake-up each. Where they come so fast they are passed on
 * together, once a window; where they come slowly, each goes at once. All threads have the same
 * windows, so that what they pass on comes together, too.
 */
#ifndef APP_GATHER_H
#define APP_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define GATHER_WINDOW_NS (10 * NS_PER_MS)
#define GATHER_FROM      20 /* results a window: with fewer, none waits */

/* Start one as {0}. For one thread. */
struct gather {
	int64_t window_ends;
	size_t results; /* of this window */
	bool many;      /* the window before had enough of them */
};

static inline void gather_note(struct gather *gather, size_t results)
{
	gather->results += results;
}

/*
 * Until when results have to wait; `now`: they may go. For every round of the thread, with the time
 * of the monotonic clock.
 */
static inline int64_t gather_until(struct gather *gather, int64_t now)
{
	if (now < gather->window_ends)
		return gather->many ? gather->window_ends : now;
	bool idle = now >= gather->window_ends + GATHER_WINDOW_NS;
	gather->many = !idle && gather->results >= GATHER_FROM;
	gather->results = 0;
	gather->window_ends = now - now % GATHER_WINDOW_NS + GATHER_WINDOW_NS;
	return now;
}

#endif
