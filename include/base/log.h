/*
 * The log: one line an event of the service's life, to standard error.
 *
 *	log_warn(log, "line stopped", LOG_TEXT("cause", "credentials"), LOG_INT("waiting", 4102));
 *
 * writes time, level, message, then names and values; as text for people
 *
 *	2026-11-24T03:12:00.120Z warn  line stopped cause=credentials waiting=4102
 *
 * or as one JSON object. Only `app` logs. No line holds patient data or a secret: a request is
 * named by topic, partition and offset.
 *
 * A thread of the log's own writes, so that nobody else ever waits for a pipe that is full or a
 * disk that is slow: while too much waits to be written, lines are dropped and counted, and the log
 * says how many are missing once it can. Of lines that are alike, only so many are written in 10 s;
 * the rest is told as "17 more like this in 10 s". At debug all are written.
 *
 * Every function but log_new() and log_free() is safe from any thread; a line is written whole.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format {
	LOG_FORMAT_AUTO, /* text on a terminal, JSON elsewhere */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

struct log;

/* A name and a value of a line. Made by LOG_TEXT, LOG_INT and LOG_BOOL. */
struct log_field {
	const char *name;
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_BOOL } type;
	const char *text; /* NULL is written as null */
	int64_t integer;
};

#define LOG_TEXT(name, value) ((struct log_field){(name), LOG_FIELD_TEXT, (value), 0})
#define LOG_INT(name, value)  ((struct log_field){(name), LOG_FIELD_INT, NULL, (int64_t)(value)})
#define LOG_BOOL(name, value) ((struct log_field){(name), LOG_FIELD_BOOL, NULL, (value) ? 1 : 0})

/*
 * A log that writes to a file descriptor, which stays the caller's and must outlive it. Colours are
 * used for text on a terminal, unless NO_COLOR is set (no-color.org). Its thread has the caller's
 * signal mask. NULL and err when out of memory or threads.
 */
struct log *log_new(
	int descriptor, enum log_level level, enum log_format format, struct error *err);

/* Waits a second or two for what is still to be written. NULL is fine. */
void log_free(struct log *log);

/* Waits until all lines are written, at most timeout_ms; true where they are, or were dropped. */
bool log_flush(struct log *log, int timeout_ms);

/* Lines below the level are not written. */
void log_set_level(struct log *log, enum log_level level);

/* Whether a line of this level is written: ask before making a costly field. */
bool log_wants(const struct log *log, enum log_level level);

/* Has one line written. A line that cannot be written is dropped and counted. */
void log_write(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t count);

/* How many lines were dropped so far. */
uint64_t log_dropped(const struct log *log);

/* The fields of a line, with an empty one at the end so that there may be none. */
#define LOG_FIELDS_(...) ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define LOG_LINE_(log, level, message, ...)                                                        \
	log_write((log), (level), (message), LOG_FIELDS_(__VA_ARGS__),                             \
		array_length(LOG_FIELDS_(__VA_ARGS__)) - 1)

#define log_debug(log, message, ...) LOG_LINE_((log), LOG_LEVEL_DEBUG, (message), __VA_ARGS__)
#define log_info(log, message, ...)  LOG_LINE_((log), LOG_LEVEL_INFO, (message), __VA_ARGS__)
#define log_warn(log, message, ...)  LOG_LINE_((log), LOG_LEVEL_WARN, (message), __VA_ARGS__)
#define log_error(log, message, ...) LOG_LINE_((log), LOG_LEVEL_ERROR, (message), __VA_ARGS__)

#endif
