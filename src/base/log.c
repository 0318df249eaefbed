/*
 * Whoever logs makes the line and puts it into `pending`, under the lock; a thread of the log's own
 * takes all that is there at once and writes it. Only that thread ever waits for the descriptor:
 * what comes while it waits and `pending` is full is dropped.
 *
 * A descriptor that others have too, such as a terminal, must not be made non-blocking. Where
 * poll() says that there is room, PIPE_BUF bytes can be written to a pipe without a wait.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "log_line.h"
#include "log_repeats.h"

#define PENDING_MAX ((size_t)256 * 1024) /* bytes of lines that wait to be written */
#define LAST_MS     1000                 /* how long log_free() waits for what is pending */
#define LOOK_MS     100                  /* how soon a wait for the descriptor is given up */

struct log {
	int descriptor;
	enum log_style style;
	_Atomic(enum log_level) level;
	_Atomic(uint64_t) dropped;
	_Atomic(bool) give_up; /* waits for the descriptor no more */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buffer pending; /* whole lines */
	struct log_repeats repeats;
	bool writing; /* the thread has lines in hand */
	bool stop;
	bool ended;

	/* The thread's own. */
	pthread_t thread;
	struct buffer taken;
	bool torn;     /* the last line was cut off in its middle */
	uint64_t told; /* how many dropped lines the log itself has told of */
};

static void init_lock(struct log *log)
{
	pthread_condattr_t monotonic;
	pthread_mutex_init(&log->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&log->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* Waits for a change until a time of the monotonic clock. The lock is held. */
static void wait_until(struct log *log, int64_t until)
{
	struct timespec time = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = until % NS_PER_S};
	if (until == TIME_NEVER)
		pthread_cond_wait(&log->changed, &log->lock);
	else
		pthread_cond_timedwait(&log->changed, &log->lock, &time);
}

/* Writing */

/* Waits until something can be written, or writing would tell what is wrong. */
static bool wait_for_room(const struct log *log)
{
	struct pollfd room = {.fd = log->descriptor, .events = POLLOUT};
	while (poll(&room, 1, LOOK_MS) == 0)
		if (log->give_up)
			return false;
	return true;
}

static bool write_piece(const struct log *log, const char *data, size_t length, size_t *written)
{
	while (*written < length) {
		size_t piece = length - *written;
		if (!wait_for_room(log))
			return false;
		ssize_t done = write(
			log->descriptor, data + *written, piece < PIPE_BUF ? piece : PIPE_BUF);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done <= 0)
			return false;
		*written += (size_t)done;
	}
	return true;
}

/* Writes a whole line, on a line of its own even where the one before was cut off. */
static bool write_line(struct log *log, const char *line, size_t length)
{
	size_t written = 0;
	if (log->torn && !write_piece(log, "\n", 1, &written))
		return false;
	written = 0;
	bool whole = write_piece(log, line, length, &written);
	log->torn = !whole && written > 0;
	return whole;
}

/* Where lines are missing, the log says so as soon as it can. */
static void tell_dropped(struct log *log)
{
	uint64_t dropped = log->dropped;
	if (dropped == log->told)
		return;
	CLEANUP(buffer_fini) struct buffer line = {0};
	struct log_field lines = LOG_INT("lines", dropped - log->told);
	log_line_append(&line, log->style, LOG_LEVEL_WARN, clock_wall_ms(),
		"lines of this log could not be written and are missing", &lines, 1);
	if (!line.failed && write_line(log, line.data, line.length))
		log->told = dropped;
}

static void write_taken(struct log *log)
{
	const char *end = log->taken.data + log->taken.length;
	for (const char *line = log->taken.data; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next == NULL ? end : next + 1;
		tell_dropped(log);
		if (!write_line(log, line, (size_t)(next - line)))
			log->dropped++;
		line = next;
	}
	buffer_clear(&log->taken);
}

/* Puts a line among those to be written. The lock is held. */
static void put_line(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	size_t before = log->pending.length;
	log_line_append(&log->pending, log->style, level, clock_wall_ms(), message, fields, count);
	if (log->pending.failed || log->pending.length > PENDING_MAX) {
		log->pending.length = before;
		log->pending.failed = false;
		log->dropped++;
	}
}

/* Tells of lines that were left out. The lock is held. */
static void tell_repeats(struct log *log, bool all)
{
	struct log_kind kind;
	unsigned left_out = 0;
	int64_t now = clock_monotonic_ns();
	while (log_repeats_take(&log->repeats, now, all, &kind, &left_out)) {
		char message[64];
		snprintf(message, sizeof(message), "%u more like this in %" PRId64 " s", left_out,
			(now - kind.since + NS_PER_S - 1) / NS_PER_S);
		struct log_field like = LOG_TEXT("like", kind.message);
		put_line(log, kind.level, message, &like, 1);
	}
}

static void *log_main(void *context)
{
	struct log *log = context;
	pthread_mutex_lock(&log->lock);
	for (;;) {
		tell_repeats(log, log->stop);
		if (log->pending.length == 0 && log->stop)
			break;
		if (log->pending.length == 0) {
			wait_until(log, log_repeats_due(&log->repeats));
			continue;
		}
		struct buffer empty = log->taken;
		log->taken = log->pending;
		log->pending = empty;
		log->writing = true;
		pthread_mutex_unlock(&log->lock);
		write_taken(log);
		pthread_mutex_lock(&log->lock);
		log->writing = false;
		pthread_cond_broadcast(&log->changed);
	}
	log->ended = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

/* What everybody calls */

static enum log_style style_for(int descriptor, enum log_format format)
{
	bool terminal = isatty(descriptor) == 1;
	const char *no_color = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
	if (format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !terminal))
		return LOG_STYLE_JSON;
	return terminal && (no_color == NULL || no_color[0] == '\0') ? LOG_STYLE_COLOURS
								     : LOG_STYLE_TEXT;
}

static void free_parts(struct log *log)
{
	pthread_mutex_destroy(&log->lock);
	pthread_cond_destroy(&log->changed);
	buffer_fini(&log->pending);
	buffer_fini(&log->taken);
	free(log);
}

struct log *log_new(int descriptor, enum log_level level, enum log_format format, struct error *err)
{
	struct log *log = mem_new(struct log);
	if (log == NULL) {
		error_memory(err);
		return NULL;
	}
	log->descriptor = descriptor;
	log->style = style_for(descriptor, format);
	log->level = level;
	init_lock(log);
	int failed = pthread_create(&log->thread, NULL, log_main, log);
	if (failed != 0) {
		error_system(err, failed, "cannot start a thread");
		free_parts(log);
		return NULL;
	}
	return log;
}

bool log_flush(struct log *log, int timeout_ms)
{
	int64_t until = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	pthread_mutex_lock(&log->lock);
	while ((log->pending.length > 0 || log->writing) && clock_monotonic_ns() < until)
		wait_until(log, until);
	bool written = log->pending.length == 0 && !log->writing;
	pthread_mutex_unlock(&log->lock);
	return written;
}

/* Ends the thread. False where it hangs in a write. */
static bool end_thread(struct log *log)
{
	pthread_mutex_lock(&log->lock);
	log->stop = true;
	pthread_cond_broadcast(&log->changed);
	int64_t until = clock_monotonic_ns() + LAST_MS * NS_PER_MS;
	while (!log->ended && clock_monotonic_ns() < until)
		wait_until(log, until);
	log->give_up = true;
	until = clock_monotonic_ns() + LAST_MS * NS_PER_MS;
	while (!log->ended && clock_monotonic_ns() < until)
		wait_until(log, until);
	bool ended = log->ended;
	pthread_mutex_unlock(&log->lock);
	return ended;
}

void log_free(struct log *log)
{
	if (log == NULL)
		return;
	if (!end_thread(log)) {
		/* It still uses the memory, and the process is about to end. */
		pthread_detach(log->thread);
		return;
	}
	pthread_join(log->thread, NULL);
	free_parts(log);
}

void log_set_level(struct log *log, enum log_level level)
{
	log->level = level;
}

bool log_wants(const struct log *log, enum log_level level)
{
	return level >= log->level;
}

uint64_t log_dropped(const struct log *log)
{
	return log->dropped;
}

void log_write(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t count)
{
	if (!log_wants(log, level))
		return;
	pthread_mutex_lock(&log->lock);
	/* Whoever wants debug wants all of it. */
	if (level == LOG_LEVEL_DEBUG ||
		log_repeats_admit(&log->repeats, level, message, clock_monotonic_ns()))
		put_line(log, level, message, fields, count);
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}
