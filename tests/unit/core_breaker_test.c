#include "core/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define WINDOW (10 * NS_PER_S)
#define NOW    (1000 * NS_PER_S)

static void count(struct breaker *breaker, int fine, int failed, int64_t now)
{
	for (int i = 0; i < fine; i++)
		breaker_answered(breaker, 0, now);
	for (int i = 0; i < failed; i++)
		breaker_failed(breaker, now);
}

static void it_trips_at_the_share_of_failures(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 50, 10, WINDOW);
	assert_false(breaker_tripped(&breaker, NOW));
	count(&breaker, 6, 5, NOW);
	assert_false(breaker_tripped(&breaker, NOW));
	count(&breaker, 0, 1, NOW);
	assert_true(breaker_tripped(&breaker, NOW));
}

static void few_requests_prove_nothing(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 50, 10, WINDOW);
	count(&breaker, 0, 9, NOW);
	assert_false(breaker_tripped(&breaker, NOW));
	count(&breaker, 0, 1, NOW);
	assert_true(breaker_tripped(&breaker, NOW));
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 50, 10, WINDOW);
	count(&breaker, 0, 10, NOW);
	assert_true(breaker_tripped(&breaker, NOW + WINDOW - NS_PER_S));
	assert_false(breaker_tripped(&breaker, NOW + WINDOW));
	count(&breaker, 10, 0, NOW + WINDOW);
	assert_false(breaker_tripped(&breaker, NOW + WINDOW));
	/* A bucket is used again ten buckets later, whatever it counted. */
	count(&breaker, 0, 10, NOW + 2 * WINDOW);
	assert_true(breaker_tripped(&breaker, NOW + 2 * WINDOW));
}

static void a_reset_forgets_all(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 1, 1, WINDOW);
	count(&breaker, 0, 10, NOW);
	breaker_reset(&breaker);
	assert_false(breaker_tripped(&breaker, NOW));
	count(&breaker, 1, 0, NOW);
	assert_false(breaker_tripped(&breaker, NOW));
}

static void what_was_disproved_is_not_the_apis_fault(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 50, 10, WINDOW);
	count(&breaker, 5, 5, NOW);
	assert_true(breaker_tripped(&breaker, NOW));
	breaker_disproved(&breaker);
	assert_false(breaker_tripped(&breaker, NOW));
	/* Poison is no part of the whole either: five more make ten, and none of them failed. */
	count(&breaker, 5, 0, NOW);
	assert_false(breaker_tripped(&breaker, NOW));
}

static void failures_of_an_event_that_is_answered_after_all_are_the_apis_fault(void **state)
{
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 50, 10, WINDOW);
	count(&breaker, 4, 3, NOW);
	breaker_disproved(&breaker);
	breaker_answered(&breaker, 3, NOW);
	assert_false(breaker_tripped(&breaker, NOW));
	breaker_answered(&breaker, 3, NOW);
	assert_true(breaker_tripped(&breaker, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_trips_at_the_share_of_failures),
		cmocka_unit_test(few_requests_prove_nothing),
		cmocka_unit_test(what_is_older_than_the_window_is_forgotten),
		cmocka_unit_test(a_reset_forgets_all),
		cmocka_unit_test(what_was_disproved_is_not_the_apis_fault),
		cmocka_unit_test(
			failures_of_an_event_that_is_answered_after_all_are_the_apis_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
