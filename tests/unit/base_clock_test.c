#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"

static void writes_known_times(void **state)
{
	(void)state;
	static const struct {
		int64_t wall_ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{951782399999, "2000-02-28T23:59:59.999Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{951868800000, "2000-03-01T00:00:00.000Z"},
		{1795489200120, "2026-11-24T03:00:00.120Z"},
		{4107542399000, "2100-02-28T23:59:59.000Z"},
		{4107542400000, "2100-03-01T00:00:00.000Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
		{-62167219200000, "0000-01-01T00:00:00.000Z"},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		char text[RFC3339_SIZE];
		rfc3339_format(cases[i].wall_ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void writes_times_out_of_range_as_the_nearest_inside(void **state)
{
	(void)state;
	char text[RFC3339_SIZE];
	rfc3339_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	rfc3339_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

/* The first or the last millisecond of every day of the 10,000 years. */
static void agrees_with_the_c_library_on_every_day(void **state)
{
	(void)state;
	for (int64_t day = -719528; day <= 2932896; day++) {
		int64_t wall_ms = day * 86400000 + (day % 2 == 0 ? 0 : 86399999);
		time_t seconds = (time_t)(day * 86400);
		struct tm parts;
		gmtime_r(&seconds, &parts);
		char text[RFC3339_SIZE];
		rfc3339_format(wall_ms, text);
		int year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 +
			   (text[3] - '0');
		int month = (text[5] - '0') * 10 + (text[6] - '0');
		int date = (text[8] - '0') * 10 + (text[9] - '0');
		if (year != parts.tm_year + 1900 || month != parts.tm_mon + 1 ||
			date != parts.tm_mday)
			fail_msg("day %lld: %s", (long long)day, text);
		assert_string_equal(text + 10, day % 2 == 0 ? "T00:00:00.000Z" : "T23:59:59.999Z");
	}
}

static void writes_every_time_of_day(void **state)
{
	(void)state;
	for (int second = 0; second < 86400; second++) {
		char text[RFC3339_SIZE];
		char wanted[64];
		rfc3339_format(second * INT64_C(1000) + second % 1000, text);
		snprintf(wanted, sizeof(wanted), "1970-01-01T%02d:%02d:%02d.%03dZ", second / 3600,
			second / 60 % 60, second % 60, second % 1000);
		assert_string_equal(text, wanted);
	}
}

static void reads_what_it_writes(void **state)
{
	(void)state;
	static const int64_t times[] = {
		0, -1, 951782400000, 1795489200120, 253402300799999, -62167219200000};
	for (size_t i = 0; i < array_length(times); i++) {
		char text[RFC3339_SIZE];
		int64_t read = 0;
		rfc3339_format(times[i], text);
		assert_true(rfc3339_parse(bytes_of_text(text), &read));
		assert_int_equal(read, times[i]);
	}
}

static void reads_every_form_of_rfc_3339(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t wall_ms;
	} cases[] = {
		{"2026-11-24T03:00:00Z", 1795489200000},
		{"2026-11-24t03:00:00z", 1795489200000},
		{"2026-11-24 03:00:00Z", 1795489200000},
		{"2026-11-24T04:00:00+01:00", 1795489200000},
		{"2026-11-23T21:30:00-05:30", 1795489200000},
		{"2026-11-24T03:00:00.1Z", 1795489200100},
		{"2026-11-24T03:00:00.1209999999Z", 1795489200120},
		{"1990-12-31T23:59:60Z", 662688000000},
		{"2000-02-29T00:00:00.000Z", 951782400000},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		int64_t read = 0;
		if (!rfc3339_parse(bytes_of_text(cases[i].text), &read))
			fail_msg("%s was not read", cases[i].text);
		assert_int_equal(read, cases[i].wall_ms);
	}
}

static void reads_nothing_that_is_no_time(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "Z", "2026", "2026-11-24", "2026-11-24T03:00:00",
		"2026-11-24T03:00Z", "2026-11-24T03:00:00.Z", "2026-11-24T03:00:00Zx",
		"2026-11-24T03:00:00+1:00", "2026-11-24T03:00:00+0100", "2026-11-24T03:00:00+24:00",
		"2026-11-24T24:00:00Z", "2026-11-24T03:60:00Z", "2026-11-24T03:00:61Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-11-00T00:00:00Z", "26-11-24T03:00:00Z",
		"2026/11/24T03:00:00Z", "2026-11-24T03.00.00Z", " 2026-11-24T03:00:00Z",
		"-026-11-24T03:00:00Z"};
	for (size_t i = 0; i < array_length(texts); i++) {
		int64_t read = 7;
		if (rfc3339_parse(bytes_of_text(texts[i]), &read))
			fail_msg("\"%s\" was read", texts[i]);
		assert_int_equal(read, 7);
	}
	int64_t read = 7;
	assert_false(rfc3339_parse((struct bytes){0}, &read));
	assert_false(rfc3339_parse(BYTES("2026-11-24T03:00:00\0"), &read));
}

static void clocks_advance(void **state)
{
	(void)state;
	int64_t first = clock_monotonic_ns();
	assert_true(clock_monotonic_ns() >= first);
	assert_true(clock_wall_ms() / 1000 - (int64_t)time(NULL) <= 1);
	assert_true((int64_t)time(NULL) - clock_wall_ms() / 1000 <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_times),
		cmocka_unit_test(writes_times_out_of_range_as_the_nearest_inside),
		cmocka_unit_test(agrees_with_the_c_library_on_every_day),
		cmocka_unit_test(writes_every_time_of_day),
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(reads_every_form_of_rfc_3339),
		cmocka_unit_test(reads_nothing_that_is_no_time),
		cmocka_unit_test(clocks_advance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
