#include "flow_fixture.h"

#include "base/mem.h"

static void an_event_is_asked_for_and_its_result_published(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t event = add(&talk, "k", "a");
	struct lookup *lookup = sends(&talk, "a");
	assert_true(waits(&talk) == TIME_NEVER);
	answer_found(&talk, lookup);
	publishes(&talk, event, REASON_NONE, 1);
	assert_int_equal(flow_held(talk.flow), 0);
	assert_true(waits(&talk) == TIME_NEVER);
	close_talk(&talk);
}

static void what_cannot_be_asked_for_ends_without_a_request(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t malformed = add_value(&talk, "k", "{");
	int64_t empty = add_value(&talk, "k", "{}");
	publishes(&talk, malformed, REASON_MALFORMED_EVENT, 0);
	publishes(&talk, empty, REASON_IDENTITY_MISSING, 0);
	close_talk(&talk);
}

static void results_of_a_key_come_out_in_request_order(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t first = add(&talk, "k", "a");
	int64_t second = add(&talk, "k", "b");
	int64_t third = add_value(&talk, "k", "{");
	struct lookup *a = sends(&talk, "a");
	answer_not_found(&talk, sends(&talk, "b"));
	waits(&talk);
	answer_found(&talk, a);
	publishes(&talk, first, REASON_NONE, 1);
	publishes(&talk, second, REASON_CASE_NOT_FOUND, 1);
	publishes(&talk, third, REASON_MALFORMED_EVENT, 0);
	close_talk(&talk);
}

static void another_key_does_not_wait(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, "k", "a");
	int64_t other = add(&talk, "other", "b");
	int64_t none = add(&talk, NULL, "c");
	sends(&talk, "a");
	struct lookup *b = sends(&talk, "b");
	answer_found(&talk, sends(&talk, "c"));
	publishes(&talk, none, REASON_NONE, 1);
	answer_found(&talk, b);
	publishes(&talk, other, REASON_NONE, 1);
	close_talk(&talk);
}

static void a_partition_may_be_one_lane(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.ordering = FLOW_ORDER_PARTITION;
	open_talk(&talk);
	int64_t first = add(&talk, "k", "a");
	int64_t second = add(&talk, NULL, "b");
	struct lookup *a = sends(&talk, "a");
	answer_found(&talk, sends(&talk, "b"));
	waits(&talk);
	answer_found(&talk, a);
	publishes(&talk, first, REASON_NONE, 1);
	publishes(&talk, second, REASON_NONE, 1);
	close_talk(&talk);
}

static void waiting_events_share_a_request(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.coalesce = true;
	open_talk(&talk);
	int64_t first = add(&talk, "k", "a");
	int64_t second = add(&talk, "other", "a");
	struct lookup *lookup = sends(&talk, "a");
	waits(&talk);
	answer_found(&talk, lookup);
	publishes(&talk, first, REASON_NONE, 1);
	publishes(&talk, second, REASON_NONE, 1);
	assert_int_equal(flow_counters(talk.flow)->coalesced, 1);
	close_talk(&talk);
}

static void a_lookup_that_started_is_not_joined(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.coalesce = true;
	open_talk(&talk);
	add(&talk, "k", "a");
	struct lookup *first = sends(&talk, "a");
	add(&talk, "k", "a");
	sends(&talk, "a");
	/* Nor is one that started before and waits to be tried again. */
	answer(&talk, first, 500, "");
	add(&talk, "k", "a");
	sends(&talk, "a");
	assert_int_equal(flow_counters(talk.flow)->coalesced, 0);
	close_talk(&talk);
}

static void customers_are_told_apart_by_email_and_phone_together(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.coalesce = true;
	open_talk(&talk);
	add_value(&talk, NULL, "{\"email\": \"a\", \"phoneNumber\": \"1\"}");
	add_value(&talk, NULL, "{\"email\": \"a\"}");
	add_value(&talk, NULL, "{\"email\": \"a1\"}");
	sends(&talk, "a");
	sends(&talk, "a");
	sends(&talk, "a1");
	close_talk(&talk);
}

static void an_attempt_counts_only_once_a_later_start_is_answered(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 1;
	open_talk(&talk);
	int64_t early = add(&talk, NULL, "early");
	int64_t poison = add(&talk, NULL, "poison");
	int64_t late = add(&talk, NULL, "late");
	struct lookup *first = sends(&talk, "early");
	struct lookup *second = sends(&talk, "poison");
	struct lookup *third = sends(&talk, "late");
	answer_found(&talk, first);
	publishes(&talk, early, REASON_NONE, 1);
	answer_found(&talk, third);
	publishes(&talk, late, REASON_NONE, 1);
	answer(&talk, second, 500, "");
	publishes(&talk, poison, REASON_API_UNAVAILABLE, 1);
	assert_int_equal(line(&talk), STOP_NONE);
	close_talk(&talk);
}

/* What a poison event gets: one request after the other, each with a witness. */
static void fails_for(int status, const char *body, enum reason reason, unsigned attempts)
{
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t poison = add(&talk, NULL, "poison");
	for (unsigned i = 1; i <= attempts; i++) {
		struct lookup *lookup = sends(&talk, "poison");
		witness(&talk);
		answer(&talk, lookup, status, body);
		if (i < attempts)
			waits_and_goes_on(&talk);
	}
	publishes(&talk, poison, reason, attempts);
	assert_int_equal(line(&talk), STOP_NONE);
	close_talk(&talk);
}

static void a_poison_event_in_a_line_of_good_ones_ends_as_an_error_event(void **state)
{
	(void)state;
	fails_for(500, "", REASON_API_UNAVAILABLE, 3);
	fails_for(200, "<html>", REASON_BAD_REPLY, 3);
	fails_for(403, "", REASON_REJECTED, 3);
	fails_for(404, "", REASON_REJECTED, 3);
	fails_for(400, "{\"error\": \"What now?\"}", REASON_REJECTED, 2);
}

static void a_retry_holds_up_its_own_key_alone(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t failing = add(&talk, "k", "a");
	int64_t behind = add(&talk, "k", "b");
	int64_t other = add(&talk, "other", "c");
	struct lookup *a = sends(&talk, "a");
	answer_found(&talk, sends(&talk, "b"));
	struct lookup *c = sends(&talk, "c");
	answer(&talk, a, 500, "");
	answer_found(&talk, c);
	publishes(&talk, other, REASON_NONE, 1);
	waits_and_goes_on(&talk);
	assert_int_equal(flow_retrying(talk.flow), 1);
	answer_found(&talk, sends(&talk, "a"));
	publishes(&talk, failing, REASON_NONE, 2);
	publishes(&talk, behind, REASON_NONE, 1);
	assert_int_equal(flow_retrying(talk.flow), 0);
	close_talk(&talk);
}

static void those_that_failed_before_and_new_ones_take_turns(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	for (int i = 0; i < 3; i++)
		add(&talk, NULL, "failed");
	struct lookup *failed[3];
	for (int i = 0; i < 3; i++)
		failed[i] = sends(&talk, "failed");
	for (int i = 0; i < 3; i++)
		answer(&talk, failed[i], 500, "");
	talk.now += BACKOFF;
	for (int i = 0; i < 2; i++)
		add(&talk, NULL, "new");
	sends(&talk, "failed");
	sends(&talk, "new");
	sends(&talk, "failed");
	sends(&talk, "new");
	sends(&talk, "failed");
	add(&talk, NULL, "new");
	sends(&talk, "new");
	close_talk(&talk);
}

static void a_refusal_is_no_attempt(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t event = add(&talk, NULL, "a");
	for (int i = 0; i < 10; i++) {
		answer_refused(&talk, sends(&talk, "a"), "");
		waits_and_goes_on(&talk);
	}
	answer_found(&talk, sends(&talk, "a"));
	publishes(&talk, event, REASON_NONE, 1);
	close_talk(&talk);
}

static void a_refusal_does_not_hide_what_the_event_failed_of(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t poison = add(&talk, NULL, "poison");
	answer(&talk, sends(&talk, "poison"), 500, "");
	waits_and_goes_on(&talk);
	answer(&talk, sends(&talk, "poison"), 500, "");
	assert_int_equal(line(&talk), STOP_API_DOWN);
	int64_t good = add(&talk, NULL, "good");
	answer_found(&talk, probes(&talk, "good"));
	publishes(&talk, good, REASON_NONE, 1);
	line_goes(&talk);
	answer_refused(&talk, sends(&talk, "poison"), "");
	waits_and_goes_on(&talk);
	struct lookup *lookup = sends(&talk, "poison");
	witness(&talk);
	answer(&talk, lookup, 500, "");
	publishes(&talk, poison, REASON_API_UNAVAILABLE, 2);
	close_talk(&talk);
}

static void a_retry_after_holds_back_its_lane_alone(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, "k", "a");
	answer_refused(&talk, sends(&talk, "a"), "3");
	int64_t refused_at = talk.now;
	add(&talk, "k", "b");
	add(&talk, "other", "c");
	sends(&talk, "c");
	assert_true(waits(&talk) == refused_at + 3 * NS_PER_S);
	waits_and_goes_on(&talk);
	sends(&talk, "a");
	sends(&talk, "b");
	close_talk(&talk);
}

static void a_resend_counts_as_an_attempt(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t event = add(&talk, NULL, "a");
	struct lookup *lookup = sends(&talk, "a");
	assert_true(flow_may_resend(talk.flow, lookup, talk.now));
	assert_false(flow_may_resend(talk.flow, lookup, talk.now));
	witness(&talk);
	answer(&talk, lookup, 500, "");
	publishes(&talk, event, REASON_API_UNAVAILABLE, 2);
	close_talk(&talk);
}

static void new_options_change_the_attempts_of_new_look_ups_alone(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t old = add(&talk, NULL, "old");
	struct lookup *old_lookup = sends(&talk, "old");
	talk.options.max_attempts = 1;
	flow_set_options(talk.flow, &talk.options);
	int64_t fresh = add(&talk, NULL, "fresh");
	struct lookup *fresh_lookup = sends(&talk, "fresh");
	witness(&talk);
	answer(&talk, fresh_lookup, 500, "");
	publishes(&talk, fresh, REASON_API_UNAVAILABLE, 1);
	answer(&talk, old_lookup, 500, "");
	talk.options.max_attempts = 5;
	flow_set_options(talk.flow, &talk.options);
	waits_and_goes_on(&talk);
	old_lookup = sends(&talk, "old");
	witness(&talk);
	answer(&talk, old_lookup, 500, "");
	publishes(&talk, old, REASON_API_UNAVAILABLE, 2);
	close_talk(&talk);
}

static void a_cut_drops_what_is_above_it(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t started = add(&talk, "k", "a");
	struct lookup *lookup = sends(&talk, "a");
	add(&talk, "k", "b");
	int64_t above = add_value(&talk, "k", "{");
	int64_t highest;
	flow_drain_begin(talk.flow, &talk.source, &highest);
	assert_int_equal(highest, started);
	assert_true(flow_frozen(talk.flow));
	waits(&talk);
	struct event *dropped = flow_drain_cut(talk.flow, &talk.source, highest);
	assert_non_null(dropped);
	assert_int_equal(dropped->next->record.offset, above);
	assert_null(dropped->next->next);
	event_free(dropped->next);
	event_free(dropped);
	answer_found(&talk, lookup);
	publishes(&talk, started, REASON_NONE, 1);
	assert_int_equal(flow_held(talk.flow), 0);
	close_talk(&talk);
}

static void nothing_starts_or_ends_between_the_steps_of_a_drain(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	talk.options.max_attempts = 2;
	open_talk(&talk);
	int64_t poison = add(&talk, "k", "poison");
	struct lookup *lookup = sends(&talk, "poison");
	witness(&talk);
	answer(&talk, lookup, 400, "{\"error\": \"What now?\"}");
	waits_and_goes_on(&talk);
	answer(&talk, sends(&talk, "poison"), 400, "{\"error\": \"What now?\"}");
	int64_t due = waits(&talk);
	struct lookup *other = NULL;
	add(&talk, NULL, "witness");
	other = sends(&talk, "witness");
	answer_found(&talk, other);
	/* The poison event is to end at `due`, and lets the malformed one behind it out. */
	int64_t above = add_value(&talk, "k", "{");
	int64_t highest;
	flow_drain_begin(talk.flow, &talk.source, &highest);
	assert_true(highest < above);
	talk.now = due;
	publishes(&talk, above - 1, REASON_NONE, 1);
	assert_true(waits(&talk) == TIME_NEVER);
	event_free(flow_drain_cut(talk.flow, &talk.source, highest));
	publishes(&talk, poison, REASON_REJECTED, 2);
	waits(&talk);
	close_talk(&talk);
}

static void drains_of_two_partitions_may_overlap(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t highest;
	flow_drain_begin(talk.flow, &talk.source, &highest);
	flow_drain_begin(talk.flow, &talk.other_source, &highest);
	assert_int_equal(highest, -1);
	assert_null(flow_drain_cut(talk.flow, &talk.other_source, -1));
	assert_true(flow_frozen(talk.flow));
	assert_null(flow_drain_cut(talk.flow, &talk.source, -1));
	assert_false(flow_frozen(talk.flow));
	close_talk(&talk);
}

static void what_is_abandoned_is_not_published(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, NULL, "a");
	add(&talk, NULL, "b");
	struct lookup *a = sends(&talk, "a");
	struct lookup *b = sends(&talk, "b");
	answer_found(&talk, a);
	add_value(&talk, NULL, "{");
	struct event *dropped = flow_abandon(talk.flow, &talk.source);
	unsigned count = 0;
	while (dropped != NULL) {
		struct event *event = dropped;
		dropped = event->next;
		event_free(event);
		count++;
	}
	assert_int_equal(count, 3);
	assert_null(lookup_event(b));
	answer_found(&talk, b);
	assert_true(waits(&talk) == TIME_NEVER);
	assert_int_equal(flow_held(talk.flow), 0);
	close_talk(&talk);
}

static void an_identity_that_is_the_key_is_counted(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, "a", "a");
	add_value(&talk, "k", "{\"email\": \"b\", \"requestId\": \"b\"}");
	assert_int_equal(flow_counters(talk.flow)->identity_as_key, 1);
	assert_int_equal(flow_counters(talk.flow)->identity_as_request_id, 1);
	close_talk(&talk);
}

static void an_identity_that_is_the_phone_number_is_counted_too(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add_value(
		&talk, "+1", "{\"email\": \"a\", \"phoneNumber\": \"+1\", \"requestId\": \"+1\"}");
	add_value(&talk, "", "{\"phoneNumber\": \"+2\", \"requestId\": 2}");
	assert_int_equal(flow_counters(talk.flow)->identity_as_key, 1);
	assert_int_equal(flow_counters(talk.flow)->identity_as_request_id, 1);
	close_talk(&talk);
}

static void what_is_abandoned_takes_no_other_partition_with_it(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	int64_t offset = add_value(&talk, NULL, "{");
	assert_null(flow_abandon(talk.flow, &talk.other_source));
	publishes(&talk, offset, REASON_MALFORMED_EVENT, 0);
	close_talk(&talk);
}

static void new_options_hold_for_what_fails_from_now_on(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	add(&talk, NULL, "a");
	answer(&talk, sends(&talk, "a"), 500, "");
	assert_true(waits(&talk) != TIME_NEVER);

	talk.options.initial_backoff_ns = 0;
	flow_set_options(talk.flow, &talk.options);
	add(&talk, NULL, "b");
	answer(&talk, sends(&talk, "b"), 500, "");
	struct lookup *b = sends(&talk, "b");

	talk.options.initial_backoff_ns = BACKOFF;
	talk.options.max_backoff_ns = 0;
	talk.options.probe_timeout_ns = NS_PER_S;
	flow_set_options(talk.flow, &talk.options);
	answer(&talk, b, 500, "");
	answer_bad_key(&talk, sends(&talk, "b"));
	probe_is_due(&talk);
	answer_found(&talk, probes(&talk, "a"));
	close_talk(&talk);
}

static void counters_of_several_flows_add_up(void **state)
{
	(void)state;
	struct flow_counters sum = {.coalesced = 1, .identity_as_key = 10};
	struct flow_counters one = {.coalesced = 2,
		.unclassified_replies = 3,
		.identity_as_key = 4,
		.identity_as_request_id = 5};
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		one.retries[i] = (uint64_t)i + 1;
	flow_counters_add(&sum, &one);
	flow_counters_add(&sum, &one);
	assert_int_equal(sum.coalesced, 5);
	assert_int_equal(sum.unclassified_replies, 6);
	assert_int_equal(sum.identity_as_key, 18);
	assert_int_equal(sum.identity_as_request_id, 10);
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		assert_int_equal(sum.retries[i], 2 * (i + 1));
}

static struct flow_oldest oldest(struct talk *talk)
{
	struct flow_oldest oldest = {.offset = -1};
	assert_true(flow_oldest(talk->flow, &talk->source, &oldest));
	return oldest;
}

static void it_tells_what_the_oldest_event_waits_for(void **state)
{
	(void)state;
	struct talk talk = new_talk();
	open_talk(&talk);
	struct flow_oldest none;
	assert_false(flow_oldest(talk.flow, &talk.source, &none));
	int64_t first = add(&talk, "k", "a");
	add(&talk, "k", "b");
	assert_int_equal(oldest(&talk).wait, FLOW_WAITS_FOR_LEAVE);
	assert_int_equal(oldest(&talk).offset, first);

	struct lookup *a = sends(&talk, "a");
	assert_int_equal(oldest(&talk).wait, FLOW_WAITS_FOR_REPLY);
	assert_true(oldest(&talk).time == talk.now);
	answer_found(&talk, sends(&talk, "b"));
	answer(&talk, a, 500, "");
	assert_int_equal(oldest(&talk).wait, FLOW_WAITS_FOR_RETRY);
	assert_true(oldest(&talk).time >= talk.now);
	assert_int_equal(oldest(&talk).attempts, 1);
	assert_int_equal(oldest(&talk).http_status, 500);

	waits_and_goes_on(&talk);
	answer_refused(&talk, sends(&talk, "a"), "1");
	assert_int_equal(oldest(&talk).refusals, 1);
	waits_and_goes_on(&talk);
	answer_found(&talk, sends(&talk, "a"));
	assert_false(flow_oldest(talk.flow, &talk.source, &none));
	close_talk(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_asked_for_and_its_result_published),
		cmocka_unit_test(what_cannot_be_asked_for_ends_without_a_request),
		cmocka_unit_test(results_of_a_key_come_out_in_request_order),
		cmocka_unit_test(another_key_does_not_wait),
		cmocka_unit_test(a_partition_may_be_one_lane),
		cmocka_unit_test(waiting_events_share_a_request),
		cmocka_unit_test(a_lookup_that_started_is_not_joined),
		cmocka_unit_test(customers_are_told_apart_by_email_and_phone_together),
		cmocka_unit_test(an_attempt_counts_only_once_a_later_start_is_answered),
		cmocka_unit_test(a_poison_event_in_a_line_of_good_ones_ends_as_an_error_event),
		cmocka_unit_test(a_retry_holds_up_its_own_key_alone),
		cmocka_unit_test(those_that_failed_before_and_new_ones_take_turns),
		cmocka_unit_test(a_refusal_is_no_attempt),
		cmocka_unit_test(a_refusal_does_not_hide_what_the_event_failed_of),
		cmocka_unit_test(a_retry_after_holds_back_its_lane_alone),
		cmocka_unit_test(a_resend_counts_as_an_attempt),
		cmocka_unit_test(new_options_change_the_attempts_of_new_look_ups_alone),
		cmocka_unit_test(a_cut_drops_what_is_above_it),
		cmocka_unit_test(nothing_starts_or_ends_between_the_steps_of_a_drain),
		cmocka_unit_test(drains_of_two_partitions_may_overlap),
		cmocka_unit_test(what_is_abandoned_is_not_published),
		cmocka_unit_test(what_is_abandoned_takes_no_other_partition_with_it),
		cmocka_unit_test(an_identity_that_is_the_key_is_counted),
		cmocka_unit_test(an_identity_that_is_the_phone_number_is_counted_too),
		cmocka_unit_test(new_options_hold_for_what_fails_from_now_on),
		cmocka_unit_test(counters_of_several_flows_add_up),
		cmocka_unit_test(it_tells_what_the_oldest_event_waits_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
