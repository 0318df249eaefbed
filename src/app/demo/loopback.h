/*
 * Loopback: small HTTP requests to servers of ours on this machine, one at a time.
 *
 * Not for the Care360 API or for anything that is not on 127.0.0.1: it has no TLS and waits where
 * it is called.
 */
#ifndef APP_LOOPBACK_H
#define APP_LOOPBACK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

/* A port that nobody listened at a moment ago; 0 and err where there is none. */
unsigned loopback_free_port(struct error *err);

/*
 * Sends a request to 127.0.0.1 (`body` NULL: none) and waits for its reply for at most timeout_ms.
 * Appends the reply's body to `ret_body` and gives its status. False and err where nobody answered.
 */
bool loopback_call(unsigned port, const char *method, const char *path, const char *body,
	int timeout_ms, int *ret_status, struct buffer *ret_body, struct error *err);

#endif
