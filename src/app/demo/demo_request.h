/*
 * The demo's requests: made-up people, in every form that the service takes, and some that it
 * refuses.
 */
#ifndef APP_DEMO_REQUEST_H
#define APP_DEMO_REQUEST_H

#include <stddef.h>

#include "core/event.h"

struct demo_request {
	char key[24];    /* "r-17", by which its result is known again */
	char value[256]; /* text */
	char shown[64];  /* what is asked for, for people */
	struct header headers[3];
	size_t header_count;
};

/* Makes request number `number`: the same one every time. */
void demo_request_make(int number, struct demo_request *ret_request);

#endif
