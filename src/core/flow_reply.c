#include "flow_state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "core/retry.h"

/* Gives every event of a look-up a copy of the case ID, or none of them. */
static bool copy_case_id(const struct lookup *lookup, const char *case_id)
{
	bool copied = true;
	struct event *event;
	DL_FOREACH2 (lookup->events, event, merged_next) {
		event->outcome.case_id = copied ? strdup(case_id) : NULL;
		copied = event->outcome.case_id != NULL;
	}
	if (!copied)
		DL_FOREACH2 (lookup->events, event, merged_next)
			free(take_pointer(event->outcome.case_id));
	return copied;
}

/* Ends a look-up with the same outcome for all its events, but for the copies of a case ID, which
 * they have already. */
static void conclude(struct flow *flow, struct lookup *lookup, const struct outcome *outcome)
{
	while (lookup->events != NULL) {
		struct event *event = lookup->events;
		char *case_id = event->outcome.case_id;
		event->outcome = *outcome;
		event->outcome.case_id = case_id;
		DL_DELETE2(lookup->events, event, merged_prev, merged_next);
		event->lookup = NULL;
		flow_finish(flow, event);
	}
	flow_end_lookup(flow, lookup);
}

void flow_give_up(struct flow *flow, struct lookup *lookup)
{
	struct outcome outcome = {
		.reason = lookup->failure.reason,
		.message = reason_message(lookup->failure.reason),
		.http_status = lookup->failure.http_status,
		.documented_code = lookup->failure.documented_code,
		.attempts = lookup->counted,
	};
	conclude(flow, lookup, &outcome);
}

void flow_blame_api(struct flow *flow, struct lookup *lookup, int64_t now)
{
	struct gate_view view;
	uint64_t last_start = lookup->undisproved[lookup->undisproved_count - 1].start;
	gate_stop_undisproved(flow->gate, flow->options.number, last_start, now, &view);
	lookup_stopped_line(lookup, &view);
	flow_make_ready(flow, lookup, true);
}

enum judgement flow_judge(struct flow *flow, struct lookup *lookup, const struct gate_view *view)
{
	if (lookup->undisproved_count > 0 && lookup->stops != view->stops)
		lookup_forgive(lookup, gate_witness_at_stop(flow->gate, lookup->stops + 1), view);
	return lookup_judge(lookup, view);
}

/* Tries a loose look-up again after the `failures`-th failure in a row, or later if the API asked
 * so. */
static void back_off(struct flow *flow, struct lookup *lookup, unsigned failures, int64_t now)
{
	int64_t until =
		now + retry_backoff(&flow->random, failures, flow->options.initial_backoff_ns,
			      flow->options.max_backoff_ns);
	flow_delay(flow, lookup, until > lookup->not_before ? until : lookup->not_before);
}

/*
 * Whether a loose look-up whose attempts are used up is to wait for others to disprove the last of
 * them: requests that started after it may still be under way.
 */
static bool hopes_for_witness(struct flow *flow, struct lookup *lookup, int64_t now)
{
	if (lookup->unproven_since == 0)
		lookup->unproven_since = now;
	return now - lookup->unproven_since < flow->options.patience_ns;
}

void flow_settle(struct flow *flow, struct lookup *lookup, int64_t now)
{
	struct gate_view view;
	gate_look(flow->gate, &view);
	switch (flow_judge(flow, lookup, &view)) {
	case JUDGED_GUILTY:
		flow_give_up(flow, lookup);
		break;
	case JUDGED_UNPROVEN:
		if (hopes_for_witness(flow, lookup, now))
			back_off(flow, lookup, 1, now); /* to look again, not to ask again */
		else
			flow_blame_api(flow, lookup, now);
		break;
	case JUDGED_UNDISPROVED:
		flow_blame_api(flow, lookup, now);
		break;
	case JUDGED_OPEN:
		flow_make_ready(flow, lookup, false);
		break;
	}
}

static enum gate_sign sign_of(const struct verdict *verdict)
{
	switch (verdict->kind) {
	case VERDICT_FOUND:
	case VERDICT_ANSWERED:
		return SIGN_DOCUMENTED;
	case VERDICT_FAILED:
		return SIGN_FAILED;
	case VERDICT_REFUSED:
		return SIGN_REFUSED;
	case VERDICT_CREDENTIALS:
		return SIGN_CREDENTIALS;
	case VERDICT_ENDPOINT:
		return SIGN_ENDPOINT;
	}
	return SIGN_NONE;
}

/* Holds a look-up and the lanes of its events back for as long as the API asked for. */
static void heed_retry_after(struct lookup *lookup, int64_t wait_ns, int64_t now)
{
	if (wait_ns == 0)
		return;
	lookup->not_before = now + wait_ns;
	struct event *event;
	DL_FOREACH2 (lookup->events, event, merged_next)
		if (event->lane != NULL && event->lane->not_before < lookup->not_before)
			event->lane->not_before = lookup->not_before;
}

/* A failed attempt while the line runs: it goes on record, and may be the last. */
static void on_failed_attempt(struct flow *flow, struct lookup *lookup, bool unclassified,
	const struct gate_view *view, int64_t now)
{
	/* A probe of the event that stopped the line may come on top of all its attempts. */
	if (flow_judge(flow, lookup, view) == JUDGED_OPEN)
		lookup_failed(lookup, unclassified, view);
	if (flow_judge(flow, lookup, view) == JUDGED_OPEN)
		back_off(flow, lookup, lookup_attempts(lookup), now);
	else
		flow_settle(flow, lookup, now);
}

/* A reply that does not answer the look-up: decides when it is tried again. */
static void on_setback(struct flow *flow, struct lookup *lookup, const struct verdict *verdict,
	bool stopped_line, const struct gate_view *view, int64_t now)
{
	bool attempt = verdict->kind == VERDICT_FAILED || verdict->kind == VERDICT_ENDPOINT;
	lookup->refusals = attempt ? 0 : lookup->refusals + 1;
	if (stopped_line) {
		/* The failure may be this event's own: it stays on record, for another's reply to
		 * disprove. Else events that stop the line again and again would never end. */
		if (flow_judge(flow, lookup, view) == JUDGED_OPEN && attempt)
			lookup_failed(lookup, verdict->unclassified, view);
		lookup_stopped_line(lookup, view);
		flow_make_ready(flow, lookup, true);
	} else if (view->cause != STOP_NONE) {
		/* It failed for the stop's cause: no attempt. A probe that failed lets the others
		 * have a turn. */
		flow_make_ready(flow, lookup, lookup->probe);
	} else if (attempt) {
		on_failed_attempt(flow, lookup, verdict->unclassified, view, now);
	} else {
		back_off(flow, lookup, lookup->refusals, now);
	}
}

/* The breaker holds failures against the API if their look-up is answered while the line still
 * runs. */
static void note_failure(struct lookup *lookup, const struct gate_view *view)
{
	if (view->cause != STOP_NONE || lookup->failures_stops != view->stops)
		lookup->failures = 0;
	lookup->failures_stops = view->stops;
	lookup->failures += view->cause == STOP_NONE ? 1 : 0;
}

static void note_setback(struct flow *flow, struct lookup *lookup, const struct verdict *verdict,
	const struct gate_view *view)
{
	if (verdict->kind == VERDICT_FAILED)
		note_failure(lookup, view);
	flow->counters.retries[verdict->cause]++;
	flow->retrying += lookup->retrying ? 0 : 1;
	lookup->retrying = true;
}

/* Counts the attempts that others disproved so far: the look-up's own reply is no witness. */
static void judge_by_others(struct flow *flow, struct lookup *lookup)
{
	struct gate_view view;
	if (lookup->undisproved_count == 0)
		return;
	gate_look(flow->gate, &view);
	flow_judge(flow, lookup, &view);
}

/* The attempts that count, an answered one among them. A probe may come on top of all others. */
static unsigned attempts_with_this(const struct lookup *lookup)
{
	unsigned max = lookup->max_attempts;
	return lookup->counted < max ? lookup->counted + 1 : max;
}

/* Reports the end of a look-up's request to the gate. True where this very end stopped the line. */
static bool report_end(struct flow *flow, const struct lookup *lookup,
	const struct verdict *verdict, const struct reply *reply, int64_t now,
	struct gate_view *ret_view)
{
	const struct gate_ending ending = {
		.sign = sign_of(verdict),
		.transport = reply->transport,
		.http_status = reply->status,
		.failures = lookup->failures,
		.failures_stops = lookup->failures_stops,
	};
	return gate_end(flow->gate, flow->options.number, lookup->start, &ending, now, ret_view);
}

bool flow_reply(struct flow *flow, struct lookup *lookup, const struct reply *reply, int64_t now,
	int64_t wall_ms, struct error *err)
{
	struct verdict verdict;
	struct gate_view view;
	reply_classify(reply, flow->reply_reader, &verdict);
	if (verdict.kind == VERDICT_FOUND && !copy_case_id(lookup, verdict.case_id))
		return error_memory(err);
	flow->counters.unclassified_replies += verdict.unclassified ? 1 : 0;
	judge_by_others(flow, lookup);
	bool stopped_line = report_end(flow, lookup, &verdict, reply, now, &view);
	flow_take_out(flow, lookup);
	if (lookup->events == NULL) {
		flow_end_lookup(flow, lookup);
		return true;
	}
	if (verdict_documented(&verdict)) {
		struct outcome outcome = {
			.reason = verdict.reason,
			.message = verdict.message,
			.http_status = reply->status,
			.documented_code = verdict.documented_code,
			.attempts = attempts_with_this(lookup),
		};
		conclude(flow, lookup, &outcome);
		return true;
	}
	if (verdict.kind == VERDICT_FAILED || verdict.kind == VERDICT_ENDPOINT)
		lookup->failure =
			(struct failure){verdict.reason, reply->status, verdict.documented_code};
	note_setback(flow, lookup, &verdict, &view);
	heed_retry_after(lookup, retry_after_parse(reply->retry_after, wall_ms), now);
	on_setback(flow, lookup, &verdict, stopped_line, &view, now);
	return true;
}

bool flow_may_resend(struct flow *flow, struct lookup *lookup, int64_t now)
{
	uint64_t start;
	struct gate_view view;
	gate_look(flow->gate, &view);
	if (flow_judge(flow, lookup, &view) != JUDGED_OPEN ||
		lookup_attempts(lookup) + 1 >= lookup->max_attempts ||
		!gate_ask_again(flow->gate, lookup->start, now, &start))
		return false;
	lookup_failed(lookup, false, &view);
	lookup->failure = (struct failure){.reason = REASON_API_UNAVAILABLE};
	lookup->start = start;
	flow->counters.retries[RETRY_CONNECT]++;
	return true;
}
