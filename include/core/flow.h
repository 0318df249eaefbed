/*
 * The flow: the brain of one worker. It decides what is asked of the API, when, and what becomes of
 * it.
 *
 * Events go in; the flow parses them, keeps the order of their lanes, merges look-ups that wait for
 * the same customer, retries, and takes leave of the gate. Its worker does what it says, over and
 * over:
 *
 *	flow_add(flow, event)                          for each event that came
 *	flow_reply(flow, lookup, reply, now)           for each reply that came
 *	while (flow_next(flow, now, &action) != FLOW_WAIT)
 *		FLOW_SEND: start the request;  FLOW_PUBLISH: publish the event's result
 *	sleep until action.until
 *
 * A lane is what keeps its order (lookup.ordering): the events of one key, of one partition, or one
 * event alone. Look-ups of one lane are under way side by side; their results come out in the order
 * of the requests.
 *
 * No thread, socket or clock: time is what the caller says, in nanoseconds of the monotonic clock.
 * An event is the flow's from flow_add() until FLOW_PUBLISH or a list of dropped ones hands it out.
 * One thread at a time may use a flow; several flows share a gate.
 */
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "core/gate.h"
#include "core/reply.h"

enum flow_ordering { FLOW_ORDER_KEY, FLOW_ORDER_PARTITION, FLOW_ORDER_NONE };

struct flow_options {
	unsigned number; /* which of the gate's flows it is, from 0 */
	enum flow_ordering ordering;
	bool coalesce;
	unsigned max_attempts; /* 1 to FLOW_ATTEMPTS_MAX */
	int64_t initial_backoff_ns;
	int64_t max_backoff_ns;
	int64_t probe_timeout_ns; /* how long a probe may take */
	int64_t patience_ns; /* how long an event whose attempts are used up waits for others to
				disprove the last of them, before the API is blamed */
	uint64_t seed;       /* of the jitter */
};

#define FLOW_ATTEMPTS_MAX 50

struct flow;

/* One API request to make, for one event or several merged ones. The flow's. */
struct lookup;

enum flow_kind {
	FLOW_WAIT, /* nothing to do until `until`, a reply, an event, or being woken by the gate */
	FLOW_SEND, /* start `lookup`; its end must come back by flow_reply() */
	FLOW_PUBLISH, /* publish the result of `event`, which is the caller's now */
};

struct flow_action {
	struct event *event;
	struct lookup *lookup;
	int64_t timeout_ns; /* SEND: 0, or less time than usual, for a probe */
	int64_t until;      /* WAIT: TIME_NEVER where time alone changes nothing */
};

/* What it did, in numbers that only grow. */
struct flow_counters {
	uint64_t coalesced; /* events that shared another's look-up */
	uint64_t retries[RETRY_CAUSE_COUNT];
	uint64_t unclassified_replies;
	uint64_t identity_as_key;        /* events whose key is their e-mail or phone number */
	uint64_t identity_as_request_id; /* the same of their requestId */
};

/* `gate` must outlive it. NULL and err when out of memory. */
struct flow *flow_new(const struct flow_options *options, struct gate *gate, struct error *err);

/* Frees it with the events that it holds. NULL is fine. */
void flow_free(struct flow *flow);

/*
 * Takes an event. Whatever is wrong with it becomes its outcome. False and err only when out of
 * memory: the event is then still the caller's.
 */
bool flow_add(struct flow *flow, struct event *event, struct error *err);

/* What to do next. ret_action is set according to the kind. */
enum flow_kind flow_next(struct flow *flow, int64_t now, struct flow_action *ret_action);

/* Whom a look-up asks for: one of the two may be absent. */
struct customer {
	struct bytes email;
	struct bytes phone;
};

/* The customer of a look-up that is to be sent; valid until its reply. */
struct customer lookup_customer(const struct lookup *lookup);

/* One of the events it is made for, the first of them still held; NULL where all were dropped. */
const struct event *lookup_event(const struct lookup *lookup);

/*
 * The reply to a look-up, or the end without one; `wall_ms` is for a Retry-After that is a date.
 * False and err when out of memory: the look-up is then still under way.
 */
bool flow_reply(struct flow *flow, struct lookup *lookup, const struct reply *reply, int64_t now,
	int64_t wall_ms, struct error *err);

/*
 * Whether the HTTP library may send the look-up's request a second time, because its connection was
 * closed under it. Counts as a failed attempt and a new one.
 */
bool flow_may_resend(struct flow *flow, struct lookup *lookup, int64_t now);

/*
 * The drain, in two steps, so that the cut is the same for all flows that hold events of a
 * partition (see the contract, "Drain"). Step one: starts nothing any more; ret_highest is the
 * highest offset of that source whose look-up was started or whose result was handed out; -1 where
 * none was. Until step two, flow_frozen() is true, and neither events nor replies may be given to
 * the flow: they could bring results to an end that lie above the cut. Step two must follow, once
 * for each step one; drains of several partitions may overlap.
 */
void flow_drain_begin(struct flow *flow, const void *source, int64_t *ret_highest);

bool flow_frozen(const struct flow *flow);

/*
 * Step two: drops the events of that source above the offset `cut`, goes on with the others, and
 * starts again. Returns the dropped ones, linked by `next`; they are the caller's.
 */
struct event *flow_drain_cut(struct flow *flow, const void *source, int64_t cut);

/*
 * Drops every event of that source that was not handed out: used where the drain cannot finish, or
 * the partition is lost. A reply that still comes for one of them tells the gate how the API is,
 * and nothing else. As above.
 */
struct event *flow_abandon(struct flow *flow, const void *source);

/*
 * Puts retry options in force for what fails from now on; max_attempts for look-ups made from now
 * on, those there are keep theirs. Ordering, coalesce and number stay.
 */
void flow_set_options(struct flow *flow, const struct flow_options *options);

/* How many events it holds, and how many of them have failed at least once and wait to be tried
 * again. */
size_t flow_held(const struct flow *flow);
size_t flow_retrying(const struct flow *flow);

/* What an event waits for. */
enum flow_wait {
	FLOW_WAITS_FOR_LEAVE, /* for room at the API, or for the line to run again */
	FLOW_WAITS_FOR_REPLY, /* of the API, which was asked at `time` */
	FLOW_WAITS_FOR_RETRY, /* it failed, and is tried again at `time` */
	FLOW_WAITS_FOR_ORDER, /* it has its outcome; one before it in its lane has none */
};

struct flow_oldest {
	int64_t offset;
	enum flow_wait wait;
	int64_t time;
	unsigned attempts; /* that failed so far */
	unsigned refusals; /* as too many, in a row since */
	int http_status;   /* of the last attempt that failed; 0 where it brought none */
};

/* The lowest offset of that source that it holds, and why; false where it holds none. */
bool flow_oldest(struct flow *flow, const void *source, struct flow_oldest *ret_oldest);

const struct flow_counters *flow_counters(const struct flow *flow);

/* Adds the numbers of one flow to a sum over several. */
void flow_counters_add(struct flow_counters *sum, const struct flow_counters *counters);

#endif
