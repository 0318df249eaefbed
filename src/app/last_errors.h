/*
 * The last error events: which requests ended in one and why, for whoever opens the status page and
 * wonders what those are that he sees counted.
 *
 * Delivery notes each when the broker has acknowledged it; any thread may read. A request is named
 * by its place, never by what is in it. A customer without a case is an answer, and not among them.
 */
#ifndef APP_LAST_ERRORS_H
#define APP_LAST_ERRORS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outcome.h"

#define LAST_ERRORS 10

struct last_error {
	int64_t wall_ms;
	const char *topic; /* one of kafka.request_topics */
	int32_t partition;
	int64_t offset;
	enum reason reason;
	int http_status; /* of the last reply; 0: there was none */
};

/* Start one as zeros, but for the lock. */
struct last_errors {
	pthread_mutex_t lock;
	struct last_error errors[LAST_ERRORS]; /* a ring: the oldest at `next` once it is full */
	size_t next;
	size_t count;
};

void last_errors_note(struct last_errors *last, const struct last_error *error);

/* Copies them, the newest first; how many they are. */
size_t last_errors_copy(struct last_errors *last, struct last_error ret_errors[LAST_ERRORS]);

#endif
