#include "gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START (1000 * NS_PER_S)

/* Results come one by one, every so often; returns how many of them had to wait. */
static int count_waiting(struct gather *gather, int64_t *now, int64_t every_ns, int results)
{
	int waiting = 0;
	for (int i = 0; i < results; i++, *now += every_ns) {
		gather_note(gather, 1);
		int64_t until = gather_until(gather, *now);
		assert_true(until >= *now && until <= *now + GATHER_WINDOW_NS);
		waiting += until > *now ? 1 : 0;
	}
	return waiting;
}

static void results_that_come_slowly_go_at_once(void **state)
{
	(void)state;
	struct gather gather = {0};
	int64_t now = START;
	assert_int_equal(count_waiting(&gather, &now, NS_PER_MS, 1000), 0);
}

static void results_that_come_fast_go_once_a_window(void **state)
{
	(void)state;
	struct gather gather = {0};
	int64_t now = START;
	count_waiting(&gather, &now, NS_PER_MS / 10, 200);
	assert_in_range(count_waiting(&gather, &now, NS_PER_MS / 10, 1000), 988, 992);
}

static void the_first_after_a_rest_goes_at_once(void **state)
{
	(void)state;
	struct gather gather = {0};
	int64_t now = START;
	count_waiting(&gather, &now, NS_PER_MS / 10, 1000);
	now += 3 * GATHER_WINDOW_NS;
	assert_int_equal(count_waiting(&gather, &now, NS_PER_MS, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_that_come_slowly_go_at_once),
		cmocka_unit_test(results_that_come_fast_go_once_a_window),
		cmocka_unit_test(the_first_after_a_rest_goes_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
