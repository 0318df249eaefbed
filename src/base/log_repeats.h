/*
 * Repeats: which lines of the log are left out because many like them were just written.
 *
 * Lines are alike where they have the same level and message, whatever numbers stand in it. Of
 * those alike, the first LOG_REPEATS_WRITTEN within LOG_REPEATS_WINDOW_NS are written, the others
 * counted; when that time is over, their number is told. Locking must be supplied by the caller.
 */
#ifndef BASE_LOG_REPEATS_H
#define BASE_LOG_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"

#define LOG_REPEATS_WRITTEN   20
#define LOG_REPEATS_WINDOW_NS (10 * NS_PER_S)
#define LOG_REPEATS_KINDS     64  /* told apart at once; lines of further kinds are all written */
#define LOG_REPEATS_MESSAGE   120 /* bytes kept of a message, with its zero */

/* Lines that are alike. */
struct log_kind {
	uint64_t hash;
	int64_t since; /* when the first of them came */
	unsigned count;
	enum log_level level;
	char message[LOG_REPEATS_MESSAGE]; /* of the first */
};

/* Start one as {0}; it needs no end. */
struct log_repeats {
	struct log_kind kinds[LOG_REPEATS_KINDS];
	size_t count;
};

/* Whether the line, which came at `now`, is to be written. */
bool log_repeats_admit(
	struct log_repeats *repeats, enum log_level level, const char *message, int64_t now);

/*
 * Takes out a kind whose time is over, or any with `all`, of which lines were left out; false where
 * there is none. `*ret_left_out` says how many.
 */
bool log_repeats_take(struct log_repeats *repeats, int64_t now, bool all, struct log_kind *ret_kind,
	unsigned *ret_left_out);

/* When log_repeats_take() will have one; TIME_NEVER where no line was left out. */
int64_t log_repeats_due(const struct log_repeats *repeats);

#endif
