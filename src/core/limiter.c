#include "core/limiter.h"

#include "base/clock.h"

#define BURST_SECONDS 0.1
#define INTERVAL_NS   (NS_PER_S / 2)
#define FORGET_NS     (300 * NS_PER_S)

#define DECREASE_IN_FLIGHT 0.9

#define DECREASE_RATE  0.98 /* of what was taken: a little below what the API bears */
#define DECREASE_BLIND 0.5
#define FIRST_GROWTH   0.005
#define FASTER         1.2 /* each interval without a refusal raises by so much more than the last */
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

/* How many requests the API took in an interval with refusals. */
static unsigned taken_in(const struct limiter_interval *interval)
{
	/* What was not refused was taken, though its answer may still be on its way. */
	unsigned taken =
		interval->started > interval->refused ? interval->started - interval->refused : 0;
	return taken > interval->answered ? taken : interval->answered;
}

static void lower_rate(struct limiter *limiter, double seconds)
{
	unsigned taken = taken_in(&limiter->interval);
	double before = limiter->learnt > 0 ? limiter->learnt : limiter->interval.started / seconds;
	if (taken == 0) {
		/* It bears nothing for the moment, which says nothing about what it bears after. */
		limiter->learnt = before * DECREASE_BLIND;
		limiter->growth = MOST_GROWTH;
	} else {
		double per_second = taken / seconds;
		limiter->learnt = (per_second < before ? per_second : before) * DECREASE_RATE;
		limiter->growth = FIRST_GROWTH;
	}
	if (limiter->learnt < 1)
		limiter->learnt = 1;
}

static void raise_rate(struct limiter *limiter, double seconds)
{
	if (limiter->interval.started < limiter->learnt * seconds * USED)
		return;
	/* At a few a second a share alone would never come to a whole request. */
	double more = limiter->learnt * limiter->growth;
	limiter->learnt += more > limiter->growth ? more : limiter->growth;
	limiter->growth *= FASTER;
	if (limiter->growth > MOST_GROWTH)
		limiter->growth = MOST_GROWTH;
}

/* Draws the conclusions of an interval that is over. */
static void turn_interval(struct limiter *limiter, int64_t now)
{
	int64_t length = now - limiter->interval.begun;
	if (!limiter->adaptive || length < INTERVAL_NS)
		return;
	double seconds = (double)length / (double)NS_PER_S;
	if (limiter->interval.refused > 0)
		lower_rate(limiter, seconds);
	else if (limiter->learnt > 0 && now - limiter->refused_at > FORGET_NS)
		limiter->learnt = 0;
	else if (limiter->learnt > 0)
		raise_rate(limiter, seconds);
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
	turn_interval(limiter, now);
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

void limiter_answered(struct limiter *limiter, unsigned under_way, int64_t now)
{
	turn_interval(limiter, now);
	limiter->interval.answered++;
	/* An unused limit says nothing about what the API bears: rise only where it was reached. */
	if (!limiter->adaptive || under_way < limiter_in_flight(limiter))
		return;
	limiter->in_flight += 1 / limiter->in_flight;
	if (limiter->in_flight > limiter->max_in_flight)
		limiter->in_flight = limiter->max_in_flight;
}

void limiter_refused(struct limiter *limiter, uint64_t start, uint64_t last_start, int64_t now)
{
	turn_interval(limiter, now);
	limiter->interval.refused++;
	limiter->refused_at = now;
	/* Requests that started before the last fall tell nothing about the limit since. */
	if (!limiter->adaptive || start <= limiter->lowered_at)
		return;
	limiter->lowered_at = last_start;
	limiter->in_flight *= DECREASE_IN_FLIGHT;
	if (limiter->in_flight < 1)
		limiter->in_flight = 1;
}
