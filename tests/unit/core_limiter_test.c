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

/* `answered` and `refused` requests that started since the last ones end at `now`, well mixed. */
static void end(struct limiter *limiter, unsigned answered, unsigned refused, int64_t now)
{
	const struct limiter_end end = {
		.start = limiter->fell_at + 1, .last_start = limiter->fell_at + 1000};
	unsigned total = answered + refused;
	for (unsigned i = 0; i < total; i++)
		if ((i + 1) * refused / total > i * refused / total)
			limiter_refused(limiter, &end, now);
		else
			limiter_answered(limiter, &end, now);
}

/* A limiter whose first interval, which tells nothing yet, is over at NOW. */
static struct limiter settled(unsigned max_in_flight, bool adaptive)
{
	struct limiter limiter;
	limiter_init(&limiter, max_in_flight, 0, adaptive, NOW - NS_PER_S);
	end(&limiter, 20, 0, NOW);
	return limiter;
}

static void many_refusals_lower_the_limits_once_an_interval(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	end(&limiter, 50, 49, NOW);
	assert_int_equal(limiter_in_flight(&limiter), 100);
	end(&limiter, 0, 1, NOW + NS_PER_S);
	unsigned lowered = limiter_in_flight(&limiter);
	assert_in_range(lowered, 50, 99);
	assert_true(limiter_per_second(&limiter) > 0);
	end(&limiter, 50, 50, NOW + NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
}

static void the_first_interval_after_a_fall_makes_no_other(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	end(&limiter, 25, 25, NOW + NS_PER_S);
	unsigned lowered = limiter_in_flight(&limiter);
	end(&limiter, 25, 25, NOW + 2 * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
	end(&limiter, 25, 25, NOW + 3 * NS_PER_S);
	assert_true(limiter_in_flight(&limiter) < lowered);
}

static void requests_from_before_a_fall_do_not_make_another(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	end(&limiter, 25, 25, NOW + NS_PER_S);
	unsigned lowered = limiter_in_flight(&limiter);
	const struct limiter_end old = {.start = limiter.fell_at, .last_start = limiter.fell_at};
	for (int second = 2; second < 20; second++)
		for (int i = 0; i < 50; i++)
			limiter_refused(&limiter, &old, NOW + second * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
}

static void a_few_refusals_in_a_hundred_lower_nothing(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	for (int i = 1; i < 10; i++)
		end(&limiter, 98, 2, NOW + i * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), 100);
	assert_true(limiter_per_second(&limiter) <= 0);
}

static void refusals_leave_one_request_at_least(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	for (int i = 1; i < 200; i++)
		end(&limiter, 0, 20, NOW + i * 6 * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), 1);
	assert_true(limiter_per_second(&limiter) >= 1);
}

/* A second of as many starts as the limits let through, 1000 at most, of which a fifth is refused.
 */
static int64_t a_fifth_is_refused(struct limiter *limiter, int64_t now)
{
	unsigned started = 0;
	for (int i = 0; i < 1000; i++)
		started += limiter_take(limiter, now + i * NS_PER_MS) == 0 ? 1 : 0;
	now += NS_PER_S;
	end(limiter, started - started / 5, started / 5, now);
	return now;
}

static void a_fall_that_is_in_vain_is_undone(void **state)
{
	(void)state;
	struct limiter limiter = settled(100, true);
	int64_t now = a_fifth_is_refused(&limiter, NOW);
	assert_int_equal(limiter_in_flight(&limiter), 90);
	for (int i = 0; i < 10; i++)
		now = a_fifth_is_refused(&limiter, now);
	assert_int_equal(limiter_in_flight(&limiter), 100);
	assert_true(limiter_per_second(&limiter) <= 0);
	/* After a minute it is tried again. */
	now = a_fifth_is_refused(&limiter, now + 60 * NS_PER_S);
	a_fifth_is_refused(&limiter, now);
	assert_int_equal(limiter_in_flight(&limiter), 90);
}

static void answers_raise_a_limit_that_is_reached(void **state)
{
	(void)state;
	struct limiter limiter = settled(10, true);
	end(&limiter, 10, 10, NOW + NS_PER_S);
	unsigned lowered = limiter_in_flight(&limiter);
	assert_true(lowered < 10);
	struct limiter_end ends = {.start = 5000, .last_start = 5000, .under_way = lowered - 1};
	for (int i = 0; i < 1000; i++)
		limiter_answered(&limiter, &ends, NOW + 2 * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), lowered);
	for (ends.under_way = 10; limiter_in_flight(&limiter) < 10;)
		limiter_answered(&limiter, &ends, NOW + 2 * NS_PER_S);
}

static void nothing_adapts_where_it_is_not_wanted(void **state)
{
	(void)state;
	struct limiter limiter = settled(10, false);
	for (int i = 1; i < 10; i++)
		end(&limiter, 0, 20, NOW + i * NS_PER_S);
	assert_int_equal(limiter_in_flight(&limiter), 10);
	assert_true(limiter_per_second(&limiter) <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_come_in_bursts_of_a_tenth_of_a_second),
		cmocka_unit_test(over_time_starts_are_as_many_as_configured),
		cmocka_unit_test(without_a_rate_all_may_start),
		cmocka_unit_test(many_refusals_lower_the_limits_once_an_interval),
		cmocka_unit_test(the_first_interval_after_a_fall_makes_no_other),
		cmocka_unit_test(requests_from_before_a_fall_do_not_make_another),
		cmocka_unit_test(a_few_refusals_in_a_hundred_lower_nothing),
		cmocka_unit_test(refusals_leave_one_request_at_least),
		cmocka_unit_test(a_fall_that_is_in_vain_is_undone),
		cmocka_unit_test(answers_raise_a_limit_that_is_reached),
		cmocka_unit_test(nothing_adapts_where_it_is_not_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
