/*
 * The limiter: how many API requests may be under way at once, and how many may start a second.
 *
 * The number at once adapts as TCP's congestion window does (additive increase, multiplicative
 * decrease): it falls when the API refuses, once for each round of requests, and rises by one for
 * each full round that was answered. Latency alone never lowers it. Starts a second are a token
 * bucket with bursts of 100 ms' worth. Locking must be supplied by the caller.
 */
#ifndef CORE_LIMITER_H
#define CORE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

/* Set it up with limiter_init(); it needs no end. */
struct limiter {
	double max_in_flight;
	double in_flight; /* the limit in force, from 1 to max_in_flight */
	bool adaptive;
	uint64_t lowered_at; /* the last start number issued when the limit last fell */
	double per_second;   /* 0: no limit */
	double burst;
	double tokens;
	int64_t filled_at; /* when tokens was right */
};

/* max_in_flight from 1; per_second 0 for none. */
void limiter_init(struct limiter *limiter, unsigned max_in_flight, unsigned per_second,
	bool adaptive, int64_t now);

/* How many requests may be under way at once: 1 at least. */
unsigned limiter_in_flight(const struct limiter *limiter);

/*
 * Takes leave for one start. 0 where it may start now, else the time from which on to ask again.
 */
int64_t limiter_take(struct limiter *limiter, int64_t now);

/* A request was answered while `under_way` requests, itself included, were under way. */
void limiter_answered(struct limiter *limiter, unsigned under_way);

/* The API refused the request with that start number; `last_start` is the last number issued. */
void limiter_refused(struct limiter *limiter, uint64_t start, uint64_t last_start);

#endif
