/*
 * The breaker's window: which share of the API requests of the last seconds failed by the API's
 * own fault.
 *
 * A failure is the API's as long as nobody disproved it: a request that started later and was
 * answered as documented shows that the API was well, and the failure is then put down to its
 * event. It is the API's again once that very event is answered after all. So a topic full of
 * poison does not look like an API that is down, and an API that fails every other request does.
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
	unsigned answered;
	unsigned failed;      /* of events that were answered after all */
	unsigned undisproved; /* failures that nobody disproved yet */
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

/* A request failed at `now`. */
void breaker_failed(struct breaker *breaker, int64_t now);

/* The API was well: the failures so far are not its fault, as far as we know. */
void breaker_disproved(struct breaker *breaker);

/* A request was answered at `now`, after `failures` failed ones for the same event. */
void breaker_answered(struct breaker *breaker, unsigned failures, int64_t now);

/* Whether at least failure_percent of at least min_requests failed in the window that ends now. */
bool breaker_tripped(const struct breaker *breaker, int64_t now);

#endif
