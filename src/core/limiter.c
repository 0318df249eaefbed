#include "core/limiter.h"

#include "base/clock.h"

#define BURST_SECONDS 0.1
#define DECREASE      0.7

void limiter_init(struct limiter *limiter, unsigned max_in_flight, unsigned per_second,
	bool adaptive, int64_t now)
{
	double burst = per_second * BURST_SECONDS;
	*limiter = (struct limiter){
		.max_in_flight = max_in_flight,
		.in_flight = max_in_flight,
		.adaptive = adaptive,
		.per_second = per_second,
		.burst = burst < 1 ? 1 : burst,
		.tokens = 1,
		.filled_at = now,
	};
}

unsigned limiter_in_flight(const struct limiter *limiter)
{
	return (unsigned)limiter->in_flight;
}

int64_t limiter_take(struct limiter *limiter, int64_t now)
{
	if (limiter->per_second <= 0)
		return 0;
	double elapsed = (double)(now - limiter->filled_at) / (double)NS_PER_S;
	limiter->tokens += elapsed * limiter->per_second;
	if (limiter->tokens > limiter->burst)
		limiter->tokens = limiter->burst;
	limiter->filled_at = now;
	if (limiter->tokens >= 1) {
		limiter->tokens -= 1;
		return 0;
	}
	double missing = (1 - limiter->tokens) / limiter->per_second;
	return now + (int64_t)(missing * (double)NS_PER_S) + 1;
}

void limiter_answered(struct limiter *limiter, unsigned under_way)
{
	/* An unused limit says nothing about what the API bears: rise only where it was reached. */
	if (!limiter->adaptive || under_way < limiter_in_flight(limiter))
		return;
	limiter->in_flight += 1 / limiter->in_flight;
	if (limiter->in_flight > limiter->max_in_flight)
		limiter->in_flight = limiter->max_in_flight;
}

void limiter_refused(struct limiter *limiter, uint64_t start, uint64_t last_start)
{
	/* Requests that started before the last fall tell nothing about the limit since. */
	if (!limiter->adaptive || start <= limiter->lowered_at)
		return;
	limiter->lowered_at = last_start;
	limiter->in_flight *= DECREASE;
	if (limiter->in_flight < 1)
		limiter->in_flight = 1;
}
