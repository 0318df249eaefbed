#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void writes_a_sentence_and_returns_false(void **state)
{
	(void)state;
	struct error err = {0};
	assert_false(error_set(&err, "no file %s", "x"));
	assert_string_equal(err.text, "no file x");
	assert_false(error_memory(&err));
	assert_string_equal(err.text, "out of memory");
	assert_false(error_system(&err, ENOENT, "open %s", "x"));
	assert_string_equal(err.text, "open x: No such file or directory");
}

static void puts_a_prefix_in_front(void **state)
{
	(void)state;
	struct error err = {0};
	error_set(&err, "inner");
	assert_false(error_prefix(&err, "line %d", 3));
	assert_false(error_prefix(&err, "file"));
	assert_string_equal(err.text, "file: line 3: inner");
}

static void nobody_needs_to_care_why(void **state)
{
	(void)state;
	assert_false(error_set(NULL, "x"));
	assert_false(error_system(NULL, ENOENT, "x"));
	assert_false(error_prefix(NULL, "x"));
	assert_false(error_memory(NULL));
}

static void marks_a_sentence_that_is_cut(void **state)
{
	(void)state;
	char text[2 * ERROR_TEXT_SIZE];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct error err = {0};
	error_set(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
	assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "x...");
	error_prefix(&err, "file");
	assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
	assert_memory_equal(err.text, "file: xxx", 9);
	assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "x...");
	error_set(&err, "%s", text);
	error_system(&err, ENOENT, "%s", text);
	assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "x...");
}

static void appends_to_what_is_there(void **state)
{
	(void)state;
	struct error err = {0};
	error_set(&err, "choose one of:");
	assert_false(error_append(&err, " %s", "a"));
	assert_false(error_append(&err, ", %s", "b"));
	assert_string_equal(err.text, "choose one of: a, b");
	for (int i = 0; i < ERROR_TEXT_SIZE; i++)
		error_append(&err, "xy");
	assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
	assert_string_equal(err.text + ERROR_TEXT_SIZE - 4, "...");
	assert_false(error_append(NULL, "nobody cares"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_sentence_and_returns_false),
		cmocka_unit_test(puts_a_prefix_in_front),
		cmocka_unit_test(nobody_needs_to_care_why),
		cmocka_unit_test(marks_a_sentence_that_is_cut),
		cmocka_unit_test(appends_to_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
