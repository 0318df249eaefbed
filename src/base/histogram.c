#include "base/histogram.h"

/* There is one writer: what it reads is what it wrote, and no other store comes between. */
static void add(_Atomic(uint64_t) *counter, uint64_t number)
{
	uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, before + number, memory_order_relaxed);
}

void histogram_record(
	struct histogram *histogram, const struct histogram_scale *scale, int64_t duration)
{
	size_t range = 0;
	while (range < scale->count && duration > scale->bounds[range])
		range++;
	add(&histogram->counts[range], 1);
	add(&histogram->sum, duration > 0 ? (uint64_t)duration : 0);
}

void histogram_add(struct histogram_sum *sum, const struct histogram *histogram)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++) {
		uint64_t count = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		sum->counts[i] += count;
		sum->count += count;
	}
	sum->sum += atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

void histogram_sum_add(struct histogram_sum *sum, const struct histogram_sum *other)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		sum->counts[i] += other->counts[i];
	sum->count += other->count;
	sum->sum += other->sum;
}

void histogram_sum_subtract(struct histogram_sum *sum, const struct histogram_sum *earlier)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		sum->counts[i] -= earlier->counts[i];
	sum->count -= earlier->count;
	sum->sum -= earlier->sum;
}

int64_t histogram_quantile(
	const struct histogram_sum *sum, const struct histogram_scale *scale, double fraction)
{
	if (sum->count == 0)
		return -1;
	double wanted = fraction * (double)sum->count;
	double below = 0;
	int64_t low = 0;
	for (size_t i = 0; i < scale->count; i++) {
		double here = (double)sum->counts[i];
		if (here > 0 && below + here >= wanted) {
			double width = (double)(scale->bounds[i] - low);
			return low + (int64_t)(width * (wanted - below) / here);
		}
		below += here;
		low = scale->bounds[i];
	}
	return low;
}
