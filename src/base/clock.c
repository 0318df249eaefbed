#include "base/clock.h"

#include <string.h>
#include <time.h>

#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

#define MS_PER_DAY INT64_C(86400000)

int64_t clock_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

/*
 * The date of a day, counted from 1970-01-01: the era-based algorithm of Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms", whose years begin in March.
 */
static void date_of_day(int64_t day, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted =
		day + 719468 + 146097; /* from 0000-03-01, one era on so as to be positive */
	int64_t era = shifted / 146097;
	int64_t of_era = shifted % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153; /* 0: March */
	*ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(year + (era - 1) * 400 + (*ret_month <= 2 ? 1 : 0));
}

/* Writes a number with leading zeros. */
static void put_digits(char *to, int count, int number)
{
	for (int i = count - 1; i >= 0; i--) {
		to[i] = (char)('0' + number % 10);
		number /= 10;
	}
}

void rfc3339_format(int64_t wall_ms, char ret_text[static RFC3339_SIZE])
{
	if (wall_ms < FIRST_MS)
		wall_ms = FIRST_MS;
	if (wall_ms > LAST_MS)
		wall_ms = LAST_MS;
	int64_t in_day = wall_ms % MS_PER_DAY;
	if (in_day < 0)
		in_day += MS_PER_DAY;
	int year;
	int month;
	int day;
	date_of_day((wall_ms - in_day) / MS_PER_DAY, &year, &month, &day);
	int milliseconds = (int)in_day;

	memcpy(ret_text, "0000-00-00T00:00:00.000Z", RFC3339_SIZE);
	put_digits(ret_text, 4, year);
	put_digits(ret_text + 5, 2, month);
	put_digits(ret_text + 8, 2, day);
	put_digits(ret_text + 11, 2, milliseconds / 3600000);
	put_digits(ret_text + 14, 2, milliseconds / 60000 % 60);
	put_digits(ret_text + 17, 2, milliseconds / 1000 % 60);
	put_digits(ret_text + 20, 3, milliseconds % 1000);
}
