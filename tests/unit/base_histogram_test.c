#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct histogram_scale scale = {3, {10 * NS_PER_MS, 100 * NS_PER_MS, NS_PER_S}};

static void a_duration_counts_in_the_first_range_that_holds_it(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	struct histogram_sum sum = {0};
	const int64_t durations[] = {
		-1, 0, 10 * NS_PER_MS, 10 * NS_PER_MS + 1, NS_PER_S, NS_PER_S + 1, 3600 * NS_PER_S};
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		histogram_record(&histogram, &scale, durations[i]);
	histogram_add(&sum, &histogram);
	assert_int_equal(sum.counts[0], 3);
	assert_int_equal(sum.counts[1], 1);
	assert_int_equal(sum.counts[2], 1);
	assert_int_equal(sum.counts[3], 2);
	assert_int_equal(sum.count, 7);
	assert_int_equal(sum.sum, 20 * NS_PER_MS + 1 + 2 * NS_PER_S + 1 + 3600 * NS_PER_S);
}

static void those_of_several_threads_are_added_up(void **state)
{
	(void)state;
	struct histogram one = {0};
	struct histogram other = {0};
	struct histogram_sum sum = {0};
	histogram_record(&one, &scale, 1);
	histogram_record(&other, &scale, 2);
	histogram_record(&other, &scale, NS_PER_S);
	histogram_add(&sum, &one);
	histogram_add(&sum, &other);
	assert_int_equal(sum.counts[0], 2);
	assert_int_equal(sum.counts[2], 1);
	assert_int_equal(sum.count, 3);
	assert_int_equal(sum.sum, NS_PER_S + 3);
}

static void what_came_since_is_the_difference(void **state)
{
	(void)state;
	struct histogram histogram = {0};
	struct histogram_sum before = {0};
	struct histogram_sum since = {0};
	histogram_record(&histogram, &scale, 5);
	histogram_add(&before, &histogram);
	histogram_record(&histogram, &scale, 50 * NS_PER_MS);
	histogram_add(&since, &histogram);
	histogram_sum_subtract(&since, &before);
	assert_int_equal(since.counts[0], 0);
	assert_int_equal(since.counts[1], 1);
	assert_int_equal(since.count, 1);
	assert_int_equal(since.sum, 50 * NS_PER_MS);
	histogram_sum_add(&since, &before);
	assert_int_equal(since.count, 2);
}

static void a_quantile_lies_within_the_range_that_it_falls_into(void **state)
{
	(void)state;
	struct histogram_sum sum = {.counts = {50, 40, 9, 1}, .count = 100};
	assert_int_equal(histogram_quantile(&sum, &scale, 0.25), 5 * NS_PER_MS);
	assert_int_equal(histogram_quantile(&sum, &scale, 0.5), 10 * NS_PER_MS);
	assert_int_equal(histogram_quantile(&sum, &scale, 0.7), 55 * NS_PER_MS);
	assert_int_equal(histogram_quantile(&sum, &scale, 0.99), NS_PER_S);
	assert_int_equal(histogram_quantile(&sum, &scale, 1), NS_PER_S);
}

static void of_nothing_there_is_no_quantile(void **state)
{
	(void)state;
	const struct histogram_sum sum = {0};
	assert_int_equal(histogram_quantile(&sum, &scale, 0.5), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_counts_in_the_first_range_that_holds_it),
		cmocka_unit_test(those_of_several_threads_are_added_up),
		cmocka_unit_test(what_came_since_is_the_difference),
		cmocka_unit_test(a_quantile_lies_within_the_range_that_it_falls_into),
		cmocka_unit_test(of_nothing_there_is_no_quantile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
