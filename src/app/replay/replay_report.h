/*
 * What `replay` says on standard output: what it could not replay, a summary, and one line for the
 * audit. Requests are named by their places; nothing of their contents is told.
 */
#ifndef APP_REPLAY_REPORT_H
#define APP_REPLAY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event.h"
#include "core/replay.h"
#include "replay_options.h"

struct replay_report {
	int64_t began_ms;
	const struct replay_options *options;
	const char *error_topic; /* where error events were read */

	size_t matched;   /* error events that the filters let through */
	size_t repeats;   /* of these: further ones of a request that had one */
	size_t elsewhere; /* error events of topics that are no request topics */
	size_t malformed;
	bool searched; /* all originals were looked for: those not found are gone */
};

/* Tells of an error event that could not be read. */
void replay_report_malformed(const struct record *record, const char *why);

/* Prints what became of the requests; `replay` is NULL where it did not get that far. `done`: it
 * came to its end. */
void replay_report_print(
	const struct replay_report *report, const struct replay *replay, bool done);

#endif
