#include "core/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define FLOWS          3
#define PROBE_INTERVAL (5 * NS_PER_S)
#define WINDOW         (10 * NS_PER_S)

/* A gate with three flows, in virtual time, and what it says to them. */
struct porch {
	struct gate_options options;
	struct gate *gate;
	int64_t now;
	int locks;
	bool woken[FLOWS];
	struct gate_leave leave; /* the last answer */
	struct gate_view view;   /* after the last end */
};

static void note_woken(void *context, unsigned flow)
{
	struct porch *porch = context;
	assert_int_equal(porch->locks, 1);
	porch->woken[flow] = true;
}

static void lock(void *context)
{
	((struct porch *)context)->locks++;
}

static void unlock(void *context)
{
	((struct porch *)context)->locks--;
}

static struct porch new_porch(unsigned in_flight)
{
	return (struct porch){
		.options =
			{
				.flows = FLOWS,
				.in_flight = in_flight,
				.failure_percent = 50,
				.min_requests = 4,
				.window_ns = WINDOW,
				.probe_interval_ns = PROBE_INTERVAL,
				.lock = lock,
				.unlock = unlock,
				.wake = note_woken,
			},
		.now = 1000 * NS_PER_S,
	};
}

static void open_porch(struct porch *porch)
{
	porch->options.context = porch;
	porch->gate = gate_new(&porch->options, porch->now, NULL);
	assert_non_null(porch->gate);
}

static void close_porch(struct porch *porch)
{
	assert_int_equal(porch->locks, 0);
	gate_free(porch->gate);
}

static bool woken(struct porch *porch, unsigned flow)
{
	bool was = porch->woken[flow];
	porch->woken[flow] = false;
	return was;
}

/* The flow gets leave; returns the start number. */
static uint64_t goes(struct porch *porch, unsigned flow)
{
	gate_ask(porch->gate, flow, porch->now, &porch->leave);
	assert_int_equal(porch->leave.kind, GATE_GO);
	return porch->leave.start;
}

static uint64_t probes(struct porch *porch, unsigned flow)
{
	gate_ask(porch->gate, flow, porch->now, &porch->leave);
	assert_int_equal(porch->leave.kind, GATE_PROBE);
	return porch->leave.start;
}

static int64_t waits(struct porch *porch, unsigned flow)
{
	gate_ask(porch->gate, flow, porch->now, &porch->leave);
	assert_int_equal(porch->leave.kind, GATE_WAIT);
	assert_true(porch->leave.until > porch->now);
	return porch->leave.until;
}

/* The request ends with that sign; returns whether this stopped the line. */
static bool ends(struct porch *porch, unsigned flow, uint64_t start, enum gate_sign sign)
{
	const struct gate_ending ending = {.sign = sign};
	return gate_end(porch->gate, flow, start, &ending, porch->now, &porch->view);
}

static void no_more_requests_are_under_way_than_allowed(void **state)
{
	(void)state;
	struct porch porch = new_porch(2);
	open_porch(&porch);
	uint64_t first = goes(&porch, 0);
	goes(&porch, 0);
	assert_true(waits(&porch, 0) == TIME_NEVER);
	ends(&porch, 0, first, SIGN_DOCUMENTED);
	goes(&porch, 0);
	close_porch(&porch);
}

static void start_numbers_rise_by_one(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(goes(&porch, (unsigned)i % FLOWS), i);
	close_porch(&porch);
}

static void room_wakes_the_flow_that_has_least(void **state)
{
	(void)state;
	struct porch porch = new_porch(3);
	open_porch(&porch);
	uint64_t first = goes(&porch, 0);
	goes(&porch, 0);
	goes(&porch, 1);
	waits(&porch, 1);
	waits(&porch, 2);
	ends(&porch, 0, first, SIGN_DOCUMENTED);
	assert_true(woken(&porch, 2));
	assert_false(woken(&porch, 1));
	goes(&porch, 2);
	close_porch(&porch);
}

static void whoever_has_its_share_leaves_room_to_those_who_wait(void **state)
{
	(void)state;
	struct porch porch = new_porch(3);
	open_porch(&porch);
	uint64_t first = goes(&porch, 0);
	goes(&porch, 0);
	goes(&porch, 0);
	waits(&porch, 1);
	ends(&porch, 0, first, SIGN_DOCUMENTED);
	waits(&porch, 0);
	goes(&porch, 1);
	close_porch(&porch);
}

static void of_flows_alike_the_one_that_waited_longest_goes_first(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	waits(&porch, 1);
	waits(&porch, 2);
	for (unsigned i = 1; i < 10; i++) {
		unsigned last = (i - 1) % FLOWS;
		ends(&porch, last, start, SIGN_DOCUMENTED);
		waits(&porch, last);
		assert_true(woken(&porch, i % FLOWS));
		start = goes(&porch, i % FLOWS);
	}
	close_porch(&porch);
}

static void a_flow_that_withdraws_passes_its_wake_up_on(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	waits(&porch, 1);
	waits(&porch, 2);
	ends(&porch, 0, start, SIGN_DOCUMENTED);
	assert_true(woken(&porch, 1));
	assert_false(woken(&porch, 2));
	gate_withdraw(porch.gate, 1, porch.now);
	assert_true(woken(&porch, 2));
	goes(&porch, 2);
	close_porch(&porch);
}

static void room_for_several_wakes_one_after_the_other(void **state)
{
	(void)state;
	struct porch porch = new_porch(2);
	open_porch(&porch);
	uint64_t first = goes(&porch, 0);
	uint64_t second = goes(&porch, 0);
	waits(&porch, 1);
	waits(&porch, 2);
	ends(&porch, 0, first, SIGN_DOCUMENTED);
	ends(&porch, 0, second, SIGN_DOCUMENTED);
	assert_true(woken(&porch, 1));
	goes(&porch, 1);
	assert_true(woken(&porch, 2));
	goes(&porch, 2);
	close_porch(&porch);
}

static void starts_a_second_are_limited(void **state)
{
	(void)state;
	struct porch porch = new_porch(100);
	porch.options.requests_per_second = 10;
	open_porch(&porch);
	goes(&porch, 0);
	int64_t until = waits(&porch, 0);
	assert_in_range(until - porch.now, 100 * NS_PER_MS - 1, 100 * NS_PER_MS + 2);
	porch.now = until;
	goes(&porch, 0);
	close_porch(&porch);
}

static void failures_in_the_window_stop_the_line(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_DOCUMENTED));
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_DOCUMENTED));
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));
	assert_int_equal(porch.view.cause, STOP_API_DOWN);
	assert_int_equal(porch.view.stops, 1);
	close_porch(&porch);
}

static void failures_that_later_starts_disprove_do_not_stop_the_line(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	for (int i = 0; i < 100; i++) {
		uint64_t poison = goes(&porch, 0);
		uint64_t fine = goes(&porch, 1);
		assert_false(ends(&porch, 1, fine, SIGN_DOCUMENTED));
		assert_false(ends(&porch, 0, poison, SIGN_FAILED));
		assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));
	}
	close_porch(&porch);
}

static void failures_before_an_answer_to_the_same_lookup_are_held_against_the_api(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	struct gate_ending answer = {.sign = SIGN_DOCUMENTED, .failures = 2};
	uint64_t start = goes(&porch, 0);
	assert_false(gate_end(porch.gate, 0, start, &answer, porch.now, &porch.view));
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));

	/* Those from before the stop are no news once the line goes again. */
	start = probes(&porch, 1);
	assert_false(gate_end(porch.gate, 1, start, &answer, porch.now, &porch.view));
	start = goes(&porch, 0);
	assert_false(gate_end(porch.gate, 0, start, &answer, porch.now, &porch.view));
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));
	close_porch(&porch);
}

static void refused_credentials_and_wrong_endpoints_stop_it_at_once(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS));
	assert_int_equal(porch.view.cause, STOP_CREDENTIALS);
	ends(&porch, 0, probes(&porch, 0), SIGN_DOCUMENTED);
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_ENDPOINT));
	assert_int_equal(porch.view.cause, STOP_ENDPOINT);
	close_porch(&porch);
}

static void what_a_later_start_disproved_does_not_stop_it(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t first = goes(&porch, 0);
	uint64_t second = goes(&porch, 0);
	uint64_t third = goes(&porch, 0);
	ends(&porch, 0, third, SIGN_DOCUMENTED);
	assert_int_equal(porch.view.witness, third);
	assert_false(ends(&porch, 0, first, SIGN_CREDENTIALS));
	assert_false(ends(&porch, 0, second, SIGN_ENDPOINT));
	assert_int_equal(porch.view.cause, STOP_NONE);
	close_porch(&porch);
}

static void nothing_but_refusals_for_a_window_stops_it(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_REFUSED));
	porch.now += WINDOW - 1;
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_REFUSED));
	ends(&porch, 0, goes(&porch, 0), SIGN_DOCUMENTED);
	porch.now += WINDOW;
	assert_false(ends(&porch, 0, goes(&porch, 0), SIGN_REFUSED));
	porch.now += WINDOW;
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_REFUSED));
	assert_int_equal(porch.view.cause, STOP_RATE_LIMITED);
	close_porch(&porch);
}

static void probes_come_one_at_a_time_the_first_at_once(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	int64_t probed_at = porch.now;
	uint64_t probe = probes(&porch, 0);
	assert_true(waits(&porch, 1) == TIME_NEVER);
	porch.now += NS_PER_S;
	ends(&porch, 0, probe, SIGN_CREDENTIALS);
	assert_true(woken(&porch, 1));
	assert_true(waits(&porch, 1) == probed_at + PROBE_INTERVAL);
	porch.now = probed_at + PROBE_INTERVAL;
	ends(&porch, 1, probes(&porch, 1), SIGN_DOCUMENTED);
	assert_int_equal(porch.view.cause, STOP_NONE);
	close_porch(&porch);
}

static void flows_probe_in_turn(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	waits(&porch, 1);
	waits(&porch, 2);
	ends(&porch, 0, start, SIGN_CREDENTIALS);
	for (unsigned i = 1; i < 10; i++) {
		for (unsigned flow = 0; flow < FLOWS; flow++)
			if (flow != i % FLOWS && flow < i) /* each had a turn before */
				waits(&porch, flow);
		ends(&porch, i % FLOWS, probes(&porch, i % FLOWS), SIGN_CREDENTIALS);
		waits(&porch, i % FLOWS);
		porch.now += PROBE_INTERVAL;
	}
	close_porch(&porch);
}

static void a_flow_whose_turn_it_is_may_not_hold_up_the_probe(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	waits(&porch, 1);
	ends(&porch, 0, start, SIGN_CREDENTIALS);
	porch.now = waits(&porch, 0);
	probes(&porch, 0);
	close_porch(&porch);
}

static void a_probe_keeps_to_the_limit(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	gate_stop_undisproved(porch.gate, 1, start - 1, porch.now, &porch.view);
	assert_true(waits(&porch, 1) == TIME_NEVER);
	ends(&porch, 0, start, SIGN_FAILED);
	assert_true(woken(&porch, 1));
	gate_withdraw(porch.gate, 0, porch.now);
	porch.now += PROBE_INTERVAL;
	probes(&porch, 1);
	close_porch(&porch);
}

static void replies_from_before_a_stop_do_not_set_the_line_going(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t before = goes(&porch, 0);
	uint64_t refused = goes(&porch, 0);
	uint64_t after = goes(&porch, 0);
	ends(&porch, 0, refused, SIGN_CREDENTIALS);
	ends(&porch, 0, before, SIGN_DOCUMENTED);
	ends(&porch, 0, after, SIGN_DOCUMENTED);
	assert_int_equal(porch.view.cause, STOP_CREDENTIALS);
	close_porch(&porch);
}

static void a_wrong_endpoint_is_disproved_by_a_request_under_way(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t before = goes(&porch, 0);
	uint64_t wrong = goes(&porch, 0);
	uint64_t after = goes(&porch, 0);
	ends(&porch, 0, wrong, SIGN_ENDPOINT);
	ends(&porch, 0, before, SIGN_DOCUMENTED);
	assert_int_equal(porch.view.cause, STOP_ENDPOINT);
	ends(&porch, 0, after, SIGN_DOCUMENTED);
	assert_int_equal(porch.view.cause, STOP_NONE);
	close_porch(&porch);
}

static void attempts_that_nobody_disproved_are_disproved_by_a_later_start(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t attempt = goes(&porch, 0);
	uint64_t after = goes(&porch, 1);
	ends(&porch, 0, attempt, SIGN_FAILED);
	gate_stop_undisproved(porch.gate, 0, attempt, porch.now, &porch.view);
	assert_int_equal(porch.view.cause, STOP_API_DOWN);
	ends(&porch, 1, after, SIGN_DOCUMENTED);
	assert_int_equal(porch.view.cause, STOP_NONE);
	close_porch(&porch);
}

static void a_refused_key_is_what_people_see(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	ends(&porch, 0, goes(&porch, 0), SIGN_ENDPOINT);
	ends(&porch, 0, probes(&porch, 0), SIGN_CREDENTIALS);
	assert_int_equal(porch.view.cause, STOP_CREDENTIALS);
	assert_int_equal(porch.view.stops, 1);
	close_porch(&porch);
}

static void a_line_comes_back_within_a_second_and_without_a_herd(void **state)
{
	(void)state;
	struct porch porch = new_porch(100);
	open_porch(&porch);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	ends(&porch, 0, probes(&porch, 0), SIGN_DOCUMENTED);
	unsigned started = 0;
	unsigned most_at_once = 0;
	int64_t went_at = porch.now;
	while (started < 100) {
		unsigned at_once = 0;
		for (;;) {
			gate_ask(porch.gate, 0, porch.now, &porch.leave);
			if (porch.leave.kind == GATE_WAIT)
				break;
			at_once++;
			if (++started == 100)
				break;
		}
		most_at_once = at_once > most_at_once ? at_once : most_at_once;
		assert_true(started == 100 || porch.leave.until <= porch.now + NS_PER_MS);
		porch.now = started < 100 ? porch.leave.until : porch.now;
	}
	assert_in_range(porch.now - went_at, 900 * NS_PER_MS, NS_PER_S);
	assert_in_range(most_at_once, 1, 2);
	close_porch(&porch);
}

static void nothing_starts_without_kafka_or_without_a_key(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	gate_set_no_key(porch.gate, porch.now);
	assert_true(waits(&porch, 0) == TIME_NEVER);
	assert_int_equal(porch.leave.view.cause, STOP_CREDENTIALS);
	gate_set_kafka_fine(porch.gate, false, porch.now);
	waits(&porch, 0);
	assert_int_equal(porch.leave.view.cause, STOP_KAFKA);
	gate_set_new_key(porch.gate, porch.now);
	waits(&porch, 0);
	gate_set_kafka_fine(porch.gate, true, porch.now);
	assert_true(woken(&porch, 0));
	goes(&porch, 0);
	close_porch(&porch);
}

static void a_new_key_is_probed_at_once(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	ends(&porch, 0, probes(&porch, 0), SIGN_CREDENTIALS);
	waits(&porch, 0);
	gate_set_new_key(porch.gate, porch.now);
	assert_true(woken(&porch, 0));
	probes(&porch, 0);
	close_porch(&porch);
}

static void a_request_may_be_sent_again_only_while_the_line_runs(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t start = goes(&porch, 0);
	uint64_t again;
	assert_true(gate_ask_again(porch.gate, start, porch.now, &again));
	assert_int_equal(again, start + 1);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	assert_false(gate_ask_again(porch.gate, again, porch.now, &again));
	uint64_t probe = probes(&porch, 0);
	assert_false(gate_ask_again(porch.gate, probe, porch.now, &again));
	close_porch(&porch);
}

static void the_witness_of_each_stop_is_remembered(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t witness = goes(&porch, 0);
	ends(&porch, 0, witness, SIGN_DOCUMENTED);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	ends(&porch, 0, probes(&porch, 0), SIGN_DOCUMENTED);
	assert_int_equal(gate_witness_at_stop(porch.gate, 1), witness);
	assert_int_equal(gate_witness_at_stop(porch.gate, 2), 0);
	for (int i = 0; i < 100; i++) {
		ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
		ends(&porch, 0, probes(&porch, 0), SIGN_DOCUMENTED);
	}
	assert_int_equal(gate_witness_at_stop(porch.gate, 1), 0);
	assert_true(gate_witness_at_stop(porch.gate, 100) > witness);
	close_porch(&porch);
}

static void its_state_is_told(void **state)
{
	(void)state;
	struct porch porch = new_porch(7);
	open_porch(&porch);
	struct gate_state told;
	goes(&porch, 0);
	ends(&porch, 1, goes(&porch, 1), SIGN_CREDENTIALS);
	gate_state(porch.gate, porch.now, &told);
	assert_int_equal(told.cause, STOP_CREDENTIALS);
	assert_int_equal(told.in_flight, 1);
	assert_int_equal(told.in_flight_limit, 7);
	assert_int_equal(told.started, 2);
	assert_int_equal(told.stops, 1);
	assert_true(told.stopped_at == porch.now);
	assert_true(told.next_probe_at == porch.now);
	probes(&porch, 2);
	gate_state(porch.gate, porch.now, &told);
	assert_true(told.next_probe_at == TIME_NEVER);
	assert_string_equal(stop_cause_name(told.cause), "credentials");
	close_porch(&porch);
}

static void ends_with(struct porch *porch, uint64_t start, enum gate_sign sign, int http_status)
{
	const struct gate_ending ending = {
		.sign = sign, .transport = REPLY_HTTP, .http_status = http_status};
	gate_end(porch->gate, 0, start, &ending, porch->now, &porch->view);
}

static int told_status(struct porch *porch)
{
	struct gate_state told;
	gate_state(porch->gate, porch->now, &told);
	return told.setback.http_status;
}

static void the_reply_that_stopped_the_line_is_told_until_a_probe_says_otherwise(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	uint64_t under_way = goes(&porch, 0);
	ends_with(&porch, goes(&porch, 0), SIGN_ENDPOINT, 403);
	assert_int_equal(told_status(&porch), 403);
	ends_with(&porch, under_way, SIGN_FAILED, 500);
	assert_int_equal(told_status(&porch), 403);
	ends_with(&porch, probes(&porch, 0), SIGN_ENDPOINT, 404);
	assert_int_equal(told_status(&porch), 404);
	close_porch(&porch);
}

static void new_options_hold_from_now_on(void **state)
{
	(void)state;
	struct porch porch = new_porch(1);
	open_porch(&porch);
	goes(&porch, 0);
	waits(&porch, 1);
	porch.options.in_flight = 2;
	gate_set_options(porch.gate, &porch.options, porch.now);
	assert_true(woken(&porch, 1));
	goes(&porch, 1);
	close_porch(&porch);
}

static void the_same_options_again_forget_nothing(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	porch.options.adaptive = true;
	open_porch(&porch);
	struct gate_state state_before;
	struct gate_state state_after;
	for (int i = 0; i < 200; i++) {
		porch.now += 2 * NS_PER_S;
		ends(&porch, 0, goes(&porch, 0), i % 2 == 0 ? SIGN_REFUSED : SIGN_DOCUMENTED);
	}
	porch.now += WINDOW;
	for (int i = 0; i < 3; i++, porch.now += 2 * NS_PER_S)
		ends(&porch, 0, goes(&porch, 0), SIGN_FAILED);
	gate_state(porch.gate, porch.now, &state_before);
	assert_true(state_before.in_flight_limit < 10);
	gate_set_options(porch.gate, &porch.options, porch.now);
	gate_state(porch.gate, porch.now, &state_after);
	assert_int_equal(state_after.in_flight_limit, state_before.in_flight_limit);
	/* The breaker goes on with the three that it has counted. */
	assert_true(ends(&porch, 0, goes(&porch, 0), SIGN_FAILED));
	close_porch(&porch);
}

static void a_shorter_probe_interval_holds_for_the_next_probe(void **state)
{
	(void)state;
	struct porch porch = new_porch(10);
	open_porch(&porch);
	ends(&porch, 0, goes(&porch, 0), SIGN_CREDENTIALS);
	ends(&porch, 0, probes(&porch, 0), SIGN_CREDENTIALS);
	waits(&porch, 0);
	porch.options.probe_interval_ns = NS_PER_S;
	gate_set_options(porch.gate, &porch.options, porch.now);
	porch.now += NS_PER_S;
	probes(&porch, 0);
	close_porch(&porch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_requests_are_under_way_than_allowed),
		cmocka_unit_test(start_numbers_rise_by_one),
		cmocka_unit_test(room_wakes_the_flow_that_has_least),
		cmocka_unit_test(whoever_has_its_share_leaves_room_to_those_who_wait),
		cmocka_unit_test(of_flows_alike_the_one_that_waited_longest_goes_first),
		cmocka_unit_test(a_flow_that_withdraws_passes_its_wake_up_on),
		cmocka_unit_test(room_for_several_wakes_one_after_the_other),
		cmocka_unit_test(starts_a_second_are_limited),
		cmocka_unit_test(failures_in_the_window_stop_the_line),
		cmocka_unit_test(failures_that_later_starts_disprove_do_not_stop_the_line),
		cmocka_unit_test(
			failures_before_an_answer_to_the_same_lookup_are_held_against_the_api),
		cmocka_unit_test(refused_credentials_and_wrong_endpoints_stop_it_at_once),
		cmocka_unit_test(what_a_later_start_disproved_does_not_stop_it),
		cmocka_unit_test(nothing_but_refusals_for_a_window_stops_it),
		cmocka_unit_test(probes_come_one_at_a_time_the_first_at_once),
		cmocka_unit_test(flows_probe_in_turn),
		cmocka_unit_test(a_flow_whose_turn_it_is_may_not_hold_up_the_probe),
		cmocka_unit_test(a_probe_keeps_to_the_limit),
		cmocka_unit_test(replies_from_before_a_stop_do_not_set_the_line_going),
		cmocka_unit_test(a_wrong_endpoint_is_disproved_by_a_request_under_way),
		cmocka_unit_test(attempts_that_nobody_disproved_are_disproved_by_a_later_start),
		cmocka_unit_test(a_refused_key_is_what_people_see),
		cmocka_unit_test(a_line_comes_back_within_a_second_and_without_a_herd),
		cmocka_unit_test(nothing_starts_without_kafka_or_without_a_key),
		cmocka_unit_test(a_new_key_is_probed_at_once),
		cmocka_unit_test(a_request_may_be_sent_again_only_while_the_line_runs),
		cmocka_unit_test(the_witness_of_each_stop_is_remembered),
		cmocka_unit_test(its_state_is_told),
		cmocka_unit_test(
			the_reply_that_stopped_the_line_is_told_until_a_probe_says_otherwise),
		cmocka_unit_test(new_options_hold_from_now_on),
		cmocka_unit_test(the_same_options_again_forget_nothing),
		cmocka_unit_test(a_shorter_probe_interval_holds_for_the_next_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
