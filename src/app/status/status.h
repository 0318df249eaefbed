/*
 * The status: what the service tells those who ask over HTTP.
 *
 * service_look() in look.c takes one look at everything; /readyz, /metrics, /status.json and the
 * page are different ways to say what it saw.
 */
#ifndef APP_STATUS_H
#define APP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api_durations.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/histogram.h"
#include "core/flow.h"
#include "core/gate.h"
#include "delivery.h"
#include "history.h"
#include "intake.h"
#include "io/http_client.h"
#include "io/settings.h"
#include "io/status_server.h"
#include "positions.h"
#include "process.h"

/* How things are, in a word. The service is ready in the first four. */
enum condition {
	CONDITION_FINE,
	CONDITION_BACKLOG,      /* more requests wait than are answered soon */
	CONDITION_API_SLOW,     /* the API answers, and takes its time */
	CONDITION_REBALANCING,  /* the group shares out its partitions anew */
	CONDITION_STOPPED,      /* the line is; see the cause */
	CONDITION_BROKERS_GONE, /* no broker can be reached */
	CONDITION_JOINING,      /* it is no member of the group */
	CONDITION_STOPPING,     /* it was told to end, and drains */
	CONDITION_ENDING,       /* it cannot go on */
	CONDITION_COUNT
};

/* "fine" and so on, as /status.json says it. */
const char *condition_name(enum condition condition);

/* What happened in the last seconds. */
struct recent {
	double seconds;       /* how many; 0: nothing is known yet */
	double consumed_rate; /* a second */
	double answered_rate;
	double waiting_rate;      /* how fast the number of waiting requests grows */
	struct histogram_sum api; /* durations of API requests */
};

/* One look at everything, taken at one time. End it with status_fini(). */
struct status {
	int64_t now; /* of the monotonic clock */
	int64_t wall_ms;
	bool live;
	bool ready;
	enum condition condition;
	int64_t since_ms;      /* since when it is in that condition */
	struct error sentence; /* how things are, for people, in one line */
	struct error reason;   /* STOPPED: why */
	struct gate_state gate;
	struct intake_state intake;
	const struct intake_topic *topics;
	struct position *positions;
	size_t position_count;
	struct oldest_event oldest;
	int64_t waiting;           /* requests not committed yet, in all partitions; -1: unknown */
	struct flow_counters flow; /* of all workers together */
	uint64_t retrying;
	uint64_t buffered_events;
	uint64_t buffered_bytes;
	uint64_t log_lines_dropped;
	const struct delivery_counters *delivery;
	struct histogram_sum event_durations;
	struct histogram_sum api_durations[API_ENDING_COUNT];
	struct recent recent;
	struct process_usage process;
	int64_t started_ms;               /* of the wall clock, as the next two */
	bool config_successful;           /* the last time that the configuration was read */
	int64_t config_ms;                /* when it was last taken over */
	int64_t key_ms;                   /* when the key last changed; 0: there is none */
	const struct http_origin *origin; /* of the API */
	const struct settings *settings;
	struct history *history;
	struct last_errors *last_errors;
};

void status_fini(struct status *status);

/* The results acknowledged so far that are error events, but for case_not_found, a normal answer.
 */
uint64_t status_errors(const struct status *status);

/* How old the oldest event of a position is, in seconds; 0 where there is none. */
double status_age(const struct status *status, const struct position *position);

/* Answers a path from it: /livez, /readyz, /metrics, and where `page` is set /status.json and the
 * page at /. False for any other. */
bool status_answer(
	const struct status *status, const char *path, bool page, struct status_answer *ret_answer);

/* Appends /status.json. */
void status_put_json(const struct status *status, struct buffer *out);

#endif
