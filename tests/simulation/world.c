/* The world: lets what is on the agenda happen, in the order of time. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DAY_NS (INT64_C(24) * 3600 * NS_PER_S)

void tell(const struct world *world, const char *format, ...)
{
	if (!world->verbose)
		return;
	va_list arguments;
	va_start(arguments, format);
	printf("%12.3f ms  ", (double)world->now / (double)NS_PER_MS);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

void broken(struct world *world, const char *format, ...)
{
	if (world->broken)
		return;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(world->verdict, sizeof(world->verdict), format, arguments);
	va_end(arguments);
	world->broken = true;
	tell(world, "BROKEN: %s", world->verdict);
}

static bool earlier(const struct happening *a, const struct happening *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void agenda_add(struct world *world, int64_t at, struct happening happening)
{
	if (world->agenda_count == world->agenda_capacity) {
		world->agenda_capacity = world->agenda_capacity * 2 + 64;
		world->agenda = reallocarray(
			world->agenda, world->agenda_capacity, sizeof(struct happening));
	}
	happening.at = at;
	happening.order = world->order++;
	size_t i = world->agenda_count++;
	while (i > 0 && earlier(&happening, &world->agenda[(i - 1) / 2])) {
		world->agenda[i] = world->agenda[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	world->agenda[i] = happening;
}

static struct happening agenda_take(struct world *world)
{
	struct happening first = world->agenda[0];
	struct happening last = world->agenda[--world->agenda_count];
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= world->agenda_count)
			break;
		if (child + 1 < world->agenda_count &&
			earlier(&world->agenda[child + 1], &world->agenda[child]))
			child++;
		if (!earlier(&world->agenda[child], &last))
			break;
		world->agenda[i] = world->agenda[child];
		i = child;
	}
	world->agenda[i] = last;
	return first;
}

static void assign(struct world *world, int partition)
{
	struct assignment *assignment = mem_new(struct assignment);
	assignment->partition = partition;
	assignment->tracker = offset_tracker_new(NULL);
	assignment->next_offset = (int64_t)dice(&world->random, 1000);
	assignment->highest = -1;
	assignment->cut = TIME_NEVER;
	assignment->watermark = -1;
	for (size_t i = 0; i < array_length(assignment->lane_last); i++)
		assignment->lane_last[i] = -1;
	assignment->next = world->assignments;
	world->assignments = assignment;
	world->assigned[partition] = assignment;
}

static struct tale *new_tale(struct world *world)
{
	if (world->tale_count == world->tale_capacity) {
		world->tale_capacity = world->tale_capacity * 2 + 128;
		world->tales =
			reallocarray(world->tales, world->tale_capacity, sizeof(struct tale *));
		world->held = reallocarray(world->held, world->tale_capacity, sizeof(size_t));
	}
	struct tale *tale = mem_new(struct tale);
	tale->number = world->tale_count;
	world->tales[world->tale_count++] = tale;
	return tale;
}

/* A record comes in: its offset is opened, and it goes to a worker by what keeps its order. */
static void arrive(struct world *world, int customer)
{
	struct random *random = &world->random;
	struct tale *tale = new_tale(world);
	struct assignment *assignment = world->assigned[dice(random, world->plan.partitions)];
	tale->assignment = assignment;
	assignment->next_offset += chance(random, 20) ? (int64_t)dice(random, 5) : 0;
	tale->offset = assignment->next_offset++;
	tale->customer = customer;
	tale->key = chance(random, 20) ? NONE : (int)dice(random, (uint64_t)world->plan.keys);
	if (chance(random, world->plan.malformed_percent))
		tale->shape = chance(random, 50) ? IS_MALFORMED : LACKS_IDENTITY;
	unsigned place = (unsigned)dice(random, world->plan.workers);
	if (world->plan.flow.ordering == FLOW_ORDER_KEY && tale->key != NONE)
		place = (unsigned)tale->key;
	if (world->plan.flow.ordering == FLOW_ORDER_PARTITION)
		place = (unsigned)assignment->partition;
	tale->worker = place % world->plan.workers;

	offset_tracker_open(assignment->tracker, tale->offset, 0, &tale->sequence, NULL);
	assignment->tales =
		reallocarray(assignment->tales, assignment->tale_count + 1, sizeof(size_t));
	assignment->tales[assignment->tale_count++] = tale->number;
	tell(world,
		"event %zu comes to worker %u: partition %d, offset %lld, key %d, customer %d%s",
		tale->number, tale->worker, assignment->partition, (long long)tale->offset,
		tale->key, tale->customer, tale->shape == ASKS ? "" : ", asks for nobody");
	world->coming++;
	agenda_add(world, world->now,
		(struct happening){
			.kind = HAPPENS_COMING, .worker = tale->worker, .subject = tale});
}

static void plan_arrival(struct world *world)
{
	if (world->arrival_planned || world->to_arrive == 0 ||
		world->buffered >= world->plan.buffer)
		return;
	world->arrival_planned = true;
	int64_t wait = (int64_t)dice(&world->random, (uint64_t)world->plan.arrival_gap + 1);
	agenda_add(world, world->now + wait, (struct happening){.kind = HAPPENS_ARRIVAL});
}

/* An event that nothing is wrong with, so that poison events can be disproved. */
static void plan_heartbeat(struct world *world)
{
	bool needed = false;
	for (size_t i = 0; i < world->held_count && !needed; i++) {
		const struct tale *tale = world->tales[world->held[i]];
		needed = tale->shape == ASKS && truth_is_poison(world->plan.truths[tale->customer]);
	}
	if (world->heartbeat_planned || !needed || world->now < world->plan.fine_from)
		return;
	world->heartbeat_planned = true;
	int64_t wait = 100 * NS_PER_MS + (int64_t)dice(&world->random, 3 * NS_PER_S);
	agenda_add(world, world->now + wait, (struct happening){.kind = HAPPENS_HEARTBEAT});
}

/* How long a worker may take until it does its part of a drain. */
static int64_t step_of_drain(struct world *world)
{
	int64_t longest = chance(&world->random, 30) ? 500 : 5;
	return (int64_t)dice(&world->random, (uint64_t)(longest * NS_PER_MS));
}

static void revoke(struct world *world)
{
	struct random *random = &world->random;
	bool all = chance(random, 20);
	bool lost = chance(random, 30);
	int chosen = (int)dice(random, world->plan.partitions);
	for (int i = 0; i < (int)world->plan.partitions; i++) {
		if (!all && i != chosen)
			continue;
		struct assignment *assignment = world->assigned[i];
		tell(world, "partition %d is %s", i, lost ? "lost" : "revoked");
		assignment->lost = lost;
		assignment->answers_due = world->plan.workers;
		for (unsigned k = 0; k < world->plan.workers; k++)
			agenda_add(world, world->now + step_of_drain(world),
				(struct happening){
					.kind = lost ? HAPPENS_LOSS : HAPPENS_DRAIN_BEGIN,
					.worker = k,
					.subject = assignment});
		assign(world, i);
	}
}

static void drain_begin(struct world *world, unsigned worker, struct assignment *assignment)
{
	worker_drain_begin(world, worker, assignment);
	if (--assignment->answers_due > 0)
		return;
	assignment->cut = assignment->highest;
	for (unsigned i = 0; i < world->plan.workers; i++) {
		int64_t at = world->now + step_of_drain(world);
		agenda_add(world, at,
			(struct happening){
				.kind = HAPPENS_DRAIN_CUT, .worker = i, .subject = assignment});
	}
}

static void drain_cut(struct world *world, unsigned worker, struct assignment *assignment)
{
	worker_drain_cut(world, worker, assignment);
	/* Now and then the deadline passes before all of it is finished. */
	if (!chance(&world->random, 20))
		return;
	int64_t at = world->now + (int64_t)dice(&world->random, NS_PER_S);
	agenda_add(world, at,
		(struct happening){.kind = HAPPENS_LOSS, .worker = worker, .subject = assignment});
}

static void new_limits(struct world *world)
{
	unsigned before = world->plan.gate.in_flight;
	world->plan.gate.in_flight = (unsigned)(1 + dice(&world->random, 16));
	gate_set_options(world->gate, &world->plan.gate, world->now);
	if (world->plan.gate.in_flight != before)
		line_new_limits(world);
	tell(world, "in_flight is %u now", world->plan.gate.in_flight);
}

static void set_kafka(struct world *world, bool fine)
{
	tell(world, "Kafka is %s", fine ? "back" : "gone");
	world->kafka_down = !fine;
	gate_set_kafka_fine(world->gate, fine, world->now);
}

static void set_key(struct world *world, bool usable)
{
	tell(world, "%s", usable ? "there is a new key" : "there is no key");
	world->key_gone = !usable;
	if (usable) {
		gate_set_new_key(world->gate, world->now);
		world->line.probed_at = -1;
	} else {
		gate_set_no_key(world->gate, world->now);
	}
}

/* Between the two steps of a drain a flow takes neither events nor replies. */
static bool wait_for_cut(struct world *world, unsigned number, const struct happening *happening)
{
	struct worker *worker = &world->workers[number];
	if (!flow_frozen(worker->flow))
		return false;
	worker->inbox =
		reallocarray(worker->inbox, worker->inbox_count + 1, sizeof(struct happening));
	worker->inbox[worker->inbox_count++] = *happening;
	return true;
}

/* An event comes to its worker, unless its partition went away meanwhile. */
static void come(struct world *world, struct tale *tale)
{
	world->coming--;
	if (world->assigned[tale->assignment->partition] != tale->assignment)
		tale->place = DROPPED;
	else if (!worker_add(world, tale))
		broken(world, "out of memory");
}

static void happen(struct world *world, const struct happening *happening);

static void empty_inbox(struct world *world, struct worker *worker)
{
	if (flow_frozen(worker->flow))
		return;
	for (size_t i = 0; i < worker->inbox_count && !world->broken; i++)
		happen(world, &worker->inbox[i]);
	worker->inbox_count = 0;
}

static void happen(struct world *world, const struct happening *happening)
{
	switch (happening->kind) {
	case HAPPENS_ARRIVAL:
		world->arrival_planned = false;
		world->to_arrive--;
		arrive(world, (int)dice(&world->random, (uint64_t)world->plan.customers));
		break;
	case HAPPENS_HEARTBEAT:
		world->heartbeat_planned = false;
		arrive(world, world->plan.customers);
		break;
	case HAPPENS_RUN:
		if (world->workers[happening->worker].generation != happening->index)
			break;
		world->workers[happening->worker].runs_at = TIME_NEVER;
		worker_run(world, happening->worker);
		break;
	case HAPPENS_REPLY:
		if (!wait_for_cut(world, ((struct call *)happening->subject)->worker, happening))
			worker_reply(world, happening->subject);
		break;
	case HAPPENS_RESEND:
		worker_resend(world, happening->subject);
		break;
	case HAPPENS_ACKNOWLEDGEMENT:
		check_acknowledged(world, happening->subject);
		break;
	case HAPPENS_REVOCATION:
		revoke(world);
		break;
	case HAPPENS_DRAIN_BEGIN:
		drain_begin(world, happening->worker, happening->subject);
		break;
	case HAPPENS_DRAIN_CUT:
		drain_cut(world, happening->worker, happening->subject);
		empty_inbox(world, &world->workers[happening->worker]);
		break;
	case HAPPENS_COMING:
		if (!wait_for_cut(world, happening->worker, happening))
			come(world, happening->subject);
		break;
	case HAPPENS_LOSS:
		worker_abandon(world, happening->worker, happening->subject);
		break;
	case HAPPENS_KAFKA_DOWN:
	case HAPPENS_KAFKA_UP:
		set_kafka(world, happening->kind == HAPPENS_KAFKA_UP);
		break;
	case HAPPENS_KEY_GONE:
	case HAPPENS_NEW_KEY:
		set_key(world, happening->kind == HAPPENS_NEW_KEY);
		break;
	case HAPPENS_NEW_LIMITS:
		new_limits(world);
		break;
	}
}

/* Some time within what the weather and the arrivals take. */
static int64_t some_time(struct world *world)
{
	int64_t span = world->plan.fine_from + NS_PER_S +
		       (int64_t)world->plan.events * world->plan.arrival_gap / 2;
	return (int64_t)dice(&world->random, (uint64_t)span);
}

static void plan_pair(struct world *world, enum happening_kind away, enum happening_kind back)
{
	int64_t from = some_time(world);
	int64_t until = from + 1 + (int64_t)dice(&world->random, 3 * NS_PER_S);
	agenda_add(world, from, (struct happening){.kind = away});
	agenda_add(world, until, (struct happening){.kind = back});
	if (until > world->plan.fine_from)
		world->plan.fine_from = until;
}

static void plan_incidents(struct world *world)
{
	const struct plan *plan = &world->plan;
	for (size_t i = 0; i < plan->weather_count; i++)
		if (plan->weathers[i].kind == WEATHER_KEY_REFUSED && chance(&world->random, 50))
			agenda_add(world, plan->weathers[i].until,
				(struct happening){.kind = HAPPENS_NEW_KEY});
	if (chance(&world->random, 20))
		plan_pair(world, HAPPENS_KAFKA_DOWN, HAPPENS_KAFKA_UP);
	if (chance(&world->random, 10))
		plan_pair(world, HAPPENS_KEY_GONE, HAPPENS_NEW_KEY);
	if (chance(&world->random, 20))
		agenda_add(world, some_time(world), (struct happening){.kind = HAPPENS_NEW_LIMITS});
	for (uint64_t i = plan->drains ? 1 + dice(&world->random, 4) : 0; i > 0; i--)
		agenda_add(world, some_time(world), (struct happening){.kind = HAPPENS_REVOCATION});
}

static bool begin(struct world *world)
{
	struct plan *plan = &world->plan;
	plan_make(plan, &world->random);
	plan->gate.context = world;
	plan_tell(world);
	line_start(world);
	world->gate = gate_new(&plan->gate, 0, NULL);
	for (unsigned i = 0; i < plan->workers; i++) {
		plan->flow.number = i;
		plan->flow.seed = world->seed + i;
		world->workers[i].flow = flow_new(&plan->flow, world->gate, NULL);
		world->workers[i].runs_at = TIME_NEVER;
	}
	for (int i = 0; i < (int)plan->partitions; i++)
		assign(world, i);
	world->to_arrive = plan->events;
	plan_incidents(world);
	plan_arrival(world);
	return true;
}

static bool is_over(const struct world *world)
{
	return world->to_arrive == 0 && world->unfinished == 0 && world->call_count == 0 &&
	       world->coming == 0;
}

/* By when all must be answered, once nothing is wrong with the API any more. */
static int64_t deadline(const struct world *world)
{
	const struct plan *plan = &world->plan;
	int64_t arrivals = (int64_t)plan->events * plan->arrival_gap;
	return plan->fine_from + arrivals + (plan->poison_percent > 0 ? DAY_NS : 180 * NS_PER_S);
}

static void live(struct world *world)
{
	while (!world->broken && !world->blurred && !is_over(world)) {
		if (world->agenda_count == 0) {
			broken(world, "nothing happens any more, and %zu events have no result",
				world->unfinished);
			return;
		}
		struct happening happening = agenda_take(world);
		world->now = happening.at;
		if (world->now > deadline(world))
			broken(world, "%zu events have no result after so long a time",
				world->unfinished);
		if (++world->happened > 3000000)
			broken(world, "it is busy for ever");
		happen(world, &happening);
		plan_arrival(world);
		plan_heartbeat(world);
		if (!world->broken)
			check_rest(world);
		if (!world->broken && world->happened % 16 == 0)
			check_held(world);
	}
}

static void free_assignments(struct world *world)
{
	while (world->assignments != NULL) {
		struct assignment *assignment = world->assignments;
		world->assignments = assignment->next;
		offset_tracker_free(assignment->tracker);
		free(assignment->tales);
		free(assignment);
	}
}

static void end(struct world *world)
{
	for (unsigned i = 0; i < world->plan.workers; i++) {
		if (is_over(world) && !world->broken && flow_held(world->workers[i].flow) != 0)
			broken(world, "a flow holds events at the end");
		if (is_over(world) && !world->broken && flow_retrying(world->workers[i].flow) != 0)
			broken(world, "a flow still counts events to be tried again");
		flow_free(world->workers[i].flow);
		free(world->workers[i].inbox);
	}
	gate_free(world->gate);
	free_assignments(world);
	for (size_t i = 0; i < world->call_count; i++)
		free(world->calls[i]);
	while (world->inquiries != NULL) {
		struct inquiry *inquiry = world->inquiries;
		world->inquiries = inquiry->next;
		free(inquiry->tales);
		free(inquiry);
	}
	for (size_t i = 0; i < world->tale_count; i++) {
		event_free(world->tales[i]->event);
		free(world->tales[i]);
	}
	free(world->tales);
	free(world->held);
	free(world->agenda);
}

bool world_live(uint64_t seed, bool verbose, char *ret_verdict, size_t size)
{
	struct world world = {.seed = seed, .random = {seed}, .verbose = verbose};
	begin(&world);
	live(&world);
	end(&world);
	snprintf(ret_verdict, size, "%s", world.verdict);
	return !world.broken;
}
