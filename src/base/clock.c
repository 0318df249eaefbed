#include "base/clock.h"

#include <errno.h>
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

void clock_sleep_until(int64_t until)
{
	struct timespec time = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
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

/* Reads so many digits at the beginning of what is left, and takes them off; -1: they are not
 * there. */
static int take_digits(struct bytes *left, size_t count)
{
	int number = 0;
	if (left->length < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char c = left->data[i];
		if (c < '0' || c > '9')
			return -1;
		number = number * 10 + (c - '0');
	}
	left->data += count;
	left->length -= count;
	return number;
}

/* Takes one of these characters off; 0: none of them is there. */
static char take_one(struct bytes *left, const char *characters)
{
	char c = '\0';
	if (left->length > 0)
		c = left->data[0];
	if (c == '\0' || strchr(characters, c) == NULL)
		return '\0';
	left->data++;
	left->length--;
	return c;
}

/* "2026-11-24T03:00:00" */
static bool take_date_and_time(struct bytes *left, struct tm *ret_parts)
{
	struct tm parts = {0};
	int year = take_digits(left, 4);
	bool dash = take_one(left, "-") != '\0';
	parts.tm_mon = take_digits(left, 2) - 1;
	dash = take_one(left, "-") != '\0' && dash;
	parts.tm_mday = take_digits(left, 2);
	bool between = take_one(left, "Tt ") != '\0' && dash;
	parts.tm_hour = take_digits(left, 2);
	between = take_one(left, ":") != '\0' && between;
	parts.tm_min = take_digits(left, 2);
	between = take_one(left, ":") != '\0' && between;
	parts.tm_sec = take_digits(left, 2);
	parts.tm_year = year - 1900;
	*ret_parts = parts;
	return between && year >= 0 && parts.tm_mon >= 0 && parts.tm_mon < 12 &&
	       parts.tm_mday > 0 && parts.tm_hour >= 0 && parts.tm_hour < 24 && parts.tm_min >= 0 &&
	       parts.tm_min < 60 && parts.tm_sec >= 0 && parts.tm_sec <= 60;
}

/* ".120", where it is there. */
static bool take_fraction(struct bytes *left, int *ret_ms)
{
	int ms = 0;
	int scale = 100;
	if (take_one(left, ".") == '\0')
		return true;
	size_t digits = 0;
	for (int digit; (digit = take_digits(left, 1)) >= 0; digits++) {
		ms += digit * scale;
		scale /= 10;
	}
	*ret_ms = ms;
	return digits > 0;
}

/* "Z", "+01:00" */
static bool take_zone(struct bytes *left, int *ret_minutes)
{
	char sign = take_one(left, "Zz+-");
	if (sign == 'Z' || sign == 'z')
		return true;
	int hours = take_digits(left, 2);
	bool colon = take_one(left, ":") != '\0';
	int minutes = take_digits(left, 2);
	*ret_minutes = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
	return sign != '\0' && colon && hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

bool rfc3339_parse(struct bytes text, int64_t *ret_wall_ms)
{
	struct tm parts;
	int ms = 0;
	int zone_minutes = 0;
	if (!take_date_and_time(&text, &parts) || !take_fraction(&text, &ms) ||
		!take_zone(&text, &zone_minutes) || text.length > 0)
		return false;
	/* timegm() makes the 1st of May of the 31st of April. */
	struct tm day = {
		.tm_year = parts.tm_year, .tm_mon = parts.tm_mon, .tm_mday = parts.tm_mday};
	timegm(&day);
	if (day.tm_mday != parts.tm_mday)
		return false;
	int64_t seconds = (int64_t)timegm(&parts) - zone_minutes * INT64_C(60);
	*ret_wall_ms = seconds * 1000 + ms;
	return true;
}
