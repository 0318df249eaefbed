#include "core/retry.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define RETRY_AFTER_MAX_S (RETRY_AFTER_MAX_NS / NS_PER_S)

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_number(struct random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t mixed = random->state;
	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	/* Numbers beyond the last whole multiple of the bound would favour the low results. */
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
	uint64_t number;
	do
		number = next_number(random);
	while (number >= limit);
	return number % bound;
}

int64_t retry_backoff(struct random *random, unsigned attempt, int64_t initial_ns, int64_t max_ns)
{
	unsigned doublings = attempt > 1 ? attempt - 1 : 0;
	if (doublings > 62)
		doublings = 62;
	bool beyond = initial_ns > max_ns >> doublings;
	int64_t ceiling = beyond ? max_ns : (int64_t)((uint64_t)initial_ns << doublings);
	return (int64_t)random_below(random, (uint64_t)ceiling + 1);
}

static bool read_seconds(struct bytes value, int64_t *ret_wait_ns)
{
	int64_t seconds = 0;
	for (size_t i = 0; i < value.length; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		seconds = seconds * 10 + (value.data[i] - '0');
		if (seconds > RETRY_AFTER_MAX_S)
			seconds = RETRY_AFTER_MAX_S;
	}
	*ret_wait_ns = seconds * NS_PER_S;
	return value.length > 0;
}

/* Reads a date that exists: strptime() alone would take the 31st of February, and any weekday. */
static bool read_date(const char *text, const char *format, int64_t wall_ms, int64_t *ret_date_s)
{
	struct tm parts = {0};
	const char *end = strptime(text, format, &parts);
	if (end == NULL || *end != '\0')
		return false;
	if (strstr(format, "%y") != NULL) {
		/* RFC 9110, 5.6.7: more than 50 years ahead means the past with the same two
		 * digits. */
		time_t wall_s = (time_t)(wall_ms / 1000);
		struct tm now = {0};
		gmtime_r(&wall_s, &now);
		int ahead = (parts.tm_year - now.tm_year) % 100;
		if (ahead < 0)
			ahead += 100;
		parts.tm_year = now.tm_year + (ahead > 50 ? ahead - 100 : ahead);
	}
	struct tm real = parts;
	int64_t date_s = (int64_t)timegm(&real);
	if (real.tm_mday != parts.tm_mday || real.tm_wday != parts.tm_wday)
		return false;
	*ret_date_s = date_s;
	return true;
}

int64_t retry_after_parse(struct bytes value, int64_t wall_ms)
{
	static const char *const formats[] = {
		"%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
		"%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
		"%a %b %e %H:%M:%S %Y",      /* asctime() */
	};
	value = bytes_trimmed(value);
	int64_t wait_ns = 0;
	if (read_seconds(value, &wait_ns))
		return wait_ns;

	char text[48] = {0};
	if (value.length == 0 || value.length >= sizeof(text))
		return 0;
	memcpy(text, value.data, value.length);
	if (strlen(text) != value.length)
		return 0;
	int64_t date_s = 0;
	for (size_t i = 0; i < array_length(formats); i++) {
		if (!read_date(text, formats[i], wall_ms, &date_s))
			continue;
		if (date_s > wall_ms / 1000 + RETRY_AFTER_MAX_S)
			return RETRY_AFTER_MAX_NS;
		int64_t wait_ms = date_s * 1000 - wall_ms;
		return wait_ms > 0 ? wait_ms * NS_PER_MS : 0;
	}
	return 0;
}
