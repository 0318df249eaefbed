/*
 * Wire: takes a connection away from the HTTP server and writes bytes to it that no polite server
 * would.
 *
 * What is written is a script: a head, a pattern again and again, a tail, and an end. Bytes are
 * made only as the client takes them, so a gigabyte costs no memory.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum wire_end {
	WIRE_CLOSE, /* orderly: FIN, and TLS's own good-bye before it */
	WIRE_RESET, /* RST */
	WIRE_HOLD,  /* open until the client leaves */
};

/* Start one as `struct wire_script script = {0};`, end it with wire_script_fini(). */
struct wire_script {
	struct buffer head;
	struct buffer pattern;
	uint64_t fill; /* so many bytes of the pattern, again and again */
	struct buffer tail;
	int64_t drip_ms; /* above 0: the tail goes a byte at a time, so far apart */
	enum wire_end end;
	int64_t end_ms; /* so long after the last byte was taken */
};

void wire_script_fini(struct wire_script *script);

struct wire;

/*
 * Plays the script on the request's connection, which never returns to the HTTP server: at the end
 * it is freed, and the request with it. The caller hears of that through the connection's close
 * callback, where it calls wire_free(); that can be before this function returns, so *ret_wire is
 * set first, and the server's own callback is no place to call it from. Takes what the script
 * holds; *script is empty afterwards. False and err when out of memory: the request is then as it
 * was.
 */
bool wire_start(struct event_base *base, struct evhttp_request *request, struct wire_script *script,
	struct wire **ret_wire, struct error *err);

/* Stops playing. The connection is somebody else's business. */
void wire_free(struct wire *wire);

#endif
