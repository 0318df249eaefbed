/*
 * Retries: how long to wait before a request is made again.
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include <stdint.h>

#include "base/bytes.h"

/* A longer Retry-After is shortened to this. */
#define RETRY_AFTER_MAX_NS (INT64_C(300) * 1000 * 1000 * 1000)

/* Random numbers that follow from the seed alone. Locking must be supplied by the caller. */
struct random {
	uint64_t state;
};

/* A number from 0 to bound - 1; bound is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

/*
 * A wait with full jitter: evenly spread from 0 to min(max, initial * 2^(attempt - 1)), after the
 * attempt-th failure (from 1). All times in nanoseconds, initial and max at least 0.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
int64_t retry_backoff(struct random *random, unsigned attempt, int64_t initial_ns, int64_t max_ns);

/*
 * The wait that a Retry-After header asks for (RFC 9110, 10.2.3): seconds, or a date in any of the
 * three forms of 5.6.7, against the wall clock's time in milliseconds. 0 where there is none, where
 * it cannot be read or lies in the past; RETRY_AFTER_MAX_NS at most.
 */
int64_t retry_after_parse(struct bytes value, int64_t wall_ms);

#endif
