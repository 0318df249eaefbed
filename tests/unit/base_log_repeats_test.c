#include "log_repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START (5 * NS_PER_S)

static struct log_repeats repeats;
static struct log_kind kind;
static unsigned left_out;

static int start(void **state)
{
	(void)state;
	repeats = (struct log_repeats){0};
	left_out = 0;
	return 0;
}

/* How many of `count` lines like each other are admitted. */
static unsigned admitted(enum log_level level, const char *message, unsigned count, int64_t now)
{
	unsigned written = 0;
	for (unsigned i = 0; i < count; i++)
		written += log_repeats_admit(&repeats, level, message, now);
	return written;
}

static void the_first_lines_are_written_and_the_others_counted(void **state)
{
	(void)state;
	assert_int_equal(admitted(LOG_LEVEL_WARN, "gone", 20, START), 20);
	assert_int_equal(log_repeats_due(&repeats), TIME_NEVER);
	assert_int_equal(admitted(LOG_LEVEL_WARN, "gone", 17, START + NS_PER_S), 0);
	assert_int_equal(log_repeats_due(&repeats), START + LOG_REPEATS_WINDOW_NS);
	assert_false(log_repeats_take(
		&repeats, START + LOG_REPEATS_WINDOW_NS - 1, false, &kind, &left_out));
	assert_true(
		log_repeats_take(&repeats, START + LOG_REPEATS_WINDOW_NS, false, &kind, &left_out));
	assert_int_equal(left_out, 17);
	assert_string_equal(kind.message, "gone");
	assert_int_equal(kind.level, LOG_LEVEL_WARN);
	assert_false(
		log_repeats_take(&repeats, START + LOG_REPEATS_WINDOW_NS, true, &kind, &left_out));
	assert_int_equal(admitted(LOG_LEVEL_WARN, "gone", 21, START + LOG_REPEATS_WINDOW_NS), 20);
}

static void numbers_make_no_difference_but_words_and_levels_do(void **state)
{
	(void)state;
	assert_int_equal(admitted(LOG_LEVEL_WARN, "gone after 7 ms", 20, START), 20);
	assert_int_equal(admitted(LOG_LEVEL_WARN, "gone after 1234 ms", 1, START), 0);
	assert_int_equal(admitted(LOG_LEVEL_WARN, "lost after 7 ms", 1, START), 1);
	assert_int_equal(admitted(LOG_LEVEL_ERROR, "gone after 7 ms", 1, START), 1);
}

static void a_time_without_repeats_is_forgotten(void **state)
{
	(void)state;
	admitted(LOG_LEVEL_INFO, "a", 20, START);
	assert_int_equal(admitted(LOG_LEVEL_INFO, "a", 1, START + LOG_REPEATS_WINDOW_NS), 1);
	assert_int_equal(repeats.count, 1);
}

static void all_are_told_at_the_end(void **state)
{
	(void)state;
	admitted(LOG_LEVEL_INFO, "a", 22, START);
	admitted(LOG_LEVEL_INFO, "b", 23, START);
	unsigned sum = 0;
	while (log_repeats_take(&repeats, START, true, &kind, &left_out))
		sum += left_out;
	assert_int_equal(sum, 5);
}

static void with_too_many_kinds_to_tell_apart_all_lines_are_written(void **state)
{
	(void)state;
	char message[LOG_REPEATS_KINDS + 1] = "";
	for (int i = 0; i < LOG_REPEATS_KINDS; i++) {
		message[i] = 'x';
		assert_int_equal(admitted(LOG_LEVEL_INFO, message, 1, START), 1);
	}
	assert_int_equal(admitted(LOG_LEVEL_INFO, "one more", 30, START), 30);
	assert_int_equal(
		admitted(LOG_LEVEL_INFO, "one more", 30, START + LOG_REPEATS_WINDOW_NS), 20);
}

static void a_long_message_is_cut(void **state)
{
	(void)state;
	char message[3 * LOG_REPEATS_MESSAGE];
	memset(message, 'x', sizeof(message));
	message[sizeof(message) - 1] = '\0';
	admitted(LOG_LEVEL_INFO, message, 21, START);
	assert_true(log_repeats_take(&repeats, START, true, &kind, &left_out));
	assert_int_equal(strlen(kind.message), LOG_REPEATS_MESSAGE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_lines_are_written_and_the_others_counted, start),
		cmocka_unit_test_setup(numbers_make_no_difference_but_words_and_levels_do, start),
		cmocka_unit_test_setup(a_time_without_repeats_is_forgotten, start),
		cmocka_unit_test_setup(all_are_told_at_the_end, start),
		cmocka_unit_test_setup(
			with_too_many_kinds_to_tell_apart_all_lines_are_written, start),
		cmocka_unit_test_setup(a_long_message_is_cut, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
