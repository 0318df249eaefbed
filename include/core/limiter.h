/*
 * The limiter: how many API requests may be under way at once, and how many may start a second.
 *
 * Both adapt to what the API bears, as TCP's congestion window does (additive increase,
 * multiplicative decrease), and only to its refusals: latency alone lowers nothing.
 *
 * It judges intervals of half a second, or longer where few requests end in one, by the share of
 * requests that the API refused. A few in a hundred are tolerated: whoever is never refused does
 * not know what he might have. Where there are more, what the API took a second becomes the limit,
 * and fewer may be under way at once. Otherwise both rise again as far as they are used, the rate
 * the faster the longer nothing lowered it. After five minutes without a refusal the rate is
 * forgotten. The configured rate stays above it. Starts come in bursts of 100 ms' worth.
 *
 * Refusals that do not become fewer when fewer requests are made do not depend on us: to go on
 * lowering the limits would only strangle the line, so they are put up with for a minute.
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
	unsigned answered; /* of those that started since the limits last fell */
	unsigned refused;  /* the same */
};

/* How it was before the limits began to fall. */
struct limiter_before {
	double accepted; /* the share of requests that were not refused */
	double started;  /* requests a second */
	double learnt;
	double in_flight;
};

/* Set it up with limiter_init(); it needs no end. */
struct limiter {
	bool adaptive;
	double max_in_flight;
	double in_flight;      /* the limit in force, from 1 to max_in_flight */
	double max_per_second; /* as configured; 0: no limit */
	double learnt;         /* what the API bears a second; 0: it never refused */
	double growth;         /* by which share `learnt` rises next */
	int64_t refused_at;    /* when the API last refused */
	double tokens;         /* starts that are allowed now */
	int64_t filled_at;     /* when `tokens` was right */
	struct limiter_interval interval;

	/* Whether a fall helps. */
	bool falling; /* they fell, and it is not known yet to have helped */
	/* The interval under way tells nothing: other limits have just come into force, and what
	 * began under the former ones has still to end. */
	bool unsettled;
	struct limiter_before before;
	struct limiter_interval since;  /* what ended since they began to fall, and since they */
	struct limiter_interval lately; /* last fell, without the first interval after a fall */
	uint64_t fell_at;               /* the last start number issued then; 0: they never fell */
	int64_t put_up_until; /* falling was in vain: refusals lower nothing until then, */
	double put_up_with;   /* as long as they are no more than this share */
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

/* What the limiter has to know of a request that ended. */
struct limiter_end {
	uint64_t start;      /* its start number */
	uint64_t last_start; /* the last start number issued */
	unsigned under_way;  /* requests under way just before it ended, itself included */
};

/* A request was answered. */
void limiter_answered(struct limiter *limiter, const struct limiter_end *end, int64_t now);

/* The API refused a request. */
void limiter_refused(struct limiter *limiter, const struct limiter_end *end, int64_t now);

#endif
