/*
 * The status: what the service tells those who ask over HTTP.
 */
#ifndef APP_STATUS_H
#define APP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/flow.h"
#include "core/gate.h"
#include "delivery.h"
#include "intake.h"
#include "io/status_server.h"

/* One look at everything, taken at one time. */
struct status {
	bool live;
	bool ready;
	struct error sentence; /* how things are, for people */
	struct gate_state gate;
	struct intake_state intake;
	struct flow_counters flow; /* of all workers together */
	size_t retrying;
	size_t buffered_events;
	size_t buffered_bytes;
	uint64_t log_lines_dropped;
	const struct delivery_counters *delivery;
};

/* Answers a path from it: /livez, /readyz, /metrics, and the page at /. False for any other. */
bool status_answer(
	const struct status *status, const char *path, bool page, struct status_answer *ret_answer);

#endif
