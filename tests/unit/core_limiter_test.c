#include "core/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define NOW (1000 * NS_PER_S)

static void starts_come_in_bursts_of_a_tenth_of_a_second(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 10, 100, false, NOW);
	int64_t now = NOW + 60 * NS_PER_S;
	for (int i = 0; i < 10; i++)
		assert_int_equal(limiter_take(&limiter, now), 0);
	int64_t until = limiter_take(&limiter, now);
	assert_in_range(until - now, 10 * NS_PER_MS, 10 * NS_PER_MS + 2);
	assert_int_equal(limiter_take(&limiter, until), 0);
}

static void over_time_starts_are_as_many_as_configured(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 10, 7, false, NOW);
	unsigned started = 0;
	for (int64_t now = NOW; now < NOW + 100 * NS_PER_S;) {
		int64_t until = limiter_take(&limiter, now);
		started += until == 0 ? 1 : 0;
		now = until == 0 ? now : until;
	}
	assert_in_range(started, 699, 701);
}

static void without_a_rate_all_may_start(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 10, 0, false, NOW);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(limiter_take(&limiter, NOW), 0);
	assert_true(limiter_per_second(&limiter) <= 0);
}

static void a_round_of_refusals_lowers_the_limit_once(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 100, 0, true, NOW);
	limiter_refused(&limiter, 1, 50, NOW);
	unsigned lowered = limiter_in_flight(&limiter);
	assert_in_range(lowered, 50, 99);
	for (uint64_t start = 2; start <= 50; start++)
		limiter_refused(&limiter, start, 50, NOW);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
	limiter_refused(&limiter, 51, 60, NOW);
	assert_true(limiter_in_flight(&limiter) < lowered);
}

static void refusals_leave_one_request_at_least(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 100, 0, true, NOW);
	for (uint64_t start = 1; start < 1000; start++)
		limiter_refused(&limiter, start, start, NOW);
	assert_int_equal(limiter_in_flight(&limiter), 1);
}

static void answers_raise_a_limit_that_is_reached(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 10, 0, true, NOW);
	limiter_refused(&limiter, 1, 1, NOW);
	limiter_refused(&limiter, 2, 2, NOW);
	unsigned lowered = limiter_in_flight(&limiter);
	for (int i = 0; i < 1000; i++)
		limiter_answered(&limiter, lowered - 1, NOW);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
	for (int i = 0; i < 1000; i++)
		limiter_answered(&limiter, limiter_in_flight(&limiter), NOW);
	assert_int_equal(limiter_in_flight(&limiter), 10);
}

static void nothing_adapts_where_it_is_not_wanted(void **state)
{
	(void)state;
	struct limiter limiter;
	limiter_init(&limiter, 10, 0, false, NOW);
	for (uint64_t start = 1; start < 100; start++)
		limiter_refused(&limiter, start, start, NOW + (int64_t)start * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), 10);
	assert_true(limiter_per_second(&limiter) <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_come_in_bursts_of_a_tenth_of_a_second),
		cmocka_unit_test(over_time_starts_are_as_many_as_configured),
		cmocka_unit_test(without_a_rate_all_may_start),
		cmocka_unit_test(a_round_of_refusals_lowers_the_limit_once),
		cmocka_unit_test(refusals_leave_one_request_at_least),
		cmocka_unit_test(answers_raise_a_limit_that_is_reached),
		cmocka_unit_test(nothing_adapts_where_it_is_not_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
