/*
 * The sockets of the HTTP client: libcurl's multi handles on one epoll, and a wake-up for the
 * sleeper.
 *
 * Each TCP socket is registered once, edge-triggered for both directions, and stays registered
 * until libcurl closes it: what libcurl wants of it is only noted, which saves two epoll_ctl()
 * calls a request. libcurl expects level triggering, so two things make up for the difference: an
 * event that comes while it is not wanted is kept and delivered when it next is, and a socket that
 * is still wanted after a delivery is asked whether there is more to do.
 */
#ifndef IO_HTTP_CLIENT_POLL_H
#define IO_HTTP_CLIENT_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/error.h"

struct http_poll;

/* A poll without multi handles. NULL and err when the system gives no descriptor or no memory. */
struct http_poll *http_poll_new(struct error *err);

/* Must outlive the multi handles attached to it: closing them closes sockets. NULL is fine. */
void http_poll_free(struct http_poll *poll);

/* Lets the sockets and timers of a multi handle be served by the poll. */
bool http_poll_attach(struct http_poll *poll, CURLM *multi, struct error *err);

/* Forgets a multi handle that was attached, now that it is closed. */
void http_poll_detach(struct http_poll *poll, const CURLM *multi);

/* Lets the sockets of an easy handle be opened and closed by the poll, so that they can stay
 * registered. */
bool http_poll_adopt(struct http_poll *poll, CURL *easy);

/*
 * Whether there are bytes to read on the idle connection with this local port. Between replies
 * HTTP/1.1 has nothing to say, and libcurl 7.88.1 would take them for the reply to what it sends
 * next: somebody else's. They are dropped and the connection is shut down, so that sending on it
 * fails.
 */
bool http_poll_spoil(struct http_poll *poll, int local_port);

/* Calls libcurl where one of its timers ran out: requests go out, and some end at once. Does not
 * sleep. */
void http_poll_run_timers(struct http_poll *poll);

/*
 * Sleeps until until_ns, a timer of libcurl's, an event or http_poll_wake(), and tells libcurl of
 * it. Call it only when no end of a transfer waits to be read: there may be no event to come.
 */
void http_poll_wait(struct http_poll *poll, int64_t until_ns);

/* Ends the sleep of http_poll_wait(), now or the next time. For any thread. */
void http_poll_wake(struct http_poll *poll);

#endif
