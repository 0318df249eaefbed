#include "core/gate.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/breaker.h"
#include "core/limiter.h"

/* A line that goes again comes back to its limit over this long, so that no herd sets off. */
#define RAMP_NS NS_PER_S

/* The last stops that are remembered. */
#define STOPS_KEPT 64

/* What the gate knows of one flow. */
struct seat {
	unsigned in_flight;
	uint64_t last_start;
	uint64_t turn; /* rises: when it last probed, or stopped the line */
	bool waiting;  /* it was told to wait, and has something to start since */
	bool woken;    /* and was woken, but has not asked again yet */
};

struct gate {
	struct gate_options options;
	struct limiter limiter;
	struct breaker breaker;

	uint64_t last_start;
	uint64_t witness;
	unsigned in_flight;

	/* The line. kafka_fine and has_key stand beside `cause`: each alone withholds every leave.
	 */
	enum stop_cause cause;
	bool kafka_fine;
	bool has_key;
	uint64_t stops;
	uint64_t witness_at[STOPS_KEPT]; /* what the witness was at each of the last stops */
	int64_t stopped_at;
	struct gate_ending failure; /* the last request that was not answered */
	struct gate_ending setback; /* the same, as far as it tells why the line is stopped */
	uint64_t go_after; /* a documented reply to a later start than this sets the line going */
	int64_t refusing_since; /* nothing but refusals since then; -1: not so */

	/* While it is stopped. */
	uint64_t probe; /* the start number of the probe under way; 0: none */
	int64_t next_probe_at;
	uint64_t turns; /* of probing, given so far */

	/* After it was stopped. */
	int64_t ramp_from;
	unsigned ramp_floor;

	struct seat seats[];
};

static const char *const cause_names[STOP_CAUSE_COUNT] = {
	[STOP_NONE] = "none",
	[STOP_CREDENTIALS] = "credentials",
	[STOP_ENDPOINT] = "endpoint",
	[STOP_API_DOWN] = "api_down",
	[STOP_RATE_LIMITED] = "rate_limited",
	[STOP_KAFKA] = "kafka",
};

const char *stop_cause_name(enum stop_cause cause)
{
	return cause_names[cause];
}

static void enter(struct gate *gate)
{
	if (gate->options.lock != NULL)
		gate->options.lock(gate->options.context);
}

static void leave(struct gate *gate)
{
	if (gate->options.unlock != NULL)
		gate->options.unlock(gate->options.context);
}

struct gate *gate_new(const struct gate_options *options, int64_t now, struct error *err)
{
	struct gate *gate = calloc(1, sizeof(struct gate) + options->flows * sizeof(struct seat));
	if (gate == NULL) {
		error_memory(err);
		return NULL;
	}
	gate->options = *options;
	limiter_init(&gate->limiter, options->in_flight, options->requests_per_second,
		options->adaptive, now);
	breaker_init(&gate->breaker, options->failure_percent, options->min_requests,
		options->window_ns);
	gate->kafka_fine = true;
	gate->has_key = true;
	gate->refusing_since = -1;
	gate->ramp_from = now - RAMP_NS;
	return gate;
}

void gate_free(struct gate *gate)
{
	free(gate);
}

/* The cause that people are told: Kafka's first, since nothing can be said of the API meanwhile. */
static enum stop_cause visible_cause(const struct gate *gate)
{
	if (!gate->kafka_fine)
		return STOP_KAFKA;
	if (!gate->has_key)
		return STOP_CREDENTIALS;
	return gate->cause;
}

static struct gate_view view_of(const struct gate *gate)
{
	return (struct gate_view){visible_cause(gate), gate->stops, gate->witness};
}

static void wake_flow(struct gate *gate, unsigned flow)
{
	struct seat *seat = &gate->seats[flow];
	if (!seat->waiting || seat->woken)
		return;
	seat->woken = true;
	if (gate->options.wake != NULL)
		gate->options.wake(gate->options.context, flow);
}

static void wake_all(struct gate *gate)
{
	for (unsigned i = 0; i < gate->options.flows; i++)
		wake_flow(gate, i);
}

/* Who goes first: the flow that has least under way; of two alike the one that waited longest. */
static bool goes_first(const struct seat *a, const struct seat *b)
{
	return a->in_flight < b->in_flight ||
	       (a->in_flight == b->in_flight && a->last_start < b->last_start);
}

/*
 * There is room: wakes the waiting flow that goes first. A flow that was woken either asks or
 * withdraws, and passes on here what it leaves, so that no wake-up is lost.
 */
static void wake_neediest(struct gate *gate)
{
	const struct seat *neediest = NULL;
	for (unsigned i = 0; i < gate->options.flows; i++) {
		const struct seat *seat = &gate->seats[i];
		if (seat->waiting && (neediest == NULL || goes_first(seat, neediest)))
			neediest = seat;
	}
	if (neediest != NULL)
		wake_flow(gate, (unsigned)(neediest - gate->seats));
}

/* The number at once that is in force: the limiter's, less while a line comes back. */
static unsigned limit_now(const struct gate *gate, int64_t now)
{
	unsigned limit = limiter_in_flight(&gate->limiter);
	int64_t elapsed = now - gate->ramp_from;
	if (elapsed >= RAMP_NS)
		return limit;
	unsigned ramp =
		gate->ramp_floor + (unsigned)((double)limit * (double)elapsed / (double)RAMP_NS);
	return ramp < limit ? ramp : limit;
}

/* Whether another flow waits that goes first, and has less than its even share. */
static bool others_first(const struct gate *gate, unsigned flow, unsigned limit)
{
	unsigned share = (limit + gate->options.flows - 1) / gate->options.flows;
	for (unsigned i = 0; i < gate->options.flows; i++) {
		const struct seat *seat = &gate->seats[i];
		if (i != flow && seat->waiting && seat->in_flight < share &&
			goes_first(seat, &gate->seats[flow]))
			return true;
	}
	return false;
}

static struct gate_leave wait_until(struct gate *gate, unsigned flow, int64_t until)
{
	gate->seats[flow].waiting = true;
	gate->seats[flow].woken = false;
	return (struct gate_leave){.kind = GATE_WAIT, .until = until};
}

static struct gate_leave start_one(struct gate *gate, unsigned flow, bool probe)
{
	gate->seats[flow].waiting = false;
	gate->seats[flow].woken = false;
	gate->seats[flow].in_flight++;
	gate->in_flight++;
	gate->last_start++;
	gate->seats[flow].last_start = gate->last_start;
	return (struct gate_leave){.kind = probe ? GATE_PROBE : GATE_GO, .start = gate->last_start};
}

/* When to ask again for room: while the line comes back it appears with time, too. */
static int64_t room_at(const struct gate *gate, int64_t now)
{
	return now - gate->ramp_from < RAMP_NS ? now + NS_PER_MS : TIME_NEVER;
}

static struct gate_leave ask_running(struct gate *gate, unsigned flow, int64_t now)
{
	unsigned limit = limit_now(gate, now);
	if (gate->in_flight >= limit)
		return wait_until(gate, flow, room_at(gate, now));
	if (others_first(gate, flow, limit)) {
		struct gate_leave wait = wait_until(gate, flow, room_at(gate, now));
		wake_neediest(gate);
		return wait;
	}
	int64_t until = limiter_take(&gate->limiter, now);
	if (until != 0)
		return wait_until(gate, flow, until);
	struct gate_leave given = start_one(gate, flow, false);
	if (gate->in_flight < limit)
		wake_neediest(gate);
	return given;
}

/* Whether another flow waits whose last turn of probing is longer ago. */
static bool other_probes_first(const struct gate *gate, unsigned flow)
{
	for (unsigned i = 0; i < gate->options.flows; i++)
		if (gate->seats[i].waiting && gate->seats[i].turn < gate->seats[flow].turn)
			return true;
	return false;
}

static struct gate_leave ask_stopped(struct gate *gate, unsigned flow, int64_t now)
{
	if (gate->probe != 0 || gate->in_flight >= gate->options.in_flight)
		return wait_until(gate, flow, TIME_NEVER);
	int64_t turn = gate->next_probe_at;
	if (other_probes_first(gate, flow))
		turn += GATE_PROBE_TURN_NS;
	if (now < turn)
		return wait_until(gate, flow, turn);

	struct gate_leave given = start_one(gate, flow, true);
	gate->probe = given.start;
	gate->seats[flow].turn = ++gate->turns;
	gate->next_probe_at = now + gate->options.probe_interval_ns;
	return given;
}

void gate_ask(struct gate *gate, unsigned flow, int64_t now, struct gate_leave *ret_leave)
{
	enter(gate);
	if (!gate->kafka_fine || !gate->has_key)
		*ret_leave = wait_until(gate, flow, TIME_NEVER);
	else if (gate->cause != STOP_NONE)
		*ret_leave = ask_stopped(gate, flow, now);
	else
		*ret_leave = ask_running(gate, flow, now);
	ret_leave->view = view_of(gate);
	leave(gate);
}

void gate_withdraw(struct gate *gate, unsigned flow, int64_t now)
{
	enter(gate);
	gate->seats[flow].waiting = false;
	gate->seats[flow].woken = false;
	if (visible_cause(gate) != STOP_NONE || gate->in_flight < limit_now(gate, now))
		wake_neediest(gate);
	leave(gate);
}

bool gate_ask_again(struct gate *gate, uint64_t start, int64_t now, uint64_t *ret_start)
{
	enter(gate);
	bool probe = start == gate->probe;
	bool fine = visible_cause(gate) == STOP_NONE && !probe &&
		    limiter_take(&gate->limiter, now) == 0;
	if (fine)
		*ret_start = ++gate->last_start;
	leave(gate);
	return fine;
}

/*
 * Stops the line; a documented reply to a start later than go_after sets it going again. The flow
 * that stopped it lets the others probe first: its event may be the one at fault.
 */
static void stop(
	struct gate *gate, unsigned flow, enum stop_cause cause, uint64_t go_after, int64_t now)
{
	gate->seats[flow].turn = ++gate->turns;
	gate->cause = cause;
	gate->stops++;
	gate->witness_at[gate->stops % STOPS_KEPT] = gate->witness;
	gate->stopped_at = now;
	gate->setback = gate->failure;
	gate->go_after = go_after;
	gate->next_probe_at = now;
	gate->refusing_since = -1;
	wake_all(gate);
}

static void go(struct gate *gate, int64_t now)
{
	if (gate->cause == STOP_RATE_LIMITED)
		limiter_forget(&gate->limiter);
	gate->cause = STOP_NONE;
	gate->ramp_from = now;
	gate->ramp_floor = gate->in_flight + 1;
	breaker_reset(&gate->breaker);
	wake_all(gate);
}

/* gate_end() has taken it off already. */
static struct limiter_end limiter_end_of(const struct gate *gate, uint64_t start)
{
	return (struct limiter_end){start, gate->last_start, gate->in_flight + 1};
}

static void on_documented(
	struct gate *gate, uint64_t start, const struct gate_ending *ending, int64_t now)
{
	unsigned failures = ending->failures_stops == gate->stops ? ending->failures : 0;
	if (start > gate->witness) {
		gate->witness = start;
		breaker_disproved(&gate->breaker);
	}
	gate->refusing_since = -1;
	breaker_answered(&gate->breaker, failures, now);
	const struct limiter_end end = limiter_end_of(gate, start);
	limiter_answered(&gate->limiter, &end, now);
	if (gate->cause != STOP_NONE && start > gate->go_after)
		go(gate, now);
}

static void on_failed(struct gate *gate, unsigned flow, uint64_t start, int64_t now)
{
	gate->refusing_since = -1;
	if (start > gate->witness)
		breaker_failed(&gate->breaker, now);
	if (gate->cause == STOP_NONE && breaker_tripped(&gate->breaker, now))
		stop(gate, flow, STOP_API_DOWN, gate->last_start, now);
}

static void on_refused(struct gate *gate, unsigned flow, uint64_t start, int64_t now)
{
	const struct limiter_end end = limiter_end_of(gate, start);
	limiter_refused(&gate->limiter, &end, now);
	if (gate->refusing_since < 0)
		gate->refusing_since = now;
	if (gate->cause == STOP_NONE && now - gate->refusing_since >= gate->options.window_ns)
		stop(gate, flow, STOP_RATE_LIMITED, gate->last_start, now);
}

/*
 * A reply that says something of the whole API, not of its event: unless a request that started
 * later was answered as documented, which disproves it.
 */
static void on_refusal_of_all(
	struct gate *gate, unsigned flow, enum stop_cause cause, uint64_t start, int64_t now)
{
	if (start < gate->witness)
		return;
	gate->refusing_since = -1;
	/* The key is never one event's fault: wait for a probe. A wrong endpoint can be. */
	if (gate->cause == STOP_NONE)
		stop(gate, flow, cause, cause == STOP_CREDENTIALS ? gate->last_start : start, now);
	else if (cause == STOP_CREDENTIALS && start == gate->probe)
		gate->cause = cause; /* what people must know first, whatever stopped the line */
	else if (cause == gate->cause && start > gate->go_after && start != gate->probe)
		gate->go_after = start;
}

/* A probe that was due is possible only now: so long the flows have to take their turns. */
static void open_probing(struct gate *gate, int64_t now)
{
	if (gate->next_probe_at < now)
		gate->next_probe_at = now;
	wake_all(gate);
}

/* Remembers what people are told where the line stops, or stays stopped, because of it. */
static void note_failure(struct gate *gate, const struct gate_ending *ending, bool was_probe)
{
	if (ending->sign == SIGN_DOCUMENTED || ending->sign == SIGN_NONE)
		return;
	gate->failure = *ending;
	if (was_probe)
		gate->setback = *ending;
}

bool gate_end(struct gate *gate, unsigned flow, uint64_t start, const struct gate_ending *ending,
	int64_t now, struct gate_view *ret_view)
{
	enter(gate);
	uint64_t stops = gate->stops;
	bool was_probe = start == gate->probe;
	bool was_full = gate->in_flight >= gate->options.in_flight;
	gate->in_flight--;
	gate->seats[flow].in_flight--;
	gate->seats[flow].woken = true; /* it asks again by itself, now that it has a reply */
	note_failure(gate, ending, was_probe);
	switch (ending->sign) {
	case SIGN_DOCUMENTED:
		on_documented(gate, start, ending, now);
		break;
	case SIGN_FAILED:
		on_failed(gate, flow, start, now);
		break;
	case SIGN_REFUSED:
		on_refused(gate, flow, start, now);
		break;
	case SIGN_CREDENTIALS:
		on_refusal_of_all(gate, flow, STOP_CREDENTIALS, start, now);
		break;
	case SIGN_ENDPOINT:
		on_refusal_of_all(gate, flow, STOP_ENDPOINT, start, now);
		break;
	case SIGN_NONE:
		break;
	}
	if (was_probe)
		gate->probe = 0;
	if (was_probe || (was_full && gate->cause != STOP_NONE))
		open_probing(gate, now);
	wake_neediest(gate);
	*ret_view = view_of(gate);
	bool stopped = gate->stops != stops;
	leave(gate);
	return stopped;
}

void gate_stop_undisproved(struct gate *gate, unsigned flow, uint64_t last_start, int64_t now,
	struct gate_view *ret_view)
{
	enter(gate);
	if (gate->cause == STOP_NONE)
		stop(gate, flow, STOP_API_DOWN, last_start, now);
	*ret_view = view_of(gate);
	leave(gate);
}

void gate_look(struct gate *gate, struct gate_view *ret_view)
{
	enter(gate);
	*ret_view = view_of(gate);
	leave(gate);
}

uint64_t gate_witness_at_stop(struct gate *gate, uint64_t stop)
{
	enter(gate);
	bool kept = stop <= gate->stops && gate->stops - stop < STOPS_KEPT;
	uint64_t witness = kept ? gate->witness_at[stop % STOPS_KEPT] : 0;
	leave(gate);
	return witness;
}

void gate_set_kafka_fine(struct gate *gate, bool fine, int64_t now)
{
	enter(gate);
	if (gate->kafka_fine && !fine)
		gate->stopped_at = now;
	gate->kafka_fine = fine;
	open_probing(gate, now);
	leave(gate);
}

void gate_set_no_key(struct gate *gate, int64_t now)
{
	enter(gate);
	if (gate->has_key)
		gate->stopped_at = now;
	gate->has_key = false;
	leave(gate);
}

void gate_set_new_key(struct gate *gate, int64_t now)
{
	enter(gate);
	gate->has_key = true;
	gate->next_probe_at = now;
	wake_all(gate);
	leave(gate);
}

static bool same_limits(const struct gate_options *a, const struct gate_options *b)
{
	return a->in_flight == b->in_flight && a->requests_per_second == b->requests_per_second &&
	       a->adaptive == b->adaptive;
}

static bool same_breaker(const struct gate_options *a, const struct gate_options *b)
{
	return a->failure_percent == b->failure_percent && a->min_requests == b->min_requests &&
	       a->window_ns == b->window_ns;
}

void gate_set_options(struct gate *gate, const struct gate_options *options, int64_t now)
{
	enter(gate);
	struct gate_options *own = &gate->options;
	if (!same_limits(own, options))
		limiter_init(&gate->limiter, options->in_flight, options->requests_per_second,
			options->adaptive, now);
	if (!same_breaker(own, options))
		breaker_init(&gate->breaker, options->failure_percent, options->min_requests,
			options->window_ns);
	own->in_flight = options->in_flight;
	own->requests_per_second = options->requests_per_second;
	own->adaptive = options->adaptive;
	own->failure_percent = options->failure_percent;
	own->min_requests = options->min_requests;
	own->window_ns = options->window_ns;
	own->probe_interval_ns = options->probe_interval_ns;
	if (gate->next_probe_at > now + own->probe_interval_ns)
		gate->next_probe_at = now + own->probe_interval_ns;
	open_probing(gate, now);
	leave(gate);
}

void gate_state(struct gate *gate, int64_t now, struct gate_state *ret_state)
{
	enter(gate);
	bool probing =
		visible_cause(gate) == gate->cause && gate->cause != STOP_NONE && gate->probe == 0;
	*ret_state = (struct gate_state){
		.cause = visible_cause(gate),
		.stopped_at = gate->stopped_at,
		.setback = gate->setback,
		.next_probe_at = probing ? gate->next_probe_at : TIME_NEVER,
		.stops = gate->stops,
		.started = gate->last_start,
		.in_flight = gate->in_flight,
		.in_flight_limit = limit_now(gate, now),
		.requests_per_second_limit = limiter_per_second(&gate->limiter),
	};
	leave(gate);
}
