/*
 * The service: all parts put together, from start to drain.
 *
 * The thread that calls service_run() is the supervisor: it waits for signals, reads the API key
 * again, and the settings on SIGHUP, asks the brokers for the topics, writes the line's changes to
 * the log, tells the service manager how things are, and ends the drain in time.
 */
#ifndef APP_SERVICE_H
#define APP_SERVICE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "io/settings.h"

struct service;

/*
 * Holds back the signals that the supervisor waits for (SIGTERM, SIGINT, SIGHUP), in this thread
 * and those it starts. Called first of all, so that a signal that comes early is a drain too.
 */
void service_block_signals(void);

/*
 * Makes all parts and starts their threads, with those signals blocked. `settings`, the `sources`
 * to read them from again, and `log` must outlive it. NULL and err where a part cannot be made.
 */
struct service *service_new(const struct settings *settings, const struct settings_sources *sources,
	struct log *log, struct error *err);

/*
 * Runs until SIGTERM or SIGINT and the drain after it, or until it cannot go on. True where the
 * drain finished what it had to. A second signal, or the deadline, ends the process at once with
 * status 1.
 */
bool service_run(struct service *service);

/* Stops what still runs and frees it. NULL is fine. */
void service_free(struct service *service);

#endif
