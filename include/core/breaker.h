/*
 * The breaker's window: which share of the API requests of the last seconds failed.
 *
 * It only counts; what follows from it is the gate's to decide. Locking must be supplied by the
 * caller.
 */
#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_BUCKETS 10

struct breaker_bucket {
	int64_t number; /* which tenth of a window since time 0 it counts */
	unsigned total;
	unsigned failed;
};

/* A sliding window of ten buckets. Set it up with breaker_init(); it needs no end. */
struct breaker {
	unsigned failure_percent;
	unsigned min_requests;
	int64_t bucket_ns;
	struct breaker_bucket buckets[BREAKER_BUCKETS];
};

/* failure_percent 1 to 100, min_requests from 1, window_ns from BREAKER_BUCKETS. */
void breaker_init(struct breaker *breaker, unsigned failure_percent, unsigned min_requests,
	int64_t window_ns);

/* Forgets what it counted. */
void breaker_reset(struct breaker *breaker);

/* Counts one request that ended at `now`. */
void breaker_count(struct breaker *breaker, bool failed, int64_t now);

/* Whether at least failure_percent of at least min_requests failed in the window that ends now. */
bool breaker_tripped(const struct breaker *breaker, int64_t now);

#endif
