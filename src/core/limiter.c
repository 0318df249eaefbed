#include "core/limiter.h"

#include <math.h>

#include "base/clock.h"

#define BURST_SECONDS 0.1
#define FORGET_NS     (300 * NS_PER_S)
#define PUT_UP_NS     (60 * NS_PER_S)

/* An interval lasts so long, and longer until so many requests ended in it, but no longer. */
#define INTERVAL_NS (NS_PER_S / 2)
#define ENOUGH_ENDS 20
#define LONG_NS     (5 * NS_PER_S)
#define SHORT_NS    (NS_PER_S / 10) /* enough where most are refused */
#define HALF        0.5

#define TOLERATED   0.03 /* the share of refusals that lowers nothing */
#define CURED       0.99 /* so many are accepted where a fall was called for, and helped */
#define NEARLY_NONE 0.1
#define FAR         0.7 /* of the rate: so deep a fall must have helped, if it ever does */
#define HELPED      0.5 /* it helped where it did this part of what it could */
#define CONVINCED   3   /* intervals in a row in which it did not */

#define DECREASE_IN_FLIGHT 0.9

#define DECREASE_RATE  0.98 /* of what was taken: a little below what the API bears */
#define DECREASE_BLIND 0.5
#define FIRST_GROWTH   0.005
#define FASTER         1.2 /* each interval that lowers nothing raises by so much more than the last */
#define MOST_GROWTH    0.25
#define USED           0.8 /* a limit of which less is used is not raised */

void limiter_init(struct limiter *limiter, unsigned max_in_flight, unsigned per_second,
	bool adaptive, int64_t now)
{
	*limiter = (struct limiter){
		.adaptive = adaptive,
		.max_in_flight = max_in_flight,
		.in_flight = max_in_flight,
		.max_per_second = per_second,
		.growth = FIRST_GROWTH,
		.tokens = 1,
		.filled_at = now,
		.interval = {.begun = now},
	};
}

void limiter_forget(struct limiter *limiter)
{
	limiter->in_flight = limiter->max_in_flight;
	limiter->learnt = 0;
	limiter->falling = false;
}

unsigned limiter_in_flight(const struct limiter *limiter)
{
	return (unsigned)limiter->in_flight;
}

double limiter_per_second(const struct limiter *limiter)
{
	double learnt = limiter->learnt;
	double most = limiter->max_per_second;
	return learnt > 0 && (most <= 0 || learnt < most) ? learnt : most;
}

/* The share of an interval's requests that the API took; all of them where none ended. */
static double accepted_in(const struct limiter_interval *interval)
{
	unsigned ends = interval->answered + interval->refused;
	return ends == 0 ? 1 : (double)interval->answered / ends;
}

static void fall(struct limiter *limiter, double accepted, double started)
{
	double before = limiter->learnt > 0 ? limiter->learnt : started;
	double taken = started * accepted;
	/* Where it takes nothing for the moment, that says nothing about what it takes after. */
	limiter->learnt = taken > 0 ? (taken < before ? taken : before) * DECREASE_RATE
				    : before * DECREASE_BLIND;
	limiter->growth = taken > 0 ? FIRST_GROWTH : MOST_GROWTH;
	if (limiter->learnt < 1)
		limiter->learnt = 1;
	limiter->in_flight *= DECREASE_IN_FLIGHT;
	if (limiter->in_flight < 1)
		limiter->in_flight = 1;
}

static void remember(struct limiter *limiter, double accepted, double started)
{
	limiter->before = (struct limiter_before){
		.accepted = accepted,
		.started = started,
		.learnt = limiter->learnt,
		.in_flight = limiter->in_flight,
	};
	limiter->in_vain = 0;
}

/*
 * Whether falling so far did nothing. If refusals depended on the rate, as many requests as before
 * would have been accepted of fewer, and so a larger share.
 */
static bool fell_in_vain(const struct limiter *limiter, double accepted, double started)
{
	const struct limiter_before *before = &limiter->before;
	if (accepted < NEARLY_NONE || before->accepted <= 0 || started <= 0)
		return false;
	double possible = before->started / started;
	double most = 1 / before->accepted;
	double rise = accepted / before->accepted;
	return rise - 1 < ((possible < most ? possible : most) - 1) * HELPED;
}

/* More are refused than is tolerated: falls, or puts up with it where falling is in vain. */
static void on_refusals(struct limiter *limiter, double accepted, double started, int64_t now)
{
	bool fell_far = limiter->falling && started < limiter->before.started * FAR;
	bool in_vain = fell_far && fell_in_vain(limiter, accepted, started);
	if (!limiter->falling || (fell_far && !in_vain))
		remember(limiter, accepted, started);
	limiter->falling = true;
	limiter->in_vain += in_vain ? 1 : 0;
	if (limiter->in_vain < CONVINCED) {
		fall(limiter, accepted, started);
		return;
	}
	limiter->learnt = limiter->before.learnt;
	limiter->in_flight = limiter->before.in_flight;
	limiter->put_up_until = now + PUT_UP_NS;
	limiter->falling = false;
}

static void raise_rate(struct limiter *limiter, double seconds)
{
	if (limiter->interval.started < limiter->learnt * seconds * USED)
		return;
	double steps = seconds * NS_PER_S / INTERVAL_NS;
	/* At a few a second a share alone would never come to a whole request. */
	double more = limiter->learnt > 1 ? limiter->learnt : 1;
	limiter->learnt += more * limiter->growth * steps;
	limiter->growth *= pow(FASTER, steps);
	if (limiter->growth > MOST_GROWTH)
		limiter->growth = MOST_GROWTH;
}

/* Whether the interval tells enough. */
static bool is_over(const struct limiter *limiter, int64_t length)
{
	const struct limiter_interval *interval = &limiter->interval;
	bool enough = interval->answered + interval->refused >= ENOUGH_ENDS;
	if (length >= LONG_NS)
		return true;
	if (limiter->falling) /* refusals may come before answers that started with them */
		return length >= INTERVAL_NS && interval->answered >= ENOUGH_ENDS;
	return enough &&
	       (length >= INTERVAL_NS || (length >= SHORT_NS && accepted_in(interval) < HALF));
}

/* Draws the conclusions of an interval that is over. */
static void turn_interval(struct limiter *limiter, uint64_t last_start, int64_t now)
{
	int64_t length = now - limiter->interval.begun;
	if (!limiter->adaptive || !is_over(limiter, length))
		return;
	double accepted = accepted_in(&limiter->interval);
	double seconds = (double)length / (double)NS_PER_S;
	if (accepted < 1 - TOLERATED && now >= limiter->put_up_until) {
		on_refusals(limiter, accepted, limiter->interval.started / seconds, now);
		limiter->fell_at = last_start;
	} else {
		if (accepted >= CURED)
			limiter->falling = false;
		if (limiter->learnt > 0 && now - limiter->refused_at > FORGET_NS)
			limiter->learnt = 0;
		else if (limiter->learnt > 0)
			raise_rate(limiter, seconds);
	}
	limiter->interval = (struct limiter_interval){.begun = now};
}

static void fill_tokens(struct limiter *limiter, double per_second, int64_t now)
{
	double burst = per_second * BURST_SECONDS;
	if (burst < 1)
		burst = 1;
	double elapsed = (double)(now - limiter->filled_at) / (double)NS_PER_S;
	limiter->tokens += elapsed * per_second;
	if (limiter->tokens > burst)
		limiter->tokens = burst;
	limiter->filled_at = now;
}

int64_t limiter_take(struct limiter *limiter, int64_t now)
{
	double per_second = limiter_per_second(limiter);
	if (per_second > 0) {
		fill_tokens(limiter, per_second, now);
		if (limiter->tokens < 1) {
			double missing = (1 - limiter->tokens) / per_second;
			return now + (int64_t)(missing * (double)NS_PER_S) + 1;
		}
		limiter->tokens -= 1;
	}
	limiter->interval.started++;
	return 0;
}

void limiter_answered(struct limiter *limiter, const struct limiter_end *end, int64_t now)
{
	/* Requests from before the last fall tell nothing about the limits since. */
	limiter->interval.answered += end->start > limiter->fell_at ? 1 : 0;
	turn_interval(limiter, end->last_start, now);
	/* An unused limit says nothing about what the API bears: rise only where it was reached. */
	if (!limiter->adaptive || end->under_way < limiter_in_flight(limiter))
		return;
	limiter->in_flight += 1 / limiter->in_flight;
	if (limiter->in_flight > limiter->max_in_flight)
		limiter->in_flight = limiter->max_in_flight;
}

void limiter_refused(struct limiter *limiter, const struct limiter_end *end, int64_t now)
{
	limiter->interval.refused += end->start > limiter->fell_at ? 1 : 0;
	limiter->refused_at = now;
	turn_interval(limiter, end->last_start, now);
}
