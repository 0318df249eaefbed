#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void spend(struct budget *budget, size_t events, size_t bytes_each)
{
	for (size_t i = 0; i < events; i++)
		budget_spend(budget, bytes_each);
}

static void is_full_at_either_limit(void **state)
{
	(void)state;
	struct budget by_events = {.max_events = 10, .max_bytes = 1000};
	spend(&by_events, 9, 1);
	assert_false(budget_full(&by_events));
	spend(&by_events, 1, 1);
	assert_true(budget_full(&by_events));
	struct budget by_bytes = {.max_events = 10, .max_bytes = 1000};
	spend(&by_bytes, 2, 500);
	assert_true(budget_full(&by_bytes));
	budget_give_back(&by_bytes, 500);
	assert_false(budget_full(&by_bytes));
}

static void has_an_eighth_free_once_so_much_of_both_is(void **state)
{
	(void)state;
	struct budget budget = {.max_events = 80, .max_bytes = 8000};
	spend(&budget, 70, 100);
	assert_true(budget_free(&budget, 8));
	assert_false(budget_free(&budget, 2));
	spend(&budget, 1, 0);
	assert_false(budget_free(&budget, 8));
	budget_give_back(&budget, 0);
	assert_true(budget_free(&budget, 8));
	budget_give_back(&budget, 100);
	budget_spend(&budget, 101);
	assert_false(budget_free(&budget, 8));
}

/* Else it would be full and open at once, and take more than it may hold. */
static void is_never_both_full_and_free_however_small_it_is(void **state)
{
	(void)state;
	for (size_t max = 1; max <= 20; max++) {
		struct budget budget = {.max_events = max, .max_bytes = SIZE_MAX};
		for (size_t held = 0; held <= max; held++) {
			assert_false(budget_full(&budget) && budget_free(&budget, 8));
			assert_false(budget_full(&budget) && budget_free(&budget, 2));
			assert_true(held > 0 || budget_free(&budget, 8));
			budget_spend(&budget, 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_full_at_either_limit),
		cmocka_unit_test(has_an_eighth_free_once_so_much_of_both_is),
		cmocka_unit_test(is_never_both_full_and_free_however_small_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
