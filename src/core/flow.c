#include "flow_state.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/retry.h"

struct flow *flow_new(const struct flow_options *options, struct gate *gate, struct error *err)
{
	struct flow *flow = mem_new(struct flow);
	if (flow == NULL) {
		error_memory(err);
		return NULL;
	}
	flow->options = *options;
	flow->gate = gate;
	flow->random.state = options->seed;
	flow->lanes.ordering = options->ordering;
	flow->request_reader = json_reader_new(REQUEST_JSON_DEPTH, err);
	flow->reply_reader = json_reader_new(REPLY_JSON_DEPTH, err);
	if (flow->request_reader == NULL || flow->reply_reader == NULL) {
		flow_free(flow);
		return NULL;
	}
	return flow;
}

static void free_list(struct event *events)
{
	while (events != NULL) {
		struct event *event = events;
		events = event->next;
		event_free(event);
	}
}

void flow_free(struct flow *flow)
{
	if (flow == NULL)
		return;
	struct source *source;
	struct source *next;
	HASH_ITER (hh, flow->sources, source, next) {
		free_list(flow_abandon(flow, source->identity));
	}
	free_list(flow->finished);
	while (flow->under_way != NULL)
		flow_end_lookup(flow, flow->under_way);
	timers_fini(&flow->delayed);
	lanes_fini(&flow->lanes);
	buffer_fini(&flow->scratch);
	json_reader_free(flow->request_reader);
	json_reader_free(flow->reply_reader);
	free(flow);
}

/* Ends an event without asking the API. */
static void answer_without_request(struct flow *flow, struct event *event, enum reason reason)
{
	event->outcome = (struct outcome){.reason = reason, .message = reason_message(reason)};
	flow_finish(flow, event);
}

static void count_identity_elsewhere(struct flow *flow, const struct event *event)
{
	const struct request *request = event->request;
	struct bytes key = event->record.key;
	if (key.length > 0 &&
		(bytes_equal(key, request->email) || bytes_equal(key, request->phone)))
		flow->counters.identity_as_key++;
	struct bytes id = request->id_text;
	if (id.length > 0 && (bytes_equal(id, request->email) || bytes_equal(id, request->phone)))
		flow->counters.identity_as_request_id++;
}

/* The look-up that never started yet and asks the same; NULL where there is none. */
static struct lookup *find_joinable(struct flow *flow, const struct request *request)
{
	struct lookup *lookup = NULL;
	buffer_clear(&flow->scratch);
	lookup_identity(request, &flow->scratch);
	if (!flow->scratch.failed)
		HASH_FIND(hh, flow->joinable, flow->scratch.data, flow->scratch.length, lookup);
	return lookup;
}

static struct lookup *new_lookup(
	struct flow *flow, const struct request *request, struct error *err)
{
	/* Room for all of them to be delayed at once, so that later none can fail to be. */
	if (!timers_reserve(&flow->delayed, flow->lookups + 1, err))
		return NULL;
	struct lookup *lookup = lookup_new(request, flow->options.max_attempts, err);
	if (lookup == NULL)
		return NULL;
	flow->lookups++;
	if (flow->options.coalesce) {
		HASH_ADD_KEYPTR(
			hh, flow->joinable, lookup->identity.data, lookup->identity.length, lookup);
		lookup->joinable = lookup->hh.tbl != NULL;
	}
	flow_make_ready(flow, lookup, true);
	return lookup;
}

/* Finds or makes the look-up that answers the event. */
static bool join_lookup(struct flow *flow, struct event *event, struct error *err)
{
	struct lookup *lookup = NULL;
	if (flow->options.coalesce)
		lookup = find_joinable(flow, event->request);
	if (lookup != NULL)
		flow->counters.coalesced++;
	else
		lookup = new_lookup(flow, event->request, err);
	if (lookup == NULL)
		return false;
	event->lookup = lookup;
	DL_APPEND2(lookup->events, event, merged_prev, merged_next);
	return true;
}

bool flow_add(struct flow *flow, struct event *event, struct error *err)
{
	struct error mistake = {0};
	free(take_pointer(event->request)); /* of an attempt that ended for want of memory */
	enum request_problem problem =
		request_parse(&event->record, flow->request_reader, &event->request, &mistake);
	if (problem == REQUEST_NO_MEMORY)
		return error_memory(err);
	struct source *source = flow_need_source(flow, event->source, err);
	if (source == NULL || !lanes_join(&flow->lanes, event, err))
		return false;
	if (problem == REQUEST_FINE && !join_lookup(flow, event, err)) {
		lanes_leave(&flow->lanes, event);
		return false;
	}
	DL_APPEND(source->held, event);
	flow->held++;
	if (problem == REQUEST_FINE)
		count_identity_elsewhere(flow, event);
	else if (problem == REQUEST_IDENTITY_MISSING)
		answer_without_request(flow, event, REASON_IDENTITY_MISSING);
	else
		answer_without_request(flow, event, REASON_MALFORMED_EVENT);
	return true;
}

static void wake_delayed(struct flow *flow, int64_t now)
{
	struct timer *timer;
	while ((timer = timers_first(&flow->delayed)) != NULL && timer->at <= now) {
		struct lookup *lookup = lookup_of_timer(timer);
		flow_take_out(flow, lookup);
		flow_settle(flow, lookup, now);
	}
}

/* When the API wants to hear of a look-up again, by its own Retry-After and those of its lanes. */
static int64_t not_before(const struct lookup *lookup)
{
	int64_t time = lookup->not_before;
	const struct event *event;
	DL_FOREACH2 (lookup->events, event, merged_next)
		if (event->lane != NULL && event->lane->not_before > time)
			time = event->lane->not_before;
	return time;
}

/*
 * Whether a ready look-up is still to be asked for. What was disproved while it waited may have
 * used up its attempts; while the line is stopped it may serve as a probe even so.
 */
static bool is_open(struct flow *flow, struct lookup *lookup)
{
	if (lookup_attempts(lookup) == 0)
		return true;
	struct gate_view view;
	gate_look(flow->gate, &view);
	enum judgement judgement = flow_judge(flow, lookup, &view);
	return judgement == JUDGED_OPEN || (judgement != JUDGED_GUILTY && view.cause != STOP_NONE);
}

/* The first of a ready list that may start now; puts aside those before it that may not. */
static struct lookup *first_ready(struct flow *flow, struct lookup **list, int64_t now)
{
	while (*list != NULL) {
		struct lookup *lookup = *list;
		int64_t time = not_before(lookup);
		bool open = is_open(flow, lookup);
		if (open && time <= now)
			return lookup;
		flow_take_out(flow, lookup);
		if (open)
			flow_delay(flow, lookup, time);
		else
			flow_settle(flow, lookup, now);
	}
	return NULL;
}

/* While the line is stopped, a look-up that waits out its backoff may serve as a probe. */
static struct lookup *first_delayed(const struct flow *flow, int64_t now)
{
	struct timer *timer = timers_first(&flow->delayed);
	if (timer == NULL)
		return NULL;
	struct lookup *lookup = lookup_of_timer(timer);
	return not_before(lookup) <= now ? lookup : NULL;
}

/*
 * The next probe: one that never failed says most about the API, and the one that stopped the line
 * least.
 */
static struct lookup *next_probe(struct flow *flow, uint64_t stops, int64_t now)
{
	struct lookup *lookup = first_ready(flow, &flow->fresh, now);
	if (lookup != NULL)
		return lookup;
	lookup = first_ready(flow, &flow->again, now);
	if (lookup != NULL && lookup->stopped == stops && lookup->next != NULL) {
		flow_take_out(flow, lookup);
		flow_make_ready(flow, lookup, true);
		lookup = first_ready(flow, &flow->again, now);
	}
	if (lookup != NULL && lookup->stopped != stops)
		return lookup;
	struct lookup *delayed = first_delayed(flow, now);
	return delayed != NULL ? delayed : lookup;
}

/*
 * The next look-up that may start now, but for the gate's leave. Those that failed before and those
 * that are new take turns: neither kind waits for the end of the other. And where what failed is
 * poison that gathered while the line was stopped, there are others in between to disprove it.
 */
static struct lookup *next_ready(struct flow *flow, int64_t now)
{
	if (flow->again != NULL || flow->delayed.count > 0) {
		struct gate_view view;
		gate_look(flow->gate, &view);
		if (view.cause != STOP_NONE)
			return next_probe(flow, view.stops, now);
	}
	struct lookup **first = flow->again_had_turn ? &flow->fresh : &flow->again;
	struct lookup **second = flow->again_had_turn ? &flow->again : &flow->fresh;
	struct lookup *lookup = first_ready(flow, first, now);
	return lookup != NULL ? lookup : first_ready(flow, second, now);
}

static void begin(
	struct flow *flow, struct lookup *lookup, const struct gate_leave *leave, int64_t now)
{
	flow_take_out(flow, lookup);
	flow_close_lookup(flow, lookup);
	lookup->state = LOOKUP_UNDER_WAY;
	DL_APPEND(flow->under_way, lookup);
	flow->again_had_turn = lookup->retrying;
	lookup->start = leave->start;
	lookup->unproven_since = 0;
	lookup->started_at = now;
	lookup->probe = leave->kind == GATE_PROBE;
	const struct event *event;
	DL_FOREACH2 (lookup->events, event, merged_next)
		flow_reach(flow_find_source(flow, event->source), event->record.offset);
}

static enum flow_kind wait_for(
	const struct flow *flow, int64_t until, struct flow_action *ret_action)
{
	struct timer *timer = flow->frozen > 0 ? NULL : timers_first(&flow->delayed);
	if (timer != NULL && timer->at < until)
		until = timer->at;
	*ret_action = (struct flow_action){.until = until};
	return FLOW_WAIT;
}

enum flow_kind flow_next(struct flow *flow, int64_t now, struct flow_action *ret_action)
{
	struct lookup *lookup = NULL;
	if (flow->frozen == 0) {
		wake_delayed(flow, now);
		lookup = next_ready(flow, now);
	}
	if (flow->finished != NULL) {
		struct event *event = flow->finished;
		DL_DELETE(flow->finished, event);
		*ret_action = (struct flow_action){.event = event};
		return FLOW_PUBLISH;
	}
	if (lookup == NULL) {
		if (flow->waits)
			gate_withdraw(flow->gate, flow->options.number, now);
		flow->waits = false;
		return wait_for(flow, TIME_NEVER, ret_action);
	}
	struct gate_leave leave;
	gate_ask(flow->gate, flow->options.number, now, &leave);
	flow->waits = leave.kind == GATE_WAIT;
	if (leave.kind == GATE_WAIT)
		return wait_for(flow, leave.until, ret_action);
	begin(flow, lookup, &leave, now);
	*ret_action = (struct flow_action){
		.lookup = lookup,
		.timeout_ns = lookup->probe ? flow->options.probe_timeout_ns : 0,
	};
	return FLOW_SEND;
}

void flow_set_options(struct flow *flow, const struct flow_options *options)
{
	flow->options.max_attempts = options->max_attempts;
	flow->options.initial_backoff_ns = options->initial_backoff_ns;
	flow->options.max_backoff_ns = options->max_backoff_ns;
	flow->options.probe_timeout_ns = options->probe_timeout_ns;
	flow->options.patience_ns = options->patience_ns;
}

size_t flow_held(const struct flow *flow)
{
	return flow->held;
}

size_t flow_retrying(const struct flow *flow)
{
	return flow->retrying;
}

const struct flow_counters *flow_counters(const struct flow *flow)
{
	return &flow->counters;
}

void flow_counters_add(struct flow_counters *sum, const struct flow_counters *counters)
{
	sum->coalesced += counters->coalesced;
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		sum->retries[i] += counters->retries[i];
	sum->unclassified_replies += counters->unclassified_replies;
	sum->identity_as_key += counters->identity_as_key;
	sum->identity_as_request_id += counters->identity_as_request_id;
}
