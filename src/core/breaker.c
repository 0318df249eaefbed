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

void breaker_count(struct breaker *breaker, bool failed, int64_t now)
{
	int64_t number = now / breaker->bucket_ns;
	struct breaker_bucket *bucket = &breaker->buckets[number % BREAKER_BUCKETS];
	if (bucket->number != number)
		*bucket = (struct breaker_bucket){.number = number};
	bucket->total++;
	bucket->failed += failed ? 1 : 0;
}

bool breaker_tripped(const struct breaker *breaker, int64_t now)
{
	int64_t oldest = now / breaker->bucket_ns - BREAKER_BUCKETS + 1;
	unsigned total = 0;
	unsigned failed = 0;
	for (int i = 0; i < BREAKER_BUCKETS; i++) {
		if (breaker->buckets[i].number < oldest)
			continue;
		total += breaker->buckets[i].total;
		failed += breaker->buckets[i].failed;
	}
	return total >= breaker->min_requests &&
	       (uint64_t)failed * 100 >= (uint64_t)total * breaker->failure_percent;
}
