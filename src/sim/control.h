/*
 * Control: the interface under /_sim/ by which tests change and question the simulator as it runs.
 *
 *	GET    /_sim/settings   the settings in effect, without the key
 *	PUT    /_sim/settings   changes what the JSON object names (settings.h), all or nothing
 *	DELETE /_sim/faults     no faults any more
 *	GET    /_sim/stats      what was counted; also writes the record that is still held
 *	DELETE /_sim/stats      counts from nothing again
 *
 * Every reply is JSON: 200 with the state after the change, or 400, 404 and 405 with
 * {"error": TEXT}. It takes no key, so the simulator must not be reachable by strangers.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <event2/http.h>
#include <stdbool.h>

#include "record.h"
#include "settings.h"
#include "stats.h"

struct control {
	struct settings *settings;
	struct stats *stats;
	struct record *record; /* NULL: none is kept */
};

/* Whether a path belongs to the control interface. */
bool control_owns(const char *path);

/* Answers a request whose path it owns. */
void control_handle(const struct control *control, struct evhttp_request *request);

#endif
