/*
 * Errors: what went wrong, as one sentence that a person can act on.
 *
 * A function that can fail returns bool (or a pointer) and takes `struct error *err` as its last
 * parameter. On failure it writes one sentence without a full stop into *err; its other outputs
 * (`ret_...`) stay as they were. A caller that has more to say puts it in front:
 *
 *	if (!settings_load(&settings, path, err))
 *		return error_prefix(err, "configuration %s", path);
 *
 * `err` may be NULL where the caller does not care why. No function here allocates, so an error
 * can always be reported, out of memory too. Nothing here is shared between threads.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TEXT_SIZE 1024

/* Start one as `struct error err = {0};`. */
struct error {
	char text[ERROR_TEXT_SIZE]; /* a sentence; cut, with "..." at its end, where it is longer */
};

/* Writes the sentence. Always returns false, so that a function can end with it. */
bool error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, followed by ": " and the text of the system's error `number` (an errno value). */
bool error_system(struct error *err, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "<the formatted text>: " in front of what is there. Always returns false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds to what is there. Always returns false. */
bool error_append(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes "out of memory". Always returns false. */
bool error_memory(struct error *err);

#endif
