#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct bytes absent = {NULL, 0};

static void tells_absent_from_empty(void **state)
{
	(void)state;
	assert_true(bytes_equal(absent, absent));
	assert_true(bytes_equal(BYTES(""), BYTES("")));
	assert_false(bytes_equal(absent, BYTES("")));
	assert_false(bytes_equal_nocase(BYTES(""), absent));
	assert_null(bytes_of_text(NULL).data);
	assert_non_null(bytes_of_text("").data);
}

static void compares_all_bytes_zeros_too(void **state)
{
	(void)state;
	assert_true(bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
	assert_false(bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
	assert_false(bytes_equal(BYTES("ab"), BYTES("abc")));
	assert_false(bytes_equal(BYTES("a"), BYTES("A")));
	assert_true(bytes_equal_nocase(BYTES("Content-Type"), BYTES("content-tYPE")));
	assert_false(bytes_equal_nocase(BYTES("content"), BYTES("content-type")));
}

static void finds_beginnings_and_ends(void **state)
{
	(void)state;
	assert_true(bytes_start_with(BYTES("abc"), BYTES("ab")));
	assert_true(bytes_start_with(BYTES("abc"), BYTES("")));
	assert_true(bytes_start_with(absent, BYTES("")));
	assert_false(bytes_start_with(BYTES("ab"), BYTES("abc")));
	assert_false(bytes_start_with(BYTES("abc"), BYTES("b")));
	assert_true(bytes_end_with(BYTES("abc"), BYTES("bc")));
	assert_true(bytes_end_with(BYTES("abc"), BYTES("abc")));
	assert_false(bytes_end_with(BYTES("bc"), BYTES("abc")));
	assert_false(bytes_end_with(BYTES("abc"), BYTES("b")));
}

static void trims_spaces_and_tabs(void **state)
{
	(void)state;
	assert_true(bytes_equal(bytes_trimmed(BYTES(" \ta b\t ")), BYTES("a b")));
	assert_true(bytes_equal(bytes_trimmed(BYTES("a\n")), BYTES("a\n")));
	assert_int_equal(bytes_trimmed(BYTES("  ")).length, 0);
	assert_null(bytes_trimmed(absent).data);
}

static void packs_one_after_the_other(void **state)
{
	(void)state;
	char room[8];
	char *to = room;
	struct bytes first = bytes_pack(BYTES("ab"), &to);
	assert_null(bytes_pack(absent, &to).data);
	struct bytes empty = bytes_pack(BYTES(""), &to);
	struct bytes last = bytes_pack(BYTES("cd"), &to);
	assert_true(bytes_equal(first, BYTES("ab")) && first.data == room);
	assert_true(empty.data != NULL && empty.length == 0);
	assert_true(bytes_equal(last, BYTES("cd")) && last.data == room + 2);
	assert_ptr_equal(to, room + 4);
}

static void appends_everything_in_order(void **state)
{
	(void)state;
	CLEANUP(buffer_fini) struct buffer buffer = {0};
	assert_int_equal(buffer_bytes(&buffer).length, 0);
	assert_non_null(buffer_bytes(&buffer).data);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_append(&buffer, "a\0", 2);
	buffer_append_bytes(&buffer, BYTES("b"));
	buffer_append_bytes(&buffer, absent);
	buffer_append_text(&buffer, "c");
	buffer_append_format(&buffer, "%s-%d", "d", 5);
	assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("a\0bcd-5")));
	buffer_clear(&buffer);
	buffer_append_text(&buffer, "again");
	assert_string_equal(buffer_text(&buffer), "again");
}

static void appends_integers_from_end_to_end(void **state)
{
	(void)state;
	static const struct {
		int64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {7, "7"}, {10, "10"}, {-1, "-1"}, {-120, "-120"},
		{INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
	CLEANUP(buffer_fini) struct buffer buffer = {0};
	for (size_t i = 0; i < array_length(cases); i++) {
		buffer_clear(&buffer);
		buffer_append_integer(&buffer, cases[i].number);
		assert_string_equal(buffer_text(&buffer), cases[i].text);
	}
}

static void grows_beyond_any_first_size(void **state)
{
	(void)state;
	CLEANUP(buffer_fini) struct buffer buffer = {0};
	for (int i = 0; i < 10000; i++)
		buffer_append_format(&buffer, "%04d", i);
	assert_int_equal(buffer.length, 40000);
	assert_memory_equal(buffer.data + 39996, "9999", 4);
	assert_false(buffer.failed);
}

static void stays_failed_once_memory_ran_out(void **state)
{
	(void)state;
	CLEANUP(buffer_fini) struct buffer buffer = {0};
	buffer_append_text(&buffer, "a");
	buffer_append(&buffer, "", SIZE_MAX / 2);
	assert_true(buffer.failed);
	buffer_append_text(&buffer, "b");
	assert_int_equal(buffer.length, 1);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_clear(&buffer);
	buffer_append_text(&buffer, "c");
	assert_string_equal(buffer_text(&buffer), "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_absent_from_empty),
		cmocka_unit_test(compares_all_bytes_zeros_too),
		cmocka_unit_test(finds_beginnings_and_ends),
		cmocka_unit_test(trims_spaces_and_tabs),
		cmocka_unit_test(packs_one_after_the_other),
		cmocka_unit_test(appends_everything_in_order),
		cmocka_unit_test(appends_integers_from_end_to_end),
		cmocka_unit_test(grows_beyond_any_first_size),
		cmocka_unit_test(stays_failed_once_memory_ran_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
