#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

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

void rfc3339_format(int64_t wall_ms, char ret_text[static RFC3339_SIZE])
{
	if (wall_ms < FIRST_MS)
		wall_ms = FIRST_MS;
	if (wall_ms > LAST_MS)
		wall_ms = LAST_MS;
	int64_t milliseconds = ((wall_ms % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((wall_ms - milliseconds) / 1000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	char text[64];
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
		parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		(int)milliseconds);
	snprintf(ret_text, RFC3339_SIZE, "%.24s", text);
}
