/* The stopped line, as one worker after the other sees it. */
#include "flow_fixture.h"

#include "base/mem.h"

static void refused_credentials_stop_the_line(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t first = add(&talk, NULL, "a");
	int64_t second = add(&talk, NULL, "b");
	answer_bad_key(&talk, sends(&talk, "a"));
	assert_int_equal(line(&talk), STOP_CREDENTIALS);
	int64_t stopped_at = talk.now;
	struct lookup *probe = probes(&talk, "b");
	waits(&talk);
	answer_bad_key(&talk, probe);
	assert_true(waits(&talk) == stopped_at + PROBE_INTERVAL);
	gate_set_new_key(talk.gate, talk.now);
	answer_found(&talk, probes(&talk, "b"));
	line_goes(&talk);
	publishes(&talk, second, REASON_NONE, 1);
	answer_found(&talk, sends(&talk, "a"));
	publishes(&talk, first, REASON_NONE, 1);
	close_talk(&talk);
}

static void the_event_that_stopped_the_line_probes_last(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, NULL, "poison");
	add(&talk, NULL, "failed");
	struct lookup *poison = sends(&talk, "poison");
	answer(&talk, sends(&talk, "failed"), 500, "");
	answer(&talk, poison, 403, "");
	assert_int_equal(line(&talk), STOP_ENDPOINT);
	add(&talk, NULL, "new");
	answer(&talk, probes(&talk, "new"), 500, "");
	probe_is_due(&talk);
	answer(&talk, probes(&talk, "failed"), 500, "");
	probe_is_due(&talk);
	answer(&talk, probes(&talk, "new"), 500, "");
	close_talk(&talk);
}

static void a_lone_poison_event_waits_until_another_disproves_it(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t poison = add(&talk, NULL, "poison");
	for (int i = 0; i < 3; i++) {
		answer(&talk, sends(&talk, "poison"), 500, "");
		if (i < 2)
			waits_and_goes_on(&talk);
	}
	assert_int_equal(line(&talk), STOP_API_DOWN);
	for (int i = 0; i < 5; i++) {
		answer(&talk, probes(&talk, "poison"), 500, "");
		probe_is_due(&talk);
	}
	/* One of its attempts stayed on record, the others were given back. */
	int64_t good = add(&talk, NULL, "good");
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	line_goes(&talk);
	for (int i = 0; i < 2; i++) {
		struct lookup *lookup = sends(&talk, "poison");
		witness(&talk);
		answer(&talk, lookup, 500, "");
		if (i == 0)
			waits_and_goes_on(&talk);
	}
	publishes(&talk, poison, REASON_API_UNAVAILABLE, 3);
	close_talk(&talk);
}

/* An event whose three attempts failed, and only the last was not disproved. */
static int64_t lacks_one_witness(struct talk *talk)
{
	int64_t poison = add(talk, NULL, "poison");
	for (int i = 0; i < 2; i++) {
		answer(talk, sends(talk, "poison"), 500, "");
		witness(talk);
		talk->now += BACKOFF;
	}
	answer(talk, sends(talk, "poison"), 500, "");
	return poison;
}

static void the_last_attempt_waits_for_its_witness(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t poison = lacks_one_witness(&talk);
	int64_t end = talk.now + PATIENCE;
	while (talk.now < end - BACKOFF)
		waits_and_goes_on(&talk);
	assert_int_equal(line(&talk), STOP_NONE);
	witness(&talk);
	talk.now += BACKOFF;
	publishes(&talk, poison, REASON_API_UNAVAILABLE, 3);
	assert_int_equal(line(&talk), STOP_NONE);
	close_talk(&talk);
}

static void the_api_is_blamed_where_no_witness_comes(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	lacks_one_witness(&talk);
	int64_t end = talk.now + PATIENCE;
	struct flow_action action;
	while (flow_next(talk.flow, talk.now, &action) == FLOW_WAIT)
		talk.now = action.until;
	assert_true(talk.now >= end && talk.now <= end + BACKOFF);
	assert_int_equal(line(&talk), STOP_API_DOWN);
	close_talk(&talk);
}

static void a_stop_gives_attempts_back(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.gate_options.min_requests = 4;
	talk.gate_options.failure_percent = 100;
	open_talk(&talk);
	int64_t events[2] = {add(&talk, NULL, "a"), add(&talk, NULL, "b")};
	static const char *const names[] = {"a", "b"};
	/* The API is down: two attempts of each, and the fourth failure in all stops the line. */
	struct lookup *lookups[] = {sends(&talk, "a"), sends(&talk, "b")};
	for (size_t i = 0; i < array_length(lookups); i++)
		answer(&talk, lookups[i], 500, "");
	talk.now += BACKOFF;
	for (size_t i = 0; i < array_length(lookups); i++) {
		struct flow_action action;
		assert_int_equal(flow_next(talk.flow, talk.now, &action), FLOW_SEND);
		lookups[i] = action.lookup;
	}
	for (size_t i = 0; i < array_length(lookups); i++)
		answer(&talk, lookups[i], 500, "");
	assert_int_equal(line(&talk), STOP_API_DOWN);
	int64_t good = add(&talk, NULL, "good");
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	line_goes(&talk);
	/* The one that stopped the line has one attempt left on record, the other none. */
	for (size_t i = 0; i < array_length(lookups); i++) {
		struct flow_action action;
		assert_int_equal(flow_next(talk.flow, talk.now, &action), FLOW_SEND);
		bool is_a =
			bytes_equal(lookup_customer(action.lookup).email, bytes_of_text(names[0]));
		int64_t event = events[is_a ? 0 : 1];
		bool stopper = action.lookup == lookups[1];
		answer_found(&talk, action.lookup);
		publishes(&talk, event, REASON_NONE, stopper ? 2 : 1);
	}
	close_talk(&talk);
}

static void attempts_that_were_disproved_before_a_stop_count(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t poison = add(&talk, NULL, "poison");
	answer(&talk, sends(&talk, "poison"), 500, "");
	witness(&talk);
	add(&talk, NULL, "a");
	answer_bad_key(&talk, sends(&talk, "a"));
	gate_set_new_key(talk.gate, talk.now);
	int64_t good = add(&talk, NULL, "good");
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	answer_found(&talk, sends(&talk, "a"));
	publishes(&talk, good - 1, REASON_NONE, 1);
	talk.now += BACKOFF;
	struct lookup *lookup = sends(&talk, "poison");
	witness(&talk);
	answer(&talk, lookup, 500, "");
	publishes(&talk, poison, REASON_API_UNAVAILABLE, 2);
	close_talk(&talk);
}

static void an_outage_is_not_the_fault_of_an_event_with_one_attempt(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 1;
	open_talk(&talk);
	int64_t event = add(&talk, NULL, "a");
	answer(&talk, sends(&talk, "a"), 500, "");
	assert_int_equal(line(&talk), STOP_API_DOWN);
	int64_t good = add(&talk, NULL, "good");
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	answer_found(&talk, sends(&talk, "a"));
	publishes(&talk, event, REASON_NONE, 1);
	close_talk(&talk);
}

static void a_wrong_endpoint_that_another_reply_disproves_is_the_events_own(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t poison = add(&talk, NULL, "poison");
	for (int i = 0; i < 2; i++) {
		struct lookup *lookup = sends(&talk, "poison");
		int64_t good = add(&talk, NULL, "good");
		struct lookup *under_way = sends(&talk, "good");
		answer(&talk, lookup, 404, "");
		assert_int_equal(line(&talk), STOP_ENDPOINT);
		int64_t probed = add(&talk, NULL, "probe");
		struct lookup *probe = probes(&talk, "probe");
		answer_found(&talk, under_way);
		assert_int_equal(line(&talk), STOP_NONE);
		publishes(&talk, good, REASON_NONE, 1);
		if (i == 1)
			publishes(&talk, poison, REASON_REJECTED, 2);
		answer_found(&talk, probe);
		publishes(&talk, probed, REASON_NONE, 1);
	}
	close_talk(&talk);
}

static void replies_under_way_are_published_while_the_line_is_stopped(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t event = add(&talk, NULL, "a");
	struct lookup *lookup = sends(&talk, "a");
	add(&talk, NULL, "b");
	answer_bad_key(&talk, sends(&talk, "b"));
	answer_found(&talk, lookup);
	publishes(&talk, event, REASON_NONE, 1);
	assert_int_equal(line(&talk), STOP_CREDENTIALS);
	close_talk(&talk);
}

static void a_lookup_in_backoff_serves_as_a_probe(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.initial_backoff_ns = 3600 * NS_PER_S;
	talk.options.max_backoff_ns = 3600 * NS_PER_S;
	open_talk(&talk);
	add(&talk, NULL, "stopper");
	add(&talk, NULL, "in backoff");
	struct lookup *stopper = sends(&talk, "stopper");
	answer(&talk, sends(&talk, "in backoff"), 500, "");
	assert_true(waits(&talk) > talk.now + NS_PER_S);
	answer_bad_key(&talk, stopper);
	probes(&talk, "in backoff");
	close_talk(&talk);
}

static void while_kafka_is_away_nothing_starts(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, NULL, "a");
	gate_set_kafka_fine(talk.gate, false, talk.now);
	assert_int_equal(line(&talk), STOP_KAFKA);
	assert_true(waits(&talk) == TIME_NEVER);
	gate_set_kafka_fine(talk.gate, true, talk.now);
	assert_true(talk.woken[0]);
	sends(&talk, "a");
	close_talk(&talk);
}

static void kafka_may_go_and_come_back_during_a_probe(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t event = add(&talk, NULL, "a");
	answer_bad_key(&talk, sends(&talk, "a"));
	struct lookup *probe = probes(&talk, "a");
	gate_set_kafka_fine(talk.gate, false, talk.now);
	answer_found(&talk, probe);
	publishes(&talk, event, REASON_NONE, 1);
	assert_int_equal(line(&talk), STOP_KAFKA);
	gate_set_kafka_fine(talk.gate, true, talk.now);
	assert_int_equal(line(&talk), STOP_NONE);
	close_talk(&talk);
}

/* Answers one by one, poison with 500, until so many are found; how often the line stopped
 * meanwhile. */
static uint64_t answer_until_found(struct talk *talk, int events)
{
	struct gate_state before;
	struct gate_state after;
	gate_state(talk->gate, talk->now, &before);
	for (int found = 0; found < events;) {
		struct flow_action action;
		switch (flow_next(talk->flow, talk->now, &action)) {
		case FLOW_SEND:
			if (bytes_start_with(lookup_customer(action.lookup).email, BYTES("poison")))
				answer(talk, action.lookup, 500, "");
			else
				answer_found(talk, action.lookup);
			break;
		case FLOW_PUBLISH:
			found += action.event->outcome.reason == REASON_NONE;
			event_free(action.event);
			break;
		case FLOW_WAIT:
			assert_true(action.until != TIME_NEVER);
			talk->now = action.until;
			break;
		}
	}
	gate_state(talk->gate, talk->now, &after);
	return after.stops - before.stops;
}

/* However the line was stopped: what failed waits to be tried again, and the rest is half good. */
static void poison_that_gathered_does_not_stop_the_line_again(void **state)
{
	(void)state;
	enum { EACH = 100 };
	struct talk talk = new_talk();
	talk.gate_options.in_flight = EACH + 1;
	open_talk(&talk);
	struct lookup *failed[EACH];
	for (int i = 0; i < EACH; i++)
		add(&talk, NULL, "poison");
	add(&talk, NULL, "good");
	for (int i = 0; i < EACH; i++)
		failed[i] = sends(&talk, "poison");
	answer_bad_key(&talk, sends(&talk, "good"));
	for (int i = 0; i < EACH; i++)
		answer(&talk, failed[i], 500, "");
	for (int i = 0; i < EACH; i++)
		add(&talk, NULL, i % 2 == 0 ? "good" : "poison");
	gate_set_new_key(talk.gate, talk.now);
	answer_found(&talk, probes(&talk, "good"));
	line_goes(&talk);
	assert_int_equal(answer_until_found(&talk, EACH / 2), 0);
	close_talk(&talk);
}

static void the_flow_that_stopped_the_line_lets_the_others_probe_first(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.gate_options.in_flight = 1;
	open_talk(&talk);
	add(&talk, NULL, "poison");
	struct lookup *poison = sends(&talk, "poison");
	talk.flow = talk.flows[1];
	int64_t good = add(&talk, NULL, "good");
	waits(&talk);
	talk.flow = talk.flows[0];
	answer(&talk, poison, 403, "");
	assert_true(talk.woken[1]);
	waits(&talk);
	talk.flow = talk.flows[1];
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	assert_int_equal(line(&talk), STOP_NONE);
	close_talk(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_credentials_stop_the_line),
		cmocka_unit_test(the_event_that_stopped_the_line_probes_last),
		cmocka_unit_test(a_lone_poison_event_waits_until_another_disproves_it),
		cmocka_unit_test(the_last_attempt_waits_for_its_witness),
		cmocka_unit_test(the_api_is_blamed_where_no_witness_comes),
		cmocka_unit_test(a_stop_gives_attempts_back),
		cmocka_unit_test(attempts_that_were_disproved_before_a_stop_count),
		cmocka_unit_test(an_outage_is_not_the_fault_of_an_event_with_one_attempt),
		cmocka_unit_test(a_wrong_endpoint_that_another_reply_disproves_is_the_events_own),
		cmocka_unit_test(replies_under_way_are_published_while_the_line_is_stopped),
		cmocka_unit_test(a_lookup_in_backoff_serves_as_a_probe),
		cmocka_unit_test(while_kafka_is_away_nothing_starts),
		cmocka_unit_test(kafka_may_go_and_come_back_during_a_probe),
		cmocka_unit_test(poison_that_gathered_does_not_stop_the_line_again),
		cmocka_unit_test(the_flow_that_stopped_the_line_lets_the_others_probe_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
