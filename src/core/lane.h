/*
 * Lanes: what keeps the order of results. A lane is the line of events whose results must come out
 * in the order of the requests; it exists while it holds events.
 */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include <stdbool.h>
#include <stdint.h>

/* Out of memory leaves the element out of its table, instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/event.h"
#include "core/flow.h"

struct lane {
	struct event *events; /* in the order of their requests, linked by lane_next */
	int64_t not_before;   /* the API asked for no look-up of this lane before */
	UT_hash_handle hh;
	size_t key_length;
	char key[];
};

/* All lanes of a flow. Start as {.ordering = ...}, end with lanes_fini(). */
struct lanes {
	enum flow_ordering ordering;
	struct lane *table;
	struct buffer scratch;
};

void lanes_fini(struct lanes *lanes);

/*
 * Puts an event at the end of its lane, if it has one: with the ordering `key`, events without a
 * key have none. False and err when out of memory.
 */
bool lanes_join(struct lanes *lanes, struct event *event, struct error *err);

/* Takes an event out of its lane, wherever it stands. Ends the lane if it was the last. */
void lanes_leave(struct lanes *lanes, struct event *event);

#endif
