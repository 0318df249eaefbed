/* What may start and when, and when something must. */
#include "world.h"

#include <string.h>

#define RAMP_NS NS_PER_S

/* A look-up that fails so often will never end. */
#define FAILURES_MAX 5000

static bool line_runs(const struct world *world)
{
	return world->line.cause == STOP_NONE && !world->kafka_down && !world->key_gone;
}

/* Workers probe in turn, and with look-ups that never failed before those that did. */
static void check_turn(struct world *world, const struct call *call)
{
	const struct worker *prober = &world->workers[call->worker];
	if (call->inquiry->setbacks > 0 && prober->unstarted > 0 &&
		world->plan.retry_after_percent == 0)
		broken(world, "event %zu probes, though others never failed",
			call->inquiry->tales[0]);
	for (unsigned i = 0; i < world->plan.workers; i++) {
		const struct worker *worker = &world->workers[i];
		if (call->worker == world->line.last_prober && i != call->worker && worker->asked &&
			worker->unstarted > 0 && worker->asked_since < world->line.turns)
			broken(world, "worker %u probes again before worker %u", call->worker, i);
	}
}

static void check_probe(struct world *world, const struct call *call)
{
	struct line *line = &world->line;
	if (!call->probe)
		broken(world, "a request that is no probe starts while the line is stopped");
	for (size_t i = 0; i < world->call_count; i++)
		if (world->calls[i] != call && world->calls[i]->probe)
			broken(world, "a second probe starts");
	if (line->probed_at >= 0 &&
		world->now < line->probed_at + world->plan.gate.probe_interval_ns)
		broken(world, "a probe starts too early");
	line->probed_at = world->now;
	check_turn(world, call);
	line->last_prober = call->worker;
	line->turns++;
}

static void check_limits(struct world *world)
{
	struct line *line = &world->line;
	unsigned limit = world->plan.gate.in_flight;
	if (world->call_count > limit)
		broken(world, "%zu requests are under way", world->call_count);
	int64_t elapsed = world->now - line->went_at;
	if (line->cause == STOP_NONE && elapsed < RAMP_NS &&
		(double)world->call_count >
			line->under_way_then + 1 + limit * (double)elapsed / RAMP_NS)
		broken(world, "%zu requests are under way so soon after a stop", world->call_count);
}

static void check_rate(struct world *world)
{
	struct line *line = &world->line;
	double rate = world->plan.gate.requests_per_second;
	if (rate <= 0)
		return;
	double burst = rate / 10 < 1 ? 1 : rate / 10;
	line->tokens += rate * (double)(world->now - line->filled_at) / (double)NS_PER_S;
	if (line->tokens > burst)
		line->tokens = burst;
	line->filled_at = world->now;
	line->tokens -= 1;
	if (line->tokens < -0.001)
		broken(world, "more requests start than a second may have");
}

static void check_attempts(struct world *world, const struct call *call)
{
	const struct inquiry *inquiry = call->inquiry;
	unsigned count = 0;
	for (size_t i = 0; i < inquiry->failed_count; i++)
		count += !inquiry->failed[i].forgiven && !inquiry->failed[i].doubtful;
	if (!call->probe && count >= world->plan.flow.max_attempts)
		broken(world, "event %zu is asked for again after %u attempts", inquiry->tales[0],
			count);
}

/* Nobody who has nothing under way waits while the others take all that comes free. */
static void check_fairness(struct world *world, const struct call *call)
{
	for (unsigned i = 0; i < world->plan.workers; i++) {
		struct worker *worker = &world->workers[i];
		if (!worker->asked || worker->under_way > 0 || worker->unstarted == 0)
			worker->passed_over = 0;
		else if (i != call->worker && ++worker->passed_over > 2 * world->plan.workers)
			broken(world, "worker %u starves", i);
	}
	world->workers[call->worker].asked = false;
	world->workers[call->worker].passed_over = 0;
}

void check_wait(struct world *world, unsigned number)
{
	struct worker *worker = &world->workers[number];
	bool waits = worker->unstarted > 0 && worker->draining == 0 &&
		     world->plan.retry_after_percent == 0;
	if (waits && !worker->asked)
		worker->asked_since = world->line.turns;
	worker->asked = waits;
}

void check_start(struct world *world, const struct call *call)
{
	if (world->kafka_down || world->key_gone)
		broken(world, "a request starts without Kafka or without a key");
	if (world->line.cause != STOP_NONE)
		check_probe(world, call);
	else if (call->probe)
		broken(world, "a probe starts while the line runs");
	else
		check_rate(world);
	check_limits(world);
	check_attempts(world, call);
	check_fairness(world, call);
	if (world->workers[call->worker].draining > 0)
		broken(world, "a request starts between the two steps of a drain");
	if (inquiry_not_before(world, call->inquiry) > world->now)
		broken(world, "event %zu is asked for before its Retry-After",
			call->inquiry->tales[0]);
}

/* Makes room for more attempts: those that were forgiven go, and the oldest where none was. */
static void drop_attempts(struct inquiry *inquiry)
{
	size_t left = 0;
	for (size_t i = 0; i < inquiry->failed_count; i++)
		if (!inquiry->failed[i].forgiven)
			inquiry->failed[left++] = inquiry->failed[i];
	size_t drop = left == ATTEMPTS_KEPT ? ATTEMPTS_KEPT / 2 : 0;
	memmove(inquiry->failed, inquiry->failed + drop, (left - drop) * sizeof(*inquiry->failed));
	inquiry->failed_count = left - drop;
}

static struct failed_attempt *note_failed(
	struct world *world, struct inquiry *inquiry, uint64_t start)
{
	if (inquiry->failed_count == ATTEMPTS_KEPT)
		drop_attempts(inquiry);
	if (inquiry->failures == FAILURES_MAX)
		broken(world, "event %zu fails and fails", inquiry->tales[0]);
	inquiry->failures++;
	struct failed_attempt *failed = &inquiry->failed[inquiry->failed_count++];
	*failed = (struct failed_attempt){.start = start};
	return failed;
}

/* Failures of an inquiry that is answered while the line still runs were the API's own. */
static void note_failed_now(struct world *world, struct inquiry *inquiry)
{
	if (!line_runs(world) || inquiry->failed_stops != world->line.stops)
		inquiry->failed_now = 0;
	inquiry->failed_stops = world->line.stops;
	inquiry->failed_now += line_runs(world) ? 1 : 0;
}

void check_failure(struct world *world, const struct call *call, bool stopped_line)
{
	struct inquiry *inquiry = call->inquiry;
	enum meaning meaning = call->answer.meaning;
	bool counts = line_runs(world);
	if (stopped_line)
		counts = world->plan.flow.max_attempts > 1 || inquiry->stopped_line;
	inquiry->stopped_line = inquiry->stopped_line || stopped_line;
	if (meaning != MEANS_FAILURE && meaning != MEANS_WRONG_ENDPOINT)
		return;
	inquiry->reason = call->answer.reason;
	if (meaning == MEANS_FAILURE)
		note_failed_now(world, inquiry);
	if (!counts)
		return;
	struct failed_attempt *failed = note_failed(world, inquiry, call->start);
	failed->unclassified = call->answer.unclassified;
}

void check_resend(struct world *world, struct call *call, uint64_t start)
{
	if (!line_runs(world) || call->probe)
		broken(world, "a request is sent again while the line is stopped");
	note_failed(world, call->inquiry, call->start);
	call->inquiry->setbacks++;
	call->inquiry->reason = REASON_API_UNAVAILABLE;
	call->start = start;
	check_rate(world);
	check_attempts(world, call);
}

/* Whether somebody may start a request right now, as far as the world can tell. */
static bool somebody_could_start(struct world *world, int64_t *ret_by)
{
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	*ret_by = world->now;
	if (world->kafka_down || world->key_gone || world->plan.retry_after_percent > 0)
		return false;
	if (world->line.cause == STOP_NONE) {
		double rate = state.requests_per_second_limit;
		if (rate > 0)
			*ret_by += (int64_t)(2 * (double)NS_PER_S / rate);
		return state.in_flight < state.in_flight_limit;
	}
	if (state.in_flight >= world->plan.gate.in_flight)
		return false;
	for (size_t i = 0; i < world->call_count; i++)
		if (world->calls[i]->probe)
			return false;
	*ret_by += GATE_PROBE_TURN_NS;
	if (world->line.probed_at >= 0 &&
		world->line.probed_at + world->plan.gate.probe_interval_ns > world->now)
		*ret_by = world->line.probed_at + world->plan.gate.probe_interval_ns +
			  GATE_PROBE_TURN_NS;
	return true;
}

/* Nobody sleeps while there is something to start: a wake-up that gets lost would be for ever. */
void check_rest(struct world *world)
{
	int64_t first = TIME_NEVER;
	bool wanted = false;
	int64_t by = 0;
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	if (state.in_flight != world->call_count)
		broken(world, "the gate counts %u requests under way, not %zu", state.in_flight,
			world->call_count);
	for (unsigned i = 0; i < world->plan.workers; i++) {
		const struct worker *worker = &world->workers[i];
		if (worker->runs_at < first)
			first = worker->runs_at;
		wanted = wanted || (worker->unstarted > 0 && worker->draining == 0);
	}
	if (wanted && somebody_could_start(world, &by) &&
		first > by + 2 * world->plan.wake_delay + 2 * NS_PER_MS)
		broken(world, "everybody sleeps, though there is something to start");
}
