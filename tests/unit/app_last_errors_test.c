#include "last_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void note(struct last_errors *last, int64_t offset)
{
	const struct last_error error = {.topic = "requests", .offset = offset};
	last_errors_note(last, &error);
}

static void the_newest_comes_first(void **state)
{
	(void)state;
	struct last_errors last = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct last_error errors[LAST_ERRORS];
	assert_int_equal(last_errors_copy(&last, errors), 0);
	note(&last, 5);
	note(&last, 3);
	assert_int_equal(last_errors_copy(&last, errors), 2);
	assert_int_equal(errors[0].offset, 3);
	assert_int_equal(errors[1].offset, 5);
}

static void the_oldest_make_room(void **state)
{
	(void)state;
	struct last_errors last = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct last_error errors[LAST_ERRORS];
	for (int i = 0; i < 2 * LAST_ERRORS + 3; i++)
		note(&last, i);
	assert_int_equal(last_errors_copy(&last, errors), LAST_ERRORS);
	for (int i = 0; i < LAST_ERRORS; i++)
		assert_int_equal(errors[i].offset, 2 * LAST_ERRORS + 2 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_comes_first),
		cmocka_unit_test(the_oldest_make_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
