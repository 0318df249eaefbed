/*
 * Progress of long work, on standard error: a bar on a terminal, a plain line now and then
 * elsewhere.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool terminal;
	size_t width;
	const char *what;
	int64_t next_ns; /* when it says something again */
};

/* Looks at what standard error is. */
void progress_open(struct progress *progress);

/* A new piece of work begins: "error events read". */
void progress_begin(struct progress *progress, const char *what);

/* So much of it is done. Cheap where it is called often. */
void progress_update(struct progress *progress, int64_t done, int64_t total);

/* It has ended: takes the bar away and says how far it came. */
void progress_end(struct progress *progress, int64_t done, int64_t total);

/* Writes "[####....] 4 of 8  TEXT", cut to `size` with its zero; total is above 0. */
void progress_bar(char *ret_line, size_t size, int64_t done, int64_t total, const char *text);

#endif
