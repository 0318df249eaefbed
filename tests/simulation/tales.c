/* What becomes of each event: the record that the checker keeps of them, and what it checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/request.h"
#include "world.h"

/* The number of a tale travels in its record's timestamp, which flow has no use for. */
struct tale *tale_of(const struct world *world, const struct event *event)
{
	return world->tales[event->record.timestamp_ms];
}

void tale_held(struct world *world, struct tale *tale)
{
	tale->place = HELD;
	tale->arrived_at = world->now;
	tale->held_index = world->held_count;
	world->held[world->held_count++] = tale->number;
	world->unfinished++;
	world->buffered++;
	if (tale->shape == ASKS)
		world->workers[tale->worker].unstarted++;
}

/* The lane of a tale in its assignment's arrays; NONE where nothing keeps its order. */
static int lane_of(const struct world *world, const struct tale *tale)
{
	switch (world->plan.flow.ordering) {
	case FLOW_ORDER_KEY:
		return tale->key;
	case FLOW_ORDER_PARTITION:
		return KEYS_MAX;
	case FLOW_ORDER_NONE:
		break;
	}
	return NONE;
}

static bool lane_is_empty(const struct world *world, const struct assignment *assignment, int lane)
{
	for (size_t i = 0; i < world->held_count; i++) {
		const struct tale *tale = world->tales[world->held[i]];
		if (tale->assignment == assignment && lane_of(world, tale) == lane)
			return false;
	}
	return true;
}

static void tale_leaves(struct world *world, struct tale *tale, enum place place)
{
	size_t last = world->held[--world->held_count];
	world->held[tale->held_index] = last;
	world->tales[last]->held_index = tale->held_index;
	if (tale->shape == ASKS && tale->inquiry == NULL)
		world->workers[tale->worker].unstarted--;
	tale->place = place;
	/* A lane is as long as events stand in it, and with the last of them goes its wait. */
	int lane = lane_of(world, tale);
	if (lane != NONE && lane_is_empty(world, tale->assignment, lane))
		tale->assignment->lane_not_before[lane] = 0;
}

static void inquiry_takes(struct world *world, struct inquiry *inquiry, struct tale *tale)
{
	tale->inquiry = inquiry;
	inquiry->tales[inquiry->tale_count++] = tale->number;
	world->workers[tale->worker].unstarted--;
}

/* A look-up starts for the first time: it is for all events that wait for the same customer. */
static struct inquiry *new_inquiry(struct world *world, struct tale *first)
{
	struct inquiry *inquiry = mem_new(struct inquiry);
	inquiry->next = world->inquiries;
	world->inquiries = inquiry;
	inquiry->worker = first->worker;
	inquiry->customer = first->customer;
	inquiry->tales = mem_new_array(size_t, world->held_count);
	if (!world->plan.flow.coalesce) {
		inquiry_takes(world, inquiry, first);
		return inquiry;
	}
	for (size_t i = 0; i < world->held_count; i++) {
		struct tale *tale = world->tales[world->held[i]];
		if (tale->worker == first->worker && tale->shape == ASKS &&
			tale->customer == first->customer && tale->inquiry == NULL)
			inquiry_takes(world, inquiry, tale);
	}
	return inquiry;
}

struct inquiry *inquiry_of(struct world *world, unsigned worker, struct lookup *lookup)
{
	struct tale *tale = tale_of(world, lookup_event(lookup));
	if (tale->place != HELD || tale->worker != worker) {
		broken(world, "a request was started for event %zu, which is not waiting",
			tale->number);
		return NULL;
	}
	char email[32];
	snprintf(email, sizeof(email), "c%d@example.org", tale->customer);
	if (!bytes_equal(lookup_customer(lookup).email, bytes_of_text(email)))
		broken(world, "the request for event %zu asks for somebody else", tale->number);
	if (tale->inquiry == NULL)
		return new_inquiry(world, tale);
	if (tale->inquiry->lookup != NULL)
		broken(world, "a second request was started for event %zu", tale->number);
	if (tale->inquiry->answered_by != 0)
		broken(world, "event %zu was answered, and is asked for again", tale->number);
	return tale->inquiry;
}

bool inquiry_is_wanted(const struct world *world, const struct inquiry *inquiry)
{
	for (size_t i = 0; i < inquiry->tale_count; i++)
		if (world->tales[inquiry->tales[i]]->place == HELD)
			return true;
	return false;
}

int64_t inquiry_not_before(const struct world *world, const struct inquiry *inquiry)
{
	int64_t time = 0;
	for (size_t i = 0; i < inquiry->tale_count; i++) {
		const struct tale *tale = world->tales[inquiry->tales[i]];
		int lane = lane_of(world, tale);
		if (tale->place != HELD)
			continue;
		if (tale->not_before > time)
			time = tale->not_before;
		if (lane != NONE && tale->assignment->lane_not_before[lane] > time)
			time = tale->assignment->lane_not_before[lane];
	}
	return time;
}

void note_retry_after(struct world *world, const struct call *call)
{
	int64_t until = world->now + call->answer.retry_after_ns;
	if (call->answer.retry_after_ns == 0)
		return;
	for (size_t i = 0; i < call->inquiry->tale_count; i++) {
		struct tale *tale = world->tales[call->inquiry->tales[i]];
		int lane = lane_of(world, tale);
		if (tale->place != HELD)
			continue;
		tale->not_before = until;
		if (lane != NONE && tale->assignment->lane_not_before[lane] < until)
			tale->assignment->lane_not_before[lane] = until;
	}
}

/* No event is blamed without a witness: enough attempts of it were disproved, and not forgiven. */
static void check_blame(struct world *world, const struct tale *tale, const struct event *event)
{
	const struct inquiry *inquiry = tale->inquiry;
	const struct outcome *outcome = &event->outcome;
	unsigned max = world->plan.flow.max_attempts;
	unsigned count = 0;
	unsigned unclassified = 0;
	for (size_t i = 0; i < inquiry->failed_count; i++) {
		const struct failed_attempt *failed = &inquiry->failed[i];
		if (failed->forgiven || failed->start >= world->line.witness)
			continue;
		count++;
		unclassified += failed->unclassified ? 1 : 0;
	}
	if (count < max && unclassified < 2)
		broken(world, "event %zu is blamed for %u attempts, of which %u count",
			tale->number, outcome->attempts, count);
	unsigned least = unclassified >= 2 && max > 2 ? 2 : max;
	if (outcome->attempts < least || outcome->attempts > inquiry->failures)
		broken(world, "event %zu has %u attempts, but %u failed and %u count", tale->number,
			outcome->attempts, inquiry->failures, count);
	if (outcome->reason != inquiry->reason)
		broken(world, "event %zu ends as %s, but failed as %s", tale->number,
			reason_name(outcome->reason), reason_name(inquiry->reason));
}

static void check_answer(struct world *world, const struct tale *tale, const struct event *event)
{
	const struct inquiry *inquiry = tale->inquiry;
	const struct outcome *outcome = &event->outcome;
	static const enum reason reasons[] = {
		[TRUTH_FOUND] = REASON_NONE,
		[TRUTH_NOT_FOUND] = REASON_CASE_NOT_FOUND,
		[TRUTH_EMAIL_MISSING] = REASON_EMAIL_MISSING,
	};
	char case_id[48];
	snprintf(case_id, sizeof(case_id), "case-%d-%llu", tale->customer,
		(unsigned long long)inquiry->answered_by);
	if (outcome->reason != reasons[world->plan.truths[tale->customer]])
		broken(world, "event %zu ends as '%s', which is not true", tale->number,
			reason_name(outcome->reason));
	if (outcome->reason == REASON_NONE &&
		(outcome->case_id == NULL || strcmp(outcome->case_id, case_id) != 0))
		broken(world, "event %zu has case '%s', not %s", tale->number, outcome->case_id,
			case_id);
	if (inquiry->asked_at < tale->arrived_at)
		broken(world, "event %zu has an answer older than itself", tale->number);
	if (outcome->attempts < 1)
		broken(world, "event %zu was answered without an attempt", tale->number);
}

static void check_outcome(struct world *world, const struct tale *tale, const struct event *event)
{
	const struct outcome *outcome = &event->outcome;
	if (tale->shape != ASKS) {
		enum reason reason = tale->shape == IS_MALFORMED ? REASON_MALFORMED_EVENT
								 : REASON_IDENTITY_MISSING;
		if (outcome->reason != reason || outcome->attempts != 0)
			broken(world, "event %zu does not end as %s", tale->number,
				reason_name(reason));
		return;
	}
	if (outcome->attempts > world->plan.flow.max_attempts)
		broken(world, "event %zu has %u attempts", tale->number, outcome->attempts);
	if (tale->inquiry == NULL)
		broken(world, "event %zu ends without a request", tale->number);
	else if (tale->inquiry->answered_by != 0)
		check_answer(world, tale, event);
	else
		check_blame(world, tale, event);
}

void check_result(struct world *world, struct event *event)
{
	struct tale *tale = tale_of(world, event);
	int lane = lane_of(world, tale);
	const char *reason = reason_name(event->outcome.reason);
	tell(world, "worker %u publishes event %zu: %s, %u attempts", tale->worker, tale->number,
		reason[0] == '\0' ? "found" : reason, event->outcome.attempts);
	if (tale->place != HELD) {
		broken(world, "event %zu is published, but was dropped or published before",
			tale->number);
		return;
	}
	check_outcome(world, tale, event);
	if (tale->offset > tale->assignment->cut)
		broken(world, "event %zu is published, but lies above the cut", tale->number);
	if (lane != NONE && tale->offset <= tale->assignment->lane_last[lane])
		broken(world, "event %zu comes out after one that came later", tale->number);
	if (lane != NONE)
		tale->assignment->lane_last[lane] = tale->offset;
	tale_leaves(world, tale, PUBLISHED);
	tale->event = event;
}

void check_dropped(
	struct world *world, struct assignment *assignment, struct event *events, int64_t cut)
{
	while (events != NULL) {
		struct event *event = events;
		events = event->next;
		struct tale *tale = tale_of(world, event);
		if (tale->place != HELD || tale->assignment != assignment || tale->offset <= cut)
			broken(world, "event %zu is dropped, but should not be", tale->number);
		else if (cut >= 0 && tale->inquiry != NULL)
			broken(world, "event %zu is dropped after its request started",
				tale->number);
		if (tale->place == HELD) {
			tale_leaves(world, tale, DROPPED);
			world->unfinished--;
			world->buffered--;
		}
		event_free(event);
	}
}

void check_acknowledged(struct world *world, struct tale *tale)
{
	struct assignment *assignment = tale->assignment;
	tale->place = ACKNOWLEDGED;
	event_free(tale->event);
	tale->event = NULL;
	world->unfinished--;
	world->buffered--;
	offset_tracker_done(assignment->tracker, tale->sequence);
	int64_t watermark = assignment->watermark;
	while (assignment->first_open < assignment->tale_count) {
		tale = world->tales[assignment->tales[assignment->first_open]];
		if (tale->place != ACKNOWLEDGED)
			break;
		watermark = tale->offset + 1;
		assignment->first_open++;
	}
	assignment->watermark = watermark;
	if (offset_tracker_watermark(assignment->tracker) != watermark)
		broken(world, "partition %d would commit %lld, not %lld", assignment->partition,
			(long long)offset_tracker_watermark(assignment->tracker),
			(long long)watermark);
}

/* Whether an event has its outcome, as far as the world can tell. */
static bool is_answered(const struct tale *tale)
{
	return tale->shape != ASKS || (tale->inquiry != NULL && tale->inquiry->answered_by != 0);
}

static bool somebody_is_before(const struct world *world, const struct tale *tale)
{
	int lane = lane_of(world, tale);
	for (size_t i = 0; i < world->held_count && lane != NONE; i++) {
		const struct tale *other = world->tales[world->held[i]];
		if (other->assignment == tale->assignment && lane_of(world, other) == lane &&
			other->offset < tale->offset)
			return true;
	}
	return false;
}

/* The longest that a look-up may wait before it is tried again. */
static int64_t longest_backoff(const struct world *world, const struct inquiry *inquiry)
{
	int64_t wait = world->plan.flow.initial_backoff_ns;
	for (unsigned i = 1; i < inquiry->setbacks && wait < world->plan.flow.max_backoff_ns; i++)
		wait *= 2;
	return wait < world->plan.flow.max_backoff_ns ? wait : world->plan.flow.max_backoff_ns;
}

/* Whether a look-up is not tried again though it could be: its worker sleeps, and there is room. */
static bool is_overdue(
	const struct world *world, const struct tale *tale, const struct gate_state *state)
{
	const struct inquiry *inquiry = tale->inquiry;
	int64_t slack = 50 * NS_PER_MS;
	if (inquiry == NULL || inquiry->lookup != NULL ||
		world->workers[tale->worker].draining > 0 || world->line.cause != STOP_NONE ||
		world->kafka_down || world->key_gone || world->plan.retry_after_percent > 0 ||
		world->call_count >= state->in_flight_limit || state->requests_per_second_limit > 0)
		return false;
	for (unsigned i = 0; i < world->plan.workers; i++)
		if (world->workers[i].runs_at < world->now + slack)
			return false;
	int64_t since = inquiry->ended_at;
	if (world->line.went_at > since)
		since = world->line.went_at;
	return world->now >
	       since + longest_backoff(world, inquiry) + world->plan.flow.patience_ns + slack;
}

/* No event waits for longer than it must. */
void check_held(struct world *world)
{
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	for (size_t i = 0; i < world->held_count && i < 50; i++) {
		const struct tale *tale = world->tales[world->held[i]];
		if (!is_answered(tale)) {
			if (is_overdue(world, tale, &state) && !somebody_is_before(world, tale))
				broken(world, "event %zu is not tried again", tale->number);
		} else if (world->workers[tale->worker].runs_at == TIME_NEVER &&
			   !somebody_is_before(world, tale)) {
			broken(world, "event %zu has its answer, but is not published",
				tale->number);
		}
	}
}
