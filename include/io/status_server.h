/*
 * The status server: answers HTTP requests about the service, read-only.
 *
 * It is the only module that knows libmicrohttpd. GET and HEAD only; the number of connections, the
 * time of each and the size of a request are limited, so that slow or hostile clients cost the
 * service nothing. Where there are too many connections, those that asked nothing for the longest
 * time make room: a new client is always served.
 */
#ifndef IO_STATUS_SERVER_H
#define IO_STATUS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

/* An answer. `body` belongs to the server's caller-to-be: made in the callback, freed by the
 * server. */
struct status_answer {
	int status; /* such as 200 */
	const char *content_type;
	const char *policy; /* a page's Content-Security-Policy; NULL: nothing may be loaded */
	struct buffer body;
};

/*
 * Makes the answer to a request for a path, without its query. It may be called on several threads
 * of the server. False: there is no such path.
 */
typedef bool status_answer_fn(void *context, const char *path, struct status_answer *ret_answer);

struct status_server;

/*
 * Listens at "ADDRESS:PORT" ("127.0.0.1:8080", "[::]:8080"; port 0: any that is free) and answers
 * on threads of its own. NULL and err where it cannot.
 */
struct status_server *status_server_new(
	const char *listen, status_answer_fn *answer, void *context, struct error *err);
void status_server_free(struct status_server *server);

/* The port it listens at. */
unsigned status_server_port(const struct status_server *server);

/*
 * Asks the server that listens at "ADDRESS:PORT", in this process or another, for a path. The body,
 * which the caller ends, is appended to. False and err where no answer comes in time.
 */
bool status_ask(const char *listen, const char *path, int timeout_ms, int *ret_status,
	struct buffer *body, struct error *err);

#endif
