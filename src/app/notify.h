/*
 * Notifications: tells the service manager that started the service how it is.
 *
 * The protocol is that of sd_notify(3): datagrams of NAME=VALUE lines to the unix socket that
 * NOTIFY_SOCKET names. Where there is no such variable, as in a container, nothing is told. For one
 * thread, the supervisor's.
 */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include <stdint.h>

#include "base/error.h"

struct notify;

/*
 * Reads NOTIFY_SOCKET, and WATCHDOG_USEC and WATCHDOG_PID of sd_watchdog_enabled(3). NULL and err
 * where the socket is none that can be used, or memory is out; NULL without an error where there is
 * none. Every other function does nothing for NULL.
 */
struct notify *notify_new(struct error *err);
void notify_free(struct notify *notify);

/* It has started, or a reload is over. */
void notify_ready(const struct notify *notify);

/* A reload begins; notify_ready() must follow. */
void notify_reloading(const struct notify *notify);

/* It drains, and wants to be given so much time for it. */
void notify_stopping(const struct notify *notify, int64_t timeout_ns);

/* All is well at `now`: feeds the watchdog where it is time to, and there is one. */
void notify_alive(struct notify *notify, int64_t now);

/* How things are, in a sentence, which is told where it is new, at most once a second. */
void notify_status(struct notify *notify, const char *sentence, int64_t now);

#endif
