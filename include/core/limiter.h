/*
 * The limiter: how many API requests may be under way at once, and how many may start a second.
 *
 * Both adapt to what the API bears, as TCP's congestion window does (additive increase,
 * multiplicative decrease), and only to its refusals: latency alone lowers nothing.
 *
 * At once: falls a little when the API refuses, once for each round of requests, and rises by one
 * for each full round that was answered.
 *
 * A second: no limit of its own until the API refuses; then what it took a second becomes the
 * limit, measured anew in each interval with refusals. In intervals without, the limit rises, the
 * faster the longer none came, as long as it is used. After five minutes without a refusal
 * it is forgotten. The configured rate stays above it. Starts come in bursts of 100 ms' worth.
 *
 * Locking must be supplied by the caller.
 */
#ifndef CORE_LIMITER_H
#define CORE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

/* What happened in the interval under way. */
struct limiter_interval {
	int64_t begun;
	unsigned started;
	unsigned answered;
	unsigned refused;
};

/* Set it up with limiter_init(); it needs no end. */
struct limiter {
	bool adaptive;
	double max_in_flight;
	double in_flight;      /* the limit in force, from 1 to max_in_flight */
	uint64_t lowered_at;   /* the last start number issued when that limit last fell */
	double max_per_second; /* as configured; 0: no limit */
	double learnt;         /* what the API bears a second; 0: it never refused */
	double growth;         /* by which share `learnt` rises next */
	int64_t refused_at;    /* when the API last refused */
	double tokens;         /* starts that are allowed now */
	int64_t filled_at;     /* when `tokens` was right */
	struct limiter_interval interval;
};

/* max_in_flight from 1; per_second 0 for none. */
void limiter_init(struct limiter *limiter, unsigned max_in_flight, unsigned per_second,
	bool adaptive, int64_t now);

/* Forgets what it learnt: the API refused everything, and takes requests again. */
void limiter_forget(struct limiter *limiter);

/* How many requests may be under way at once: 1 at least. */
unsigned limiter_in_flight(const struct limiter *limiter);

/* How many requests may start a second; 0: no limit. */
double limiter_per_second(const struct limiter *limiter);

/* Takes leave for one start. 0 where it may start now, else the time from which on to ask again. */
int64_t limiter_take(struct limiter *limiter, int64_t now);

/* A request was answered while `under_way` requests, itself included, were under way. */
void limiter_answered(struct limiter *limiter, unsigned under_way, int64_t now);

/* The API refused the request with that start number; `last_start` is the last number issued. */
void limiter_refused(struct limiter *limiter, uint64_t start, uint64_t last_start, int64_t now);

#endif
