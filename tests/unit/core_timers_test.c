#include "timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/retry.h"

#define COUNT 500

static void the_earliest_comes_first(void **state)
{
	(void)state;
	struct timers timers = {0};
	struct timer all[COUNT];
	struct random random = {1};
	assert_null(timers_first(&timers));
	assert_true(timers_reserve(&timers, COUNT, NULL));
	for (size_t i = 0; i < COUNT; i++)
		timers_add(&timers, &all[i], (int64_t)random_below(&random, 100));
	int64_t last = 0;
	for (size_t i = 0; i < COUNT; i++) {
		struct timer *first = timers_first(&timers);
		assert_true(first->at >= last);
		last = first->at;
		timers_remove(&timers, first);
	}
	assert_null(timers_first(&timers));
	timers_fini(&timers);
}

static int64_t earliest(const struct timer *all, const char *there)
{
	int64_t time = INT64_MAX;
	for (size_t i = 0; i < COUNT; i++)
		if (there[i] && all[i].at < time)
			time = all[i].at;
	return time;
}

static void any_may_be_taken_out(void **state)
{
	(void)state;
	struct timers timers = {0};
	struct timer all[COUNT];
	char there[COUNT] = {0};
	struct random random = {2};
	assert_true(timers_reserve(&timers, COUNT, NULL));
	for (int i = 0; i < 20000; i++) {
		size_t k = random_below(&random, COUNT);
		if (there[k])
			timers_remove(&timers, &all[k]);
		else
			timers_add(&timers, &all[k], (int64_t)random_below(&random, 1000));
		there[k] = (char)!there[k];
		if (memchr(there, 1, COUNT) != NULL)
			assert_true(timers_first(&timers)->at == earliest(all, there));
	}
	timers_fini(&timers);
}

static void room_grows(void **state)
{
	(void)state;
	struct timers timers = {0};
	struct timer all[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(timers_reserve(&timers, i + 1, NULL));
		timers_add(&timers, &all[i], (int64_t)(COUNT - i));
		assert_ptr_equal(timers_first(&timers), &all[i]);
	}
	timers_fini(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_comes_first),
		cmocka_unit_test(any_may_be_taken_out),
		cmocka_unit_test(room_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
