/*
 * Clocks: reading the time, and writing it as text.
 *
 * Durations and points of the monotonic clock are int64_t nanoseconds, `..._ns` or plain `now`;
 * points of the wall clock are int64_t milliseconds since 1970 in UTC, `..._ms`. Only `io` and
 * `app` read a clock; `core` is told the time by its caller. Every function is safe from any
 * thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* Later than every time: "wait until something happens". */
#define TIME_NEVER INT64_MAX

/* Time since some fixed point, which never jumps. */
int64_t clock_monotonic_ns(void);

/* Time since 1970 in UTC, which jumps where somebody sets the clock. */
int64_t clock_wall_ms(void);

/* Sleeps until the monotonic clock reaches `until`. */
void clock_sleep_until(int64_t until);

/* "2026-11-24T03:00:00.120Z" and its zero. */
#define RFC3339_SIZE 25

/*
 * Writes a wall-clock time as RFC 3339 in UTC with milliseconds. Times outside the years 0 to 9999
 * are written as the nearest time inside.
 */
void rfc3339_format(int64_t wall_ms, char ret_text[static RFC3339_SIZE]);

/*
 * Reads a date and time of RFC 3339, section 5.6: "2026-11-24T03:00:00Z", with or without a
 * fraction, in any time zone; what is finer than milliseconds is cut off. False where it is none,
 * such as the 31st of April.
 */
bool rfc3339_parse(struct bytes text, int64_t *ret_wall_ms);

#endif
