#include "base/spelling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void counts_what_must_be_changed(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		size_t distance;
	} pairs[] = {
		{"", "", 0},
		{"", "abc", 3},
		{"brokers", "brokers", 0},
		{"Brokers", "bROKERS", 0},
		{"broker", "brokers", 1},
		{"brokrs", "brokers", 1},
		{"brokexs", "brokers", 1},
		{"brokres", "brokers", 1},
		{"rbokesr", "brokers", 2},
		{"kitten", "sitting", 3},
		{"abc", "xyz", 3},
	};
	for (size_t i = 0; i < array_length(pairs); i++) {
		assert_int_equal(spelling_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
		assert_int_equal(spelling_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
	}
}

static void a_name_too_long_is_near_to_none(void **state)
{
	(void)state;
	char text[SPELLING_MAX + 2];
	memset(text, 'a', sizeof(text));
	text[SPELLING_MAX + 1] = '\0';
	assert_true(spelling_distance(text, "a") == SIZE_MAX);
	assert_true(spelling_distance("a", text) == SIZE_MAX);
	text[SPELLING_MAX] = '\0';
	assert_int_equal(spelling_distance(text, ""), SPELLING_MAX);
	assert_int_equal(spelling_distance("", text), SPELLING_MAX);
	assert_true(spelling_distance(text, text) == 0);
}

static void longer_names_may_hold_more_mistakes(void **state)
{
	(void)state;
	assert_int_equal(spelling_near("rn"), 1);
	assert_int_equal(spelling_near("run"), 2);
	assert_int_equal(spelling_near("brokers"), 3);
	assert_int_equal(spelling_near("a name that is rather long"), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_must_be_changed),
		cmocka_unit_test(a_name_too_long_is_near_to_none),
		cmocka_unit_test(longer_names_may_hold_more_mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
