/*
 * The flow's inside: what flow.c (adding, starting), flow_reply.c (what a reply does) and
 * flow_drain.c share. flow_state.c moves events and look-ups between the lists described here.
 */
#ifndef CORE_FLOW_STATE_H
#define CORE_FLOW_STATE_H

#include "core/flow.h"
#include "core/json.h"
#include "core/request.h"
#include "core/retry.h"
#include "lane.h"
#include "lookup.h"
#include "timers.h"

/*
 * Where an event can be, from flow_add() until it is handed out:
 *
 *	in its source's list `held` (next, prev), always;
 *	in its lane (lane_next, lane_prev), if it has one;
 *	waiting for a look-up (merged_next, merged_prev), until it has an outcome.
 *
 * An event with an outcome that is the first of its lane moves, out of all of these, to the list
 * `finished`, from which FLOW_PUBLISH hands it out.
 */

/* One assignment of a partition, as far as this flow has seen events of it. */
struct source {
	const void *identity;
	struct event *held;
	int64_t highest; /* the highest offset started or handed out; -1: none */
	bool closed;     /* it was drained: forget it with its last event */
	UT_hash_handle hh;
};

struct flow {
	struct flow_options options;
	struct gate *gate;
	struct json_reader *request_reader;
	struct json_reader *reply_reader;
	struct random random;

	struct source *sources;
	struct source *last_source; /* events come in runs of one partition */
	struct lanes lanes;
	struct lookup *joinable; /* by identity: look-ups that never started */
	struct buffer scratch;
	struct lookup *fresh; /* ready, never failed */
	struct lookup *again; /* ready, failed before */
	bool again_had_turn;  /* the last that started was one of them */
	struct lookup *under_way;
	struct timers delayed;
	struct event *finished;

	unsigned frozen; /* drains between their two steps: nothing starts or ends meanwhile */
	bool waits;      /* the gate told it to wait, and keeps room for it */
	size_t held;     /* events */
	size_t lookups;
	size_t retrying; /* look-ups */
	struct flow_counters counters;
};

/* The source of that identity; NULL where this flow has not seen it. */
struct source *flow_find_source(struct flow *flow, const void *identity);

/* The same, made if it is new. NULL and err when out of memory. */
struct source *flow_need_source(struct flow *flow, const void *identity, struct error *err);

/* Forgets a source that was drained and holds nothing more. */
void flow_drop_source_if_over(struct flow *flow, struct source *source);

/* The look-up of an event with that offset was started, or its result handed out. */
void flow_reach(struct source *source, int64_t offset);

/* Takes a look-up out of the list that it is in; it is loose then. */
void flow_take_out(struct flow *flow, struct lookup *lookup);

/* Puts a loose look-up where it may start next, or behind all others. */
void flow_make_ready(struct flow *flow, struct lookup *lookup, bool behind);

/* Puts a loose look-up aside until a time. */
void flow_delay(struct flow *flow, struct lookup *lookup, int64_t until);

/* From now on other events may not join it. */
void flow_close_lookup(struct flow *flow, struct lookup *lookup);

/* Takes a look-up out of everything and frees it. */
void flow_end_lookup(struct flow *flow, struct lookup *lookup);

struct lookup *lookup_of_timer(struct timer *timer);

/* Takes an event out of all lists but its source's. A look-up that is left alone ends, unless it is
 * under way. */
void flow_detach(struct flow *flow, struct event *event);

/* Hands over an event that has its outcome, and those behind it in its lane that waited only for
 * it. */
void flow_finish(struct flow *flow, struct event *event);

/* Judges a look-up by what its attempts have shown so far, and by what stops of the line forgave.
 */
enum judgement flow_judge(struct flow *flow, struct lookup *lookup, const struct gate_view *view);

/* Judges a loose look-up that failed before, and puts it where it belongs. */
void flow_settle(struct flow *flow, struct lookup *lookup, int64_t now);

/* The attempts that counted have shown that the event itself is at fault: ends a loose look-up so.
 */
void flow_give_up(struct flow *flow, struct lookup *lookup);

/*
 * No other request disproves a loose look-up's failures: the line stops, and the look-up waits
 * behind all others. Its last attempt stays on record, for another event's reply to disprove.
 */
void flow_blame_api(struct flow *flow, struct lookup *lookup, int64_t now);

#endif
