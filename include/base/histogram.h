/*
 * Histograms: how many durations fell into which range, counted without a lock.
 *
 * One thread records into a histogram; any thread may read it meanwhile, and adds up those of
 * several threads. A reader sees each count as it was a moment ago, and all of them sooner or
 * later. Durations are nanoseconds.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 20

/* The upper bounds of its ranges, rising. Above the last there is one range more, without end. */
struct histogram_scale {
	size_t count; /* 1 to HISTOGRAM_BOUNDS_MAX */
	int64_t bounds[HISTOGRAM_BOUNDS_MAX];
};

/* Start one as zeros. */
struct histogram {
	_Atomic(uint64_t) counts[HISTOGRAM_BOUNDS_MAX + 1]; /* each of its own range alone */
	_Atomic(uint64_t) sum;
};

/* Several histograms of one scale, added up at one time. Start one as zeros. */
struct histogram_sum {
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
	uint64_t count;
	uint64_t sum; /* of all durations */
};

/* Counts one duration; a bound belongs to the range below it, less than 0 is 0. By one thread at a
 * time. */
void histogram_record(
	struct histogram *histogram, const struct histogram_scale *scale, int64_t duration);

/* Adds what was counted so far. For any thread. */
void histogram_add(struct histogram_sum *sum, const struct histogram *histogram);

/* Adds, or takes away, another sum, which is then an earlier one of the same histograms. */
void histogram_sum_add(struct histogram_sum *sum, const struct histogram_sum *other);
void histogram_sum_subtract(struct histogram_sum *sum, const struct histogram_sum *earlier);

/*
 * The duration that `fraction` (0 to 1) of all do not exceed, evenly spread within its range; above
 * the last bound it is that bound. -1 where nothing was counted.
 */
int64_t histogram_quantile(
	const struct histogram_sum *sum, const struct histogram_scale *scale, double fraction);

#endif
