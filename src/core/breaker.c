#include "core/breaker.h"

#include <string.h>

void breaker_init(
	struct breaker *breaker, unsigned failure_percent, unsigned min_requests, int64_t window_ns)
{
	*breaker = (struct breaker){
		.failure_percent = failure_percent,
		.min_requests = min_requests,
		.bucket_ns = window_ns / BREAKER_BUCKETS,
	};
}

void breaker_reset(struct breaker *breaker)
{
	memset(breaker->buckets, 0, sizeof(breaker->buckets));
}

static struct breaker_bucket *bucket_at(struct breaker *breaker, int64_t now)
{
	int64_t number = now / breaker->bucket_ns;
	struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
	if (bucket->number != number)
		*bucket = (struct breaker_bucket){.number = number};
	return bucket;
}

void breaker_failed(struct breaker *breaker, int64_t now)
{
	bucket_at(breaker, now)->undisproved++;
}

void breaker_disproved(struct breaker *breaker)
{
	for (int i = 0; i < BREAKER_BUCKETS; i++)
		breaker->buckets[i].undisproved = 0;
}

void breaker_answered(struct breaker *breaker, unsigned failures, int64_t now)
{
	struct breaker_bucket *bucket = bucket_at(breaker, now);
	bucket->answered++;
	bucket->failed += failures;
}

bool breaker_tripped(const struct breaker *breaker, int64_t now)
{
	int64_t oldest = now / breaker->bucket_ns - BREAKER_BUCKETS + 1;
	unsigned answered = 0;
	unsigned failed = 0;
	for (int i = 0; i < BREAKER_BUCKETS; i++) {
		const struct breaker_bucket *bucket = &breaker->buckets[i];
		if (bucket->number < oldest)
			continue;
		answered += bucket->answered;
		failed += bucket->failed + bucket->undisproved;
	}
	unsigned total = answered + failed;
	return total >= breaker->min_requests &&
	       (uint64_t)failed * 100 >= (uint64_t)total * breaker->failure_percent;
}
