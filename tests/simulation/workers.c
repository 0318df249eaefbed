/* What a worker of the service does with its flow, and nothing more than flow.h promises suffices.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "world.h"

/* Runs the worker at that time, unless it runs earlier. */
static void run_at(struct world *world, unsigned number, int64_t at)
{
	struct worker *worker = &world->workers[number];
	if (at >= worker->runs_at)
		return;
	worker->runs_at = at;
	worker->generation++;
	agenda_add(world, at,
		(struct happening){
			.kind = HAPPENS_RUN, .worker = number, .index = worker->generation});
}

static void run_soon(struct world *world, unsigned number)
{
	int64_t wait = 0;
	if (chance(&world->random, 50))
		wait = (int64_t)dice(&world->random, (uint64_t)world->plan.wake_delay);
	run_at(world, number, world->now + wait);
}

void worker_woken(void *context, unsigned number)
{
	run_soon(context, number);
}

static void send_request(struct world *world, unsigned number, const struct flow_action *action)
{
	struct inquiry *inquiry = inquiry_of(world, number, action->lookup);
	if (world->broken)
		return;
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	struct call *call = mem_new(struct call);
	*call = (struct call){
		.number = ++world->calls_made,
		.start = state.started,
		.worker = number,
		.inquiry = inquiry,
		.lookup = action->lookup,
		.probe = action->timeout_ns != 0,
		.started_at = world->now,
	};
	inquiry->lookup = action->lookup;
	world->calls[world->call_count++] = call;
	world->workers[number].under_way++;
	api_answer(world, call, &call->answer);
	tell(world, "worker %u sends #%llu%s for event %zu, customer %d", number,
		(unsigned long long)call->start, call->probe ? ", a probe," : "",
		tale_of(world, lookup_event(action->lookup))->number, inquiry->customer);
	check_start(world, call);
	agenda_add(world, world->now + call->answer.latency,
		(struct happening){.kind = HAPPENS_REPLY, .subject = call});
	if (chance(&world->random, world->plan.resend_percent))
		agenda_add(world, world->now + call->answer.latency / 2,
			(struct happening){.kind = HAPPENS_RESEND, .subject = call});
}

static void publish(struct world *world, struct event *event)
{
	check_result(world, event);
	if (world->broken)
		return;
	int64_t wait = (int64_t)dice(&world->random, 50 * NS_PER_MS);
	agenda_add(world, world->now + wait,
		(struct happening){
			.kind = HAPPENS_ACKNOWLEDGEMENT, .subject = tale_of(world, event)});
}

void worker_run(struct world *world, unsigned number)
{
	struct worker *worker = &world->workers[number];
	for (unsigned i = 0; i < world->plan.slice && !world->broken; i++) {
		struct flow_action action;
		enum flow_kind kind = flow_next(worker->flow, world->now, &action);
		line_compare(world, number);
		switch (kind) {
		case FLOW_WAIT:
			check_wait(world, number);
			if (action.until != TIME_NEVER)
				run_at(world, number, action.until);
			return;
		case FLOW_SEND:
			send_request(world, number, &action);
			break;
		case FLOW_PUBLISH:
			publish(world, action.event);
			break;
		}
	}
	run_at(world, number, world->now + 1);
}

bool worker_add(struct world *world, struct tale *tale)
{
	char value[64] = "{}";
	char key[16];
	if (tale->shape == IS_MALFORMED)
		snprintf(value, sizeof(value), "{");
	else if (tale->shape == ASKS)
		snprintf(value, sizeof(value), "{\"email\": \"c%d@example.org\"}", tale->customer);
	snprintf(key, sizeof(key), "key-%d", tale->key);
	struct record record = {
		.topic = "requests",
		.partition = tale->assignment->partition,
		.offset = tale->offset,
		.timestamp_ms = (int64_t)tale->number,
		.key = tale->key == NONE ? (struct bytes){0} : bytes_of_text(key),
		.value = bytes_of_text(value),
	};
	struct event *event = event_new(&record, NULL, 0, NULL);
	if (event == NULL)
		return false;
	event->source = tale->assignment;
	event->sequence = tale->sequence;
	if (!flow_add(world->workers[tale->worker].flow, event, NULL)) {
		event_free(event);
		return false;
	}
	tale_held(world, tale);
	run_soon(world, tale->worker);
	return true;
}

static void forget_call(struct world *world, const struct call *call)
{
	for (size_t i = 0; i < world->call_count; i++) {
		if (world->calls[i] != call)
			continue;
		world->calls[i] = world->calls[--world->call_count];
		break;
	}
	world->workers[call->worker].under_way--;
	call->inquiry->lookup = NULL;
}

void worker_reply(struct world *world, struct call *call)
{
	const struct answer *answer = &call->answer;
	struct inquiry *inquiry = call->inquiry;
	bool wanted = inquiry_is_wanted(world, inquiry);
	uint64_t stops = world->line.stops;
	tell(world, "worker %u gets the reply to #%llu: %d %s", call->worker,
		(unsigned long long)call->start, answer->status, answer->body);
	forget_call(world, call);
	line_end(world, call);
	if (wanted) {
		note_retry_after(world, call);
		check_failure(world, call, world->line.stops != stops);
	}
	inquiry->ended_at = world->now;
	inquiry->setbacks++;
	if (answer->meaning == MEANS_ANSWER) {
		inquiry->answered_by = call->number;
		inquiry->asked_at = call->started_at;
	}
	struct reply reply = {
		.transport = answer->transport,
		.status = answer->status,
		.body = bytes_of_text(answer->body),
		.retry_after = answer->retry_after[0] == '\0' ? (struct bytes){0}
							      : bytes_of_text(answer->retry_after),
	};
	flow_reply(world->workers[call->worker].flow, call->lookup, &reply, world->now, 0, NULL);
	line_compare(world, call->worker);
	run_soon(world, call->worker);
	free(call);
}

void worker_resend(struct world *world, struct call *call)
{
	bool running = false;
	for (size_t i = 0; i < world->call_count; i++)
		running = running || world->calls[i] == call;
	if (!running)
		return;
	bool may = flow_may_resend(world->workers[call->worker].flow, call->lookup, world->now);
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	if (!may)
		return;
	tell(world, "#%llu is sent again as #%llu", (unsigned long long)call->start,
		(unsigned long long)state.started);
	check_resend(world, call, state.started);
}

/* How far this worker got with the events of an assignment, as the world saw it. */
static int64_t highest_started(
	const struct world *world, unsigned number, const struct assignment *assignment)
{
	int64_t highest = -1;
	for (size_t i = 0; i < assignment->tale_count; i++) {
		const struct tale *tale = world->tales[assignment->tales[i]];
		if (tale->worker == number && (tale->inquiry != NULL || tale->place == PUBLISHED ||
						      tale->place == ACKNOWLEDGED))
			highest = tale->offset;
	}
	return highest;
}

void worker_drain_begin(struct world *world, unsigned number, struct assignment *assignment)
{
	struct worker *worker = &world->workers[number];
	int64_t highest;
	flow_drain_begin(worker->flow, assignment, &highest);
	worker->draining++;
	worker->asked = false;
	int64_t real = highest_started(world, number, assignment);
	if (!assignment->lost && highest < real)
		broken(world, "a flow says it got to %lld, but it got to %lld", (long long)highest,
			(long long)real);
	if (highest > assignment->highest)
		assignment->highest = highest;
	run_soon(world, number);
}

void worker_drain_cut(struct world *world, unsigned number, struct assignment *assignment)
{
	struct worker *worker = &world->workers[number];
	int64_t cut = assignment->highest;
	tell(world, "worker %u drops what is above %lld in partition %d", number, (long long)cut,
		assignment->partition);
	check_dropped(world, assignment, flow_drain_cut(worker->flow, assignment, cut), cut);
	worker->draining--;
	for (size_t i = 0; i < world->held_count; i++) {
		const struct tale *tale = world->tales[world->held[i]];
		if (tale->worker == number && tale->assignment == assignment && tale->offset > cut)
			broken(world, "event %zu is above the cut, but was not dropped",
				tale->number);
	}
	run_soon(world, number);
}

void worker_abandon(struct world *world, unsigned number, struct assignment *assignment)
{
	struct worker *worker = &world->workers[number];
	tell(world, "worker %u lets go of partition %d", number, assignment->partition);
	check_dropped(world, assignment, flow_abandon(worker->flow, assignment), -1);
	for (size_t i = 0; i < world->held_count; i++) {
		const struct tale *tale = world->tales[world->held[i]];
		if (tale->worker == number && tale->assignment == assignment)
			broken(world, "event %zu was not let go of", tale->number);
	}
	run_soon(world, number);
}
