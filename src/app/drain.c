#include "drain.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* What is asked of each worker, on its own thread. */
struct round {
	const struct drain *drain;
	int64_t *cuts; /* one a partition */
};

static void begin(struct flow *flow, void *argument)
{
	struct round *round = argument;
	for (size_t i = 0; i < round->drain->count; i++) {
		int64_t highest;
		flow_drain_begin(flow, round->drain->partitions[i], &highest);
		if (highest > round->cuts[i])
			round->cuts[i] = highest;
	}
}

/* Gives events back that a flow dropped. */
static void drop(const struct drain *drain, struct event *events)
{
	while (events != NULL) {
		struct event *event = events;
		events = event->next;
		delivery_drop(drain->delivery, event);
	}
}

static void cut(struct flow *flow, void *argument)
{
	struct round *round = argument;
	for (size_t i = 0; i < round->drain->count; i++)
		drop(round->drain,
			flow_drain_cut(flow, round->drain->partitions[i], round->cuts[i]));
}

static void abandon(struct flow *flow, void *argument)
{
	const struct drain *drain = argument;
	for (size_t i = 0; i < drain->count; i++)
		drop(drain, flow_abandon(flow, drain->partitions[i]));
}

void drain_abandon(const struct drain *drain)
{
	for (size_t i = 0; i < drain->worker_count; i++)
		worker_call(drain->workers[i], abandon, (void *)drain);
}

static bool all_ended(const struct drain *drain)
{
	for (size_t i = 0; i < drain->count; i++)
		if (partition_held(drain->partitions[i]) > 0)
			return false;
	return true;
}

/* Whether waiting longer would be in vain: the line is stopped, and nothing is under way any more.
 */
static bool stuck(const struct drain *drain)
{
	struct gate_state state;
	gate_state(drain->gate, clock_monotonic_ns(), &state);
	return state.cause != STOP_NONE && state.in_flight == 0;
}

bool drain_run(const struct drain *drain)
{
	CLEANUP(free_pointer) int64_t *cuts = mem_new_array(int64_t, drain->count + 1);
	if (cuts == NULL) {
		drain_abandon(drain);
		return false;
	}
	for (size_t i = 0; i < drain->count; i++)
		cuts[i] = -1;
	struct round round = {.drain = drain, .cuts = cuts};
	for (size_t i = 0; i < drain->worker_count; i++)
		worker_call(drain->workers[i], begin, &round);
	for (size_t i = 0; i < drain->worker_count; i++)
		worker_call(drain->workers[i], cut, &round);

	while (!all_ended(drain)) {
		if (clock_monotonic_ns() >= drain->deadline || stuck(drain)) {
			drain_abandon(drain);
			return false;
		}
		delivery_hurry(drain->delivery);
		drain->rest(drain->context);
	}
	return true;
}
