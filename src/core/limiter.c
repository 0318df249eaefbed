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

#define TOLERATED   0.03 /* the share of refusals that lowers nothing, but for chance */
#define CURED       0.99 /* so many are accepted where a fall helped, */
#define CURED_ENDS  100  /* of so many */
#define NEARLY_NONE 0.1
#define DEEP        1.1 /* so much more were started before a fall that must have helped, if any */
#define EVIDENCE    200 /* requests that show whether it did */
#define HELPED      0.5 /* it helped where it did this part of what it could */

#define DECREASE_IN_FLIGHT 0.9

#define DECREASE_RATE  0.98 /* of what was taken: a little below what the API bears */
#define DECREASE_BLIND 0.5
#define FIRST_GROWTH   0.015
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
		.unsettled = true,
	};
}

void limiter_forget(struct limiter *limiter)
{
	limiter->in_flight = limiter->max_in_flight;
	limiter->learnt = 0;
	limiter->falling = false;
	limiter->unsettled = true;
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

/* Whether more were refused than is tolerated, by more than chance makes of it. */
static bool too_many_refused(const struct limiter_interval *interval)
{
	double tolerated = TOLERATED * (interval->answered + interval->refused);
	return interval->refused > tolerated + sqrt(tolerated);
}

static void fall(struct limiter *limiter, double started)
{
	double before = limiter->learnt > 0 ? limiter->learnt : started;
	double taken = started * accepted_in(&limiter->interval);
	/* Where it takes nothing for the moment, that says nothing about what it takes after. */
	limiter->learnt = taken > 0 ? (taken < before ? taken : before) * DECREASE_RATE
				    : before * DECREASE_BLIND;
	limiter->growth = taken > 0 ? FIRST_GROWTH : MOST_GROWTH;
	if (limiter->learnt < 1)
		limiter->learnt = 1;
	limiter->in_flight *= DECREASE_IN_FLIGHT;
	if (limiter->in_flight < 1)
		limiter->in_flight = 1;
	limiter->unsettled = true;
	limiter->lately = (struct limiter_interval){0};
}

static void begin_to_fall(struct limiter *limiter, double started)
{
	limiter->falling = true;
	limiter->before = (struct limiter_before){
		.accepted = accepted_in(&limiter->interval),
		.started = started,
		.learnt = limiter->learnt,
		.in_flight = limiter->in_flight,
	};
	limiter->since = (struct limiter_interval){0};
}

enum effect { EFFECT_UNKNOWN, EFFECT_HELPED, EFFECT_IN_VAIN };

/*
 * Whether falling so far did any good. If refusals depended on the rate, as many requests as before
 * would have been accepted of fewer, and so a larger share.
 */
static enum effect effect_of_fall(const struct limiter *limiter, double started)
{
	const struct limiter_before *before = &limiter->before;
	const struct limiter_interval *since = &limiter->since;
	double accepted = accepted_in(since);
	double possible = started > 0 ? before->started / started : 1;
	if (since->answered + since->refused < EVIDENCE || possible < DEEP)
		return EFFECT_UNKNOWN;
	if (accepted < NEARLY_NONE || before->accepted <= 0)
		return EFFECT_HELPED;
	double most = 1 / before->accepted;
	double rise = accepted / before->accepted;
	bool helped = rise - 1 >= ((possible < most ? possible : most) - 1) * HELPED;
	return helped ? EFFECT_HELPED : EFFECT_IN_VAIN;
}

/* As many are refused as before the limits fell: they go back to what they were. */
static void put_up(struct limiter *limiter, int64_t now)
{
	limiter->learnt = limiter->before.learnt;
	limiter->in_flight = limiter->before.in_flight;
	limiter->put_up_until = now + PUT_UP_NS;
	limiter->put_up_with = 1 - accepted_in(&limiter->since);
	limiter->falling = false;
}

/* Whether far more are refused in the interval than with the share `before`. */
static bool is_worse(const struct limiter *limiter, double before)
{
	return 1 - accepted_in(&limiter->interval) >= 2 * before + TOLERATED;
}

/* More are refused than is tolerated. */
static void on_refusals(struct limiter *limiter, double started, int64_t now)
{
	bool new_matter = !limiter->falling || is_worse(limiter, 1 - limiter->before.accepted);
	enum effect effect = new_matter ? EFFECT_HELPED : effect_of_fall(limiter, started);
	if (effect == EFFECT_IN_VAIN) {
		put_up(limiter, now);
		return;
	}
	if (effect == EFFECT_HELPED)
		begin_to_fall(limiter, started);
	fall(limiter, started);
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

/* Whether the interval tells enough. Refusals may come long before answers that began with them. */
static bool is_over(const struct limiter *limiter, int64_t length)
{
	const struct limiter_interval *interval = &limiter->interval;
	bool early = limiter->falling || limiter->unsettled;
	unsigned ends = interval->answered + (early ? 0 : interval->refused);
	return length >= LONG_NS || (length >= INTERVAL_NS && ends >= ENOUGH_ENDS);
}

static void add_ends(struct limiter_interval *sum, const struct limiter_interval *interval)
{
	sum->answered += interval->answered;
	sum->refused += interval->refused;
}

/* Learns whether the limits have fallen far enough. */
static void note_ends(struct limiter *limiter)
{
	add_ends(&limiter->since, &limiter->interval);
	add_ends(&limiter->lately, &limiter->interval);
	if (limiter->lately.answered >= CURED_ENDS && accepted_in(&limiter->lately) >= CURED)
		limiter->falling = false;
}

/* Refusals that are put up with: no more than those that no fall could cure. */
static bool puts_up(const struct limiter *limiter, int64_t now)
{
	return now < limiter->put_up_until && !is_worse(limiter, limiter->put_up_with);
}

/* Draws the conclusions of an interval that is over. */
static void judge_interval(struct limiter *limiter, double seconds, int64_t now)
{
	note_ends(limiter);
	if (too_many_refused(&limiter->interval) && !puts_up(limiter, now))
		on_refusals(limiter, limiter->interval.started / seconds, now);
	else if (limiter->learnt > 0 && now - limiter->refused_at > FORGET_NS)
		limiter->learnt = 0;
	else if (limiter->learnt > 0)
		raise_rate(limiter, seconds);
}

static void turn_interval(struct limiter *limiter, uint64_t last_start, int64_t now)
{
	int64_t length = now - limiter->interval.begun;
	if (!limiter->adaptive || !is_over(limiter, length))
		return;
	bool settled = !limiter->unsettled;
	limiter->unsettled = false;
	if (settled)
		judge_interval(limiter, (double)length / (double)NS_PER_S, now);
	if (limiter->unsettled)
		limiter->fell_at = last_start;
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
