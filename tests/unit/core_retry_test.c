#include "core/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define NOW_MS INT64_C(1795489200000) /* Tue, 24 Nov 2026 03:00:00 GMT */

static void same_seed_gives_the_same_numbers(void **state)
{
	(void)state;
	struct random a = {7};
	struct random b = {7};
	struct random c = {8};
	int differ = 0;
	for (int i = 0; i < 100; i++) {
		uint64_t number = random_below(&a, UINT64_MAX);
		assert_true(number == random_below(&b, UINT64_MAX));
		differ += number != random_below(&c, UINT64_MAX);
	}
	assert_true(differ > 90);
	/* The first number of the published algorithm for a seed of 0. */
	assert_true(random_below(&(struct random){0}, UINT64_MAX) == UINT64_C(0xe220a8397b1dcdaf));
}

static void numbers_spread_evenly_below_the_bound(void **state)
{
	(void)state;
	struct random random = {1};
	int counts[10] = {0};
	for (int i = 0; i < 100000; i++)
		counts[random_below(&random, 10)]++;
	for (size_t i = 0; i < array_length(counts); i++)
		assert_in_range(counts[i], 9500, 10500);
	for (int i = 0; i < 100; i++)
		assert_int_equal(random_below(&random, 1), 0);
}

/* The longest of many waits: close to the ceiling, since they spread from 0 to it. */
static int64_t longest(unsigned attempt, int64_t initial, int64_t max)
{
	struct random random = {attempt};
	int64_t most = 0;
	for (int i = 0; i < 20000; i++) {
		int64_t wait = retry_backoff(&random, attempt, initial, max);
		assert_true(wait >= 0);
		if (wait > most)
			most = wait;
	}
	return most;
}

static void backoff_doubles_up_to_its_maximum(void **state)
{
	(void)state;
	static const struct {
		unsigned attempt;
		int64_t ceiling;
	} cases[] = {{0, 100}, {1, 100}, {2, 200}, {3, 400}, {6, 3200}, {7, 5000}, {8, 5000},
		{63, 5000}, {64, 5000}, {65, 5000}, {UINT32_MAX, 5000}};
	for (size_t i = 0; i < array_length(cases); i++) {
		int64_t most = longest(cases[i].attempt, 100, 5000);
		assert_in_range(most, cases[i].ceiling * 99 / 100, cases[i].ceiling);
	}
}

static void backoff_of_zero_and_of_the_largest_time_is_fine(void **state)
{
	(void)state;
	assert_int_equal(longest(1, 0, 0), 0);
	assert_int_equal(longest(5, 0, 1000), 0);
	assert_int_equal(longest(70, 0, INT64_MAX), 0);
	assert_int_equal(longest(1, 1000, 0), 0);
	assert_true(longest(64, INT64_MAX, INT64_MAX) > INT64_MAX / 2);
	assert_true(longest(64, 1, INT64_MAX) > INT64_C(1) << 61);
}

static void backoff_spreads_from_zero(void **state)
{
	(void)state;
	struct random random = {3};
	int64_t sum = 0;
	for (int i = 0; i < 10000; i++)
		sum += retry_backoff(&random, 1, 1000, 1000);
	assert_in_range(sum / 10000, 480, 520);
}

static void reads_every_form_of_retry_after(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int64_t wait_ms;
	} cases[] = {
		{"0", 0},
		{"1", 1000},
		{"120", 120000},
		{"  7\t", 7000},
		{"007", 7000},
		{"300", 300000},
		{"301", 300000},
		{"86400", 300000},
		{"99999999999999999999999999999999", 300000},
		{"Tue, 24 Nov 2026 03:00:30 GMT", 30000},
		{"Tuesday, 24-Nov-26 03:00:30 GMT", 30000},
		{"Tue Nov 24 03:00:30 2026", 30000},
		{"Tue, 24 Nov 2026 03:04:59 GMT", 299000},
		{"Tue, 24 Nov 2026 04:00:00 GMT", 300000},
		{"Fri, 24 Nov 2076 03:00:00 GMT", 0}, /* a Tuesday */
		{"Tue, 24 Nov 2076 03:00:00 GMT", 300000},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 300000},
		{"Tue, 24 Nov 2026 03:00:00 GMT", 0},
		{"Tue, 24 Nov 2026 02:59:59 GMT", 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 0},
		{"Sun Nov  6 08:49:37 1994", 0},
		{"Saturday, 24-Nov-75 03:00:00 GMT",
			0}, /* 2075 is less than 50 years ahead: a Sunday */
		{"Sunday, 24-Nov-75 03:00:00 GMT", 300000},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		int64_t wait = retry_after_parse(bytes_of_text(cases[i].value), NOW_MS);
		if (wait != cases[i].wait_ms * NS_PER_MS)
			fail_msg("%s: %lld ns", cases[i].value, (long long)wait);
	}
	assert_int_equal(retry_after_parse((struct bytes){0}, NOW_MS), 0);
}

static void a_retry_after_that_cannot_be_read_asks_for_nothing(void **state)
{
	(void)state;
	static const char *const values[] = {
		"",
		" ",
		"-1",
		"+5",
		"1.5",
		"5 s",
		"5,6",
		"0x10",
		"1e3",
		"soon",
		"Tue, 24 Nov 2026 03:00:30",
		"Tue, 24 Nov 2026 03:00:30 UTC",
		"Tue, 24 Nov 2026 03:00:30 +0000",
		"24 Nov 2026 03:00:30 GMT",
		"Wed, 24 Nov 2026 03:00:30 GMT",
		"Tue, 31 Nov 2026 03:00:30 GMT",
		"Tue, 24 Nov 2026 25:00:30 GMT",
		"Tue, 24 Nov 2026 03:00:30 GMT and then some more text",
		"2026-11-24T03:00:30Z",
	};
	for (size_t i = 0; i < array_length(values); i++)
		if (retry_after_parse(bytes_of_text(values[i]), NOW_MS) != 0)
			fail_msg("%s was read", values[i]);
	struct bytes zero = BYTES("Tue, 24 Nov 2026 03:00:30 GMT\0x");
	assert_int_equal(retry_after_parse(zero, NOW_MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_gives_the_same_numbers),
		cmocka_unit_test(numbers_spread_evenly_below_the_bound),
		cmocka_unit_test(backoff_doubles_up_to_its_maximum),
		cmocka_unit_test(backoff_of_zero_and_of_the_largest_time_is_fine),
		cmocka_unit_test(backoff_spreads_from_zero),
		cmocka_unit_test(reads_every_form_of_retry_after),
		cmocka_unit_test(a_retry_after_that_cannot_be_read_asks_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
