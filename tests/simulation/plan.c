/* What a seed decides at the start of its history. */
#include <stdio.h>

#include "base/mem.h"
#include "world.h"

uint64_t dice(struct random *random, uint64_t bound)
{
	return random_below(random, bound < 1 ? 1 : bound);
}

bool chance(struct random *random, unsigned percent)
{
	return dice(random, 100) < percent;
}

static int64_t between_ms(struct random *random, int64_t from, int64_t to)
{
	return (from + (int64_t)dice(random, (uint64_t)(to - from + 1))) * NS_PER_MS;
}

static void plan_gate(struct plan *plan, struct random *random)
{
	plan->gate = (struct gate_options){
		.flows = plan->workers,
		.in_flight = (unsigned)(1 + dice(random, chance(random, 50) ? 4 : 16)),
		.requests_per_second = chance(random, 20) ? (unsigned)(10 + dice(random, 190)) : 0,
		.adaptive = chance(random, 50),
		.failure_percent = chance(random, 50) ? 50 : (unsigned)(20 + dice(random, 81)),
		.min_requests = chance(random, 50) ? 50 : (unsigned)(3 + dice(random, 20)),
		.window_ns = between_ms(random, 1000, 10000),
		.probe_interval_ns = between_ms(random, 500, 5000),
		.wake = worker_woken,
	};
}

static void plan_flow(struct plan *plan, struct random *random)
{
	plan->flow = (struct flow_options){
		.ordering = (enum flow_ordering)dice(random, 3),
		.coalesce = chance(random, 70),
		.max_attempts = (unsigned)(1 + dice(random, 8)),
		.initial_backoff_ns = between_ms(random, 1, 200),
		.max_backoff_ns = between_ms(random, 500, 5000),
		.probe_timeout_ns = plan->gate.probe_interval_ns,
		.patience_ns = between_ms(random, 0, 3000),
	};
}

static void plan_customers(struct plan *plan, struct random *random)
{
	plan->customers = (int)(3 + dice(random, CUSTOMERS_MAX - 4));
	plan->poison_percent = chance(random, 50) ? 0 : (unsigned)(1 + dice(random, 30));
	for (int i = 0; i < plan->customers; i++) {
		bool poison = chance(random, plan->poison_percent);
		plan->truths[i] = poison ? (enum truth)(TRUTH_POISON +
							dice(random, TRUTH_COUNT - TRUTH_POISON))
					 : (enum truth)dice(random, TRUTH_POISON);
	}
	plan->truths[plan->customers] = TRUTH_FOUND; /* heartbeats ask for this one */
}

static void plan_weathers(struct plan *plan, struct random *random)
{
	plan->weather_count = dice(random, WEATHERS_MAX);
	int64_t from = 0;
	for (size_t i = 0; i < plan->weather_count; i++) {
		from += between_ms(random, 0, 3000);
		int64_t until = from + between_ms(random, 10, chance(random, 50) ? 500 : 15000);
		enum weather_kind kind = (enum weather_kind)(1 + dice(random, WEATHER_COUNT - 1));
		plan->weathers[i] = (struct weather){kind, from, until};
		from = until;
	}
	plan->fine_from = from;
	plan->flaky_percent = (unsigned)(5 + dice(random, 60));
	plan->retry_after_percent = chance(random, 50) ? 0 : (unsigned)dice(random, 101);
}

void plan_make(struct plan *plan, struct random *random)
{
	*plan = (struct plan){
		.workers = (unsigned)(1 + dice(random, WORKERS_MAX)),
		.partitions = (unsigned)(1 + dice(random, PARTITIONS_MAX)),
		.keys = (int)(1 + dice(random, KEYS_MAX)),
		.events = 1 + dice(random, chance(random, 80) ? 40 : 120),
		.arrival_gap = chance(random, 30) ? 0 : between_ms(random, 1, 600),
		.malformed_percent = (unsigned)dice(random, 15),
		.resend_percent = chance(random, 30) ? (unsigned)dice(random, 30) : 0,
		.latency = between_ms(random, 1, chance(random, 50) ? 20 : 500),
		.timeout = between_ms(random, 800, 3000),
		.buffer = chance(random, 70) ? 1000 : 3 + dice(random, 20),
		.slice = chance(random, 50) ? 1000 : (unsigned)(1 + dice(random, 3)),
		.wake_delay = chance(random, 50) ? 1 : between_ms(random, 1, 3),
		.drains = chance(random, 40),
	};
	plan->poison_latency = chance(random, 50) ? plan->latency : NS_PER_MS;
	plan_gate(plan, random);
	plan_flow(plan, random);
	plan_customers(plan, random);
	plan_weathers(plan, random);
}

static const char *const ordering_names[] = {
	[FLOW_ORDER_KEY] = "key",
	[FLOW_ORDER_PARTITION] = "partition",
	[FLOW_ORDER_NONE] = "none",
};

void plan_tell(const struct world *world)
{
	const struct plan *plan = &world->plan;
	const struct gate_options *gate = &plan->gate;
	const struct flow_options *flow = &plan->flow;
	tell(world, "%u workers, %u partitions, %zu events, %d keys, %d customers, buffer %zu",
		plan->workers, plan->partitions, plan->events, plan->keys, plan->customers,
		plan->buffer);
	tell(world, "ordering %s, coalesce %d, max_attempts %u, backoff %lld to %lld ms",
		ordering_names[flow->ordering], flow->coalesce, flow->max_attempts,
		(long long)(flow->initial_backoff_ns / NS_PER_MS),
		(long long)(flow->max_backoff_ns / NS_PER_MS));
	tell(world, "in_flight %u, per second %u, adaptive %d, breaker %u %% of %u in %lld ms",
		gate->in_flight, gate->requests_per_second, gate->adaptive, gate->failure_percent,
		gate->min_requests, (long long)(gate->window_ns / NS_PER_MS));
	tell(world, "probe interval %lld ms, latency %lld ms, time-out %lld ms",
		(long long)(gate->probe_interval_ns / NS_PER_MS),
		(long long)(plan->latency / NS_PER_MS), (long long)(plan->timeout / NS_PER_MS));
	for (size_t i = 0; i < plan->weather_count; i++)
		tell(world, "weather %s from %lld to %lld ms", weather_name(plan->weathers[i].kind),
			(long long)(plan->weathers[i].from / NS_PER_MS),
			(long long)(plan->weathers[i].until / NS_PER_MS));
	for (int i = 0; i < plan->customers; i++)
		if (truth_is_poison(plan->truths[i]))
			tell(world, "customer %d is poison: %s", i, truth_name(plan->truths[i]));
}
