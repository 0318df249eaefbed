/*
 * Retry-After: never a wait below zero or above five minutes; and a date that libcurl can read too
 * is the same to it.
 *
 * Input: a line with the wall clock's time in seconds; then the header's value.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/retry.h"
#include "fuzz.h"

#define LAST_YEAR_S INT64_C(253402300799) /* the end of 9999 */

static bool is_number(struct bytes text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.length > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes value = {(const char *)data, size};
	CLEANUP(free_pointer) char *first = fuzz_text(fuzz_take_line(&value));
	CLEANUP(free_pointer) char *text = fuzz_text(bytes_trimmed(value));
	int64_t wall_s = (int64_t)(strtoull(first, NULL, 10) % (uint64_t)LAST_YEAR_S);
	int64_t wait_ns = retry_after_parse(value, wall_s * 1000);
	REQUIRE(wait_ns >= 0 && wait_ns <= RETRY_AFTER_MAX_NS);
	if (is_number(bytes_trimmed(value))) {
		unsigned long long seconds = strtoull(text, NULL, 10);
		int64_t most_s = RETRY_AFTER_MAX_NS / NS_PER_S;
		REQUIRE(wait_ns ==
			(seconds > (unsigned long long)most_s ? most_s : (int64_t)seconds) *
				NS_PER_S);
	} else if (wait_ns > 0 && wait_ns < RETRY_AFTER_MAX_NS && strchr(text, '-') == NULL) {
		/* With a dash it is a date whose year has two digits: libcurl takes the century
		 * from elsewhere. */
		time_t date_s = curl_getdate(text, NULL);
		REQUIRE(date_s == -1 || date_s == wall_s + wait_ns / NS_PER_S);
	}
	return 0;
}
