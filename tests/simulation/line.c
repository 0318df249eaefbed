/*
 * Whether the line stops and goes as the contract has it: a second account of the rules, kept from
 * what the model API answered, and compared with the gate's own word after every step.
 */
#include <string.h>

#include "base/mem.h"
#include "world.h"

#define BUCKETS array_length(((struct line *)0)->ends)

void line_start(struct world *world)
{
	world->line = (struct line){
		.went_at = -NS_PER_S * 10,
		.probed_at = -1,
		.refusing_since = -1,
		.tokens = 1,
	};
}

static uint64_t starts_so_far(struct world *world)
{
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	return state.started;
}

/* The bucket of the window that the present belongs to. */
static size_t bucket_now(struct world *world)
{
	struct line *line = &world->line;
	int64_t number = world->now / (world->plan.gate.window_ns / (int64_t)BUCKETS);
	size_t i = (size_t)number % BUCKETS;
	if (line->ends[i] != number) {
		line->ends[i] = number;
		line->end_answered[i] = 0;
		line->end_failed[i] = 0;
		line->end_doubtful[i] = 0;
	}
	return i;
}

static bool too_many_failed(const struct world *world)
{
	const struct line *line = &world->line;
	int64_t number = world->now / (world->plan.gate.window_ns / (int64_t)BUCKETS);
	unsigned total = 0;
	unsigned failed = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		if (line->ends[i] <= number - (int64_t)BUCKETS)
			continue;
		failed += line->end_failed[i] + line->end_doubtful[i];
		total += line->end_answered[i] + line->end_failed[i] + line->end_doubtful[i];
	}
	return total >= world->plan.gate.min_requests &&
	       failed * 100 >= total * world->plan.gate.failure_percent;
}

static void forget_ends(struct line *line)
{
	memset(line->ends, 0, sizeof(line->ends));
	memset(line->end_answered, 0, sizeof(line->end_answered));
	memset(line->end_failed, 0, sizeof(line->end_failed));
	memset(line->end_doubtful, 0, sizeof(line->end_doubtful));
}

void line_new_limits(struct world *world)
{
	world->line.tokens = 1;
	world->line.filled_at = world->now;
}

/* A stop forgives the attempts that nobody disproved so far. */
static void forgive_all(struct world *world)
{
	for (size_t i = 0; i < world->held_count; i++) {
		struct inquiry *inquiry = world->tales[world->held[i]]->inquiry;
		if (inquiry == NULL)
			continue;
		for (size_t k = 0; k < inquiry->failed_count; k++) {
			struct failed_attempt *failed = &inquiry->failed[k];
			if (failed->start >= world->line.witness)
				failed->forgiven = true;
			else
				failed->doubtful = true;
		}
	}
}

static void stop(struct world *world, unsigned worker, enum stop_cause cause, uint64_t go_after)
{
	struct line *line = &world->line;
	line->last_prober = worker;
	line->turns++;
	line->cause = cause;
	line->stops++;
	line->stopped_at = world->now;
	line->go_after = go_after;
	line->go_perhaps = go_after;
	line->probed_at = -1;
	line->refusing_since = -1;
	forgive_all(world);
	tell(world, "the line stops: %s", stop_cause_name(cause));
}

static void go(struct world *world)
{
	struct line *line = &world->line;
	line->cause = STOP_NONE;
	line->perhaps = false;
	line->went_at = world->now;
	line->under_way_then = (unsigned)world->call_count;
	forget_ends(line);
	tell(world, "the line goes");
}

static void on_answer(struct world *world, const struct call *call)
{
	struct line *line = &world->line;
	if (call->start > line->witness) {
		line->witness = call->start;
		memset(line->end_doubtful, 0, sizeof(line->end_doubtful));
	}
	line->refusing_since = -1;
	size_t bucket = bucket_now(world);
	line->end_answered[bucket]++;
	if (call->inquiry->failed_stops == line->stops)
		line->end_failed[bucket] += call->inquiry->failed_now;
	if (line->cause == STOP_NONE)
		return;
	if (call->start > line->go_after)
		go(world);
	else if (call->start > line->go_perhaps)
		line->perhaps = true;
}

static void on_failure(struct world *world, const struct call *call)
{
	struct line *line = &world->line;
	line->refusing_since = -1;
	if (call->start > line->witness)
		line->end_doubtful[bucket_now(world)]++;
	if (line->cause == STOP_NONE && too_many_failed(world))
		stop(world, call->worker, STOP_API_DOWN, starts_so_far(world));
}

static void on_refusal(struct world *world, const struct call *call)
{
	struct line *line = &world->line;
	if (line->refusing_since < 0)
		line->refusing_since = world->now;
	if (line->cause == STOP_NONE &&
		world->now - line->refusing_since >= world->plan.gate.window_ns)
		stop(world, call->worker, STOP_RATE_LIMITED, starts_so_far(world));
}

static void on_blow(struct world *world, const struct call *call, enum stop_cause cause)
{
	struct line *line = &world->line;
	if (call->start < line->witness)
		return;
	line->refusing_since = -1;
	if (line->cause == STOP_NONE)
		stop(world, call->worker, cause,
			cause == STOP_CREDENTIALS ? starts_so_far(world) : call->start);
	else if (cause == STOP_CREDENTIALS && call->probe)
		line->cause = cause;
	else if (line->cause == cause && call->start > line->go_after && !call->probe)
		line->go_after = call->start;
}

void line_end(struct world *world, const struct call *call)
{
	switch (call->answer.meaning) {
	case MEANS_ANSWER:
		on_answer(world, call);
		break;
	case MEANS_FAILURE:
		on_failure(world, call);
		break;
	case MEANS_REFUSAL:
		on_refusal(world, call);
		break;
	case MEANS_BAD_KEY:
		on_blow(world, call, STOP_CREDENTIALS);
		break;
	case MEANS_WRONG_ENDPOINT:
		on_blow(world, call, STOP_ENDPOINT);
		break;
	}
}

/*
 * Whether a look-up used all its attempts while nobody disproved them all, and nobody can be
 * expected to do so any more.
 */
static bool is_undisproved(const struct world *world, const struct inquiry *inquiry)
{
	unsigned count = 0;
	unsigned undisproved = 0;
	for (size_t i = 0; i < inquiry->failed_count; i++) {
		const struct failed_attempt *failed = &inquiry->failed[i];
		count += failed->forgiven ? 0 : 1;
		undisproved += !failed->forgiven && failed->start >= world->line.witness;
	}
	bool patient = undisproved < count &&
		       world->now - inquiry->ended_at < world->plan.flow.patience_ns;
	return inquiry->lookup == NULL && undisproved > 0 && !patient &&
	       count >= world->plan.flow.max_attempts;
}

/*
 * The line stopped because of an event that failed all its attempts: there must be one, and its
 * last attempt stays on record, but for the first time where there is only one attempt. A reply to
 * a later start sets the line going; where there are several such events, any of them may be meant.
 */
static void stop_undisproved(struct world *world, unsigned worker)
{
	struct inquiry *blamed[64];
	size_t count = 0;
	for (size_t i = 0; i < world->held_count; i++) {
		struct inquiry *inquiry = world->tales[world->held[i]]->inquiry;
		if (inquiry != NULL && inquiry->worker == worker && count < array_length(blamed) &&
			is_undisproved(world, inquiry))
			blamed[count++] = inquiry;
	}
	if (count == 0)
		broken(world, "the line stopped without a cause");
	stop(world, worker, STOP_API_DOWN, 0);
	for (size_t i = 0; i < count; i++) {
		struct failed_attempt *last = &blamed[i]->failed[blamed[i]->failed_count - 1];
		if (last->start > world->line.go_after)
			world->line.go_after = last->start;
		if (i == 0 || last->start < world->line.go_perhaps)
			world->line.go_perhaps = last->start;
		if (world->plan.flow.max_attempts > 1 || blamed[i]->stopped_line)
			last->forgiven = false;
	}
	for (size_t i = 0; i < count; i++)
		blamed[i]->stopped_line = true;
}

void line_compare(struct world *world, unsigned worker)
{
	struct gate_state state;
	gate_state(world->gate, world->now, &state);
	if (state.stops == world->line.stops + 1)
		stop_undisproved(world, worker);
	if (state.stops != world->line.stops)
		broken(world, "the line stopped %llu times, and should have %llu times",
			(unsigned long long)state.stops, (unsigned long long)world->line.stops);
	if (world->line.perhaps && (world->kafka_down || world->key_gone))
		world->blurred = true;
	else if (world->line.perhaps && state.cause == STOP_NONE)
		go(world);
	world->line.perhaps = false;
	enum stop_cause cause = world->line.cause;
	if (world->key_gone)
		cause = STOP_CREDENTIALS;
	if (world->kafka_down)
		cause = STOP_KAFKA;
	if (state.cause != cause)
		broken(world, "the line's cause is %s, and should be %s",
			stop_cause_name(state.cause), stop_cause_name(cause));
}
