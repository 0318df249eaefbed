/* Each allocation in core fails in turn. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/event.h"
#include "core/flow.h"
#include "core/gate.h"
#include "core/json.h"
#include "core/offset_tracker.h"
#include "core/reply.h"
#include "core/request.h"
#include "core/result.h"

#define VALUE                                                                                      \
	"{\"requestId\":\"r-\\u00e4\",\"email\":\"a@b.org\",\"other\":[{\"a\":1.5,\"b\":null}]}"
#define FOUND "{\"status\":200,\"success\":true,\"case\":{\"id\":\"case-1\"}}"

static const struct bytes keep[] = {BYTES("traceparent"), BYTES("content-type")};

static void put(struct json_object **object)
{
	json_object_put(*object);
}

/* A want of memory must not look like a mistake in the text: its sender would be blamed for it. */
static bool read_json(void *context, struct error *err)
{
	(void)context;
	struct json_reader *reader = json_reader_new(8, err);
	if (reader == NULL)
		return false;
	CLEANUP(put) struct json_object *tree = json_read_object(reader, BYTES(VALUE), err);
	assert_true(tree != NULL || json_reader_out_of_memory(reader));
	json_reader_free(reader);
	return tree != NULL;
}

static void want_of_memory_is_no_mistake_in_the_json(void **state)
{
	(void)state;
	faults_each(read_json, NULL);
}

static bool read_request(void *context, struct error *err)
{
	const struct record *record = context;
	struct json_reader *reader = json_reader_new(REQUEST_JSON_DEPTH, err);
	if (reader == NULL)
		return false;
	struct request *request = NULL;
	enum request_problem problem = request_parse(record, reader, &request, err);
	json_reader_free(reader);
	assert_true(problem == REQUEST_FINE || problem == REQUEST_NO_MEMORY);
	assert_int_equal(problem == REQUEST_FINE, request != NULL);
	free(request);
	return problem == REQUEST_FINE;
}

static void want_of_memory_makes_no_request_malformed(void **state)
{
	(void)state;
	static const struct header structured[] = {
		{BYTES("content-type"), BYTES("application/cloudevents+json")}};
	static const struct header binary[] = {
		{BYTES("ce_specversion"), BYTES("1.0")}, {BYTES("ce_id"), BYTES("e-1")}};
	struct record records[] = {
		{.value = BYTES(VALUE)},
		{.value = BYTES("\0\0\0\0\1" VALUE)},
		{.value = BYTES("{\"specversion\":\"1.0\",\"id\":\"e\",\"data\":" VALUE "}"),
			.headers = structured,
			.header_count = 1},
		{.value = BYTES(VALUE), .headers = binary, .header_count = 2},
	};
	for (size_t i = 0; i < array_length(records); i++)
		faults_each(read_request, &records[i]);
}

/* The reply is what it is, or one that could not be had: never one of another meaning. */
static bool classify(void *context, struct error *err)
{
	const struct reply *reply = context;
	struct json_reader *reader = json_reader_new(REPLY_JSON_DEPTH, err);
	if (reader == NULL)
		return false;
	struct verdict verdict;
	reply_classify(reply, reader, &verdict);
	json_reader_free(reader);
	if (verdict_documented(&verdict))
		return true;
	assert_int_equal(verdict.kind, VERDICT_FAILED);
	assert_int_equal(verdict.reason, REASON_API_UNAVAILABLE);
	assert_false(verdict.unclassified);
	return error_memory(err);
}

static void want_of_memory_makes_no_reply_a_bad_one(void **state)
{
	(void)state;
	struct reply replies[] = {
		{.status = 200, .body = BYTES(FOUND)},
		{.status = 400, .body = BYTES("{\"error\":\"Email id not provided!\"}")},
	};
	for (size_t i = 0; i < array_length(replies); i++)
		faults_each(classify, &replies[i]);
}

static bool encode(void *context, struct error *err)
{
	(void)context;
	/* More than there is room for from the start. */
	static const struct header headers[] = {{BYTES("traceparent"), BYTES("t")},
		{BYTES("traceparent"), BYTES("t")}, {BYTES("traceparent"), BYTES("t")}};
	struct record record = {.topic = "requests",
		.value = BYTES(VALUE),
		.key = BYTES("k"),
		.headers = headers,
		.header_count = array_length(headers)};
	struct event *event = event_new(&record, keep, array_length(keep), err);
	if (event == NULL)
		return false;
	event->outcome = (struct outcome){.reason = REASON_CASE_NOT_FOUND};
	const struct result_options options = {
		.group_id = "g", .forward = keep, .forward_count = array_length(keep)};
	struct result_encoder *encoder = result_encoder_new(&options, err);
	struct result result = {0};
	bool good = encoder != NULL && result_encode(encoder, event, RESULT_WHOLE, 0, &result, err);
	assert_int_equal(good, result.value.data != NULL);
	if (good)
		assert_true(bytes_end_with(result.value, BYTES("1970-01-01T00:00:00.000Z\"}")));
	result_encoder_free(encoder);
	event_free(event);
	return good;
}

static void want_of_memory_makes_no_half_result(void **state)
{
	(void)state;
	faults_each(encode, NULL);
}

/* An offset that could not be opened can be opened later, and none is lost over that. */
static bool track(void *context, struct error *err)
{
	(void)context;
	struct offset_tracker *tracker = offset_tracker_new(err);
	if (tracker == NULL)
		return false;
	uint64_t sequence = 0;
	for (int64_t offset = 0; offset < 600; offset++)
		if (!offset_tracker_open(tracker, offset, 0, &sequence, err))
			assert_true(offset_tracker_open(tracker, offset, 0, &sequence, NULL));
	for (uint64_t i = 0; i < 600; i++)
		offset_tracker_done(tracker, i);
	assert_int_equal(offset_tracker_watermark(tracker), 600);
	offset_tracker_free(tracker);
	return true;
}

static void want_of_memory_loses_no_offset(void **state)
{
	(void)state;
	faults_each(track, NULL);
}

/* A day of a flow: events of several keys and customers, with answers of every kind. */

#define EVENTS 6

struct day {
	struct gate *gate;
	struct flow *flow;
	int64_t now;
	bool published[EVENTS];
	size_t answers;
};

/* Gives an event to the flow; where it has no memory, once more, as a caller may who keeps it. */
static bool give(struct day *day, int64_t offset, struct error *err)
{
	static const char *const keys[EVENTS] = {"a", "a", "b", NULL, "b", "c"};
	static const char *const values[EVENTS] = {"{\"email\":\"1@x\"}", "{\"email\":\"2@x\"}",
		"{\"email\":\"1@x\"}", "{\"email\":\"3@x\"}", "no json", "{\"email\":\"4@x\"}"};
	struct record record = {
		.topic = "requests",
		.offset = offset,
		.key = keys[offset] == NULL ? (struct bytes){0} : bytes_of_text(keys[offset]),
		.value = bytes_of_text(values[offset]),
	};
	struct event *event = event_new(&record, NULL, 0, err);
	if (event == NULL)
		return false;
	event->source = day;
	if (flow_add(day->flow, event, err))
		return true;
	assert_true(faults_happened());
	assert_true(flow_add(day->flow, event, NULL));
	return true;
}

static void answer(struct day *day, struct lookup *lookup)
{
	static const struct reply replies[] = {
		{.status = 200, .body = BYTES(FOUND)},
		{.status = 500},
		{.status = 429, .retry_after = BYTES("1")},
		{.status = 400,
			.body = BYTES("{\"error\":\"No Case found for provided details!\"}")},
	};
	const struct reply *reply = &replies[day->answers++ % array_length(replies)];
	if (flow_reply(day->flow, lookup, reply, day->now, 0, NULL))
		return;
	assert_true(faults_happened());
	/* It is still under way: the same reply ends it now. */
	assert_true(flow_reply(day->flow, lookup, reply, day->now, 0, NULL));
}

/* Runs the flow until it holds nothing; each event comes out once. */
static void run(struct day *day)
{
	struct flow_action action;
	for (int step = 0; flow_held(day->flow) > 0; step++) {
		assert_true(step < 1000);
		switch (flow_next(day->flow, day->now, &action)) {
		case FLOW_SEND:
			answer(day, action.lookup);
			break;
		case FLOW_PUBLISH:
			assert_false(day->published[action.event->record.offset]);
			day->published[action.event->record.offset] = true;
			assert_int_equal(action.event->outcome.reason == REASON_NONE,
				action.event->outcome.case_id != NULL);
			event_free(action.event);
			break;
		case FLOW_WAIT:
			day->now = action.until == TIME_NEVER ? day->now + NS_PER_S : action.until;
			break;
		}
	}
	while (flow_next(day->flow, day->now, &action) == FLOW_PUBLISH) {
		day->published[action.event->record.offset] = true;
		event_free(action.event);
	}
}

static bool live(struct day *day, struct error *err)
{
	const struct gate_options gate = {.flows = 1,
		.in_flight = 4,
		.adaptive = true,
		.failure_percent = 100,
		.min_requests = 50,
		.window_ns = 10 * NS_PER_S,
		.probe_interval_ns = NS_PER_S};
	const struct flow_options options = {.coalesce = true,
		.max_attempts = 3,
		.initial_backoff_ns = NS_PER_MS,
		.max_backoff_ns = NS_PER_MS,
		.probe_timeout_ns = NS_PER_S};
	day->gate = gate_new(&gate, day->now, err);
	day->flow = day->gate == NULL ? NULL : flow_new(&options, day->gate, err);
	if (day->flow == NULL)
		return false;
	for (int64_t offset = 0; offset < EVENTS; offset++)
		if (!give(day, offset, err))
			return false;
	run(day);
	for (size_t i = 0; i < EVENTS; i++)
		assert_true(day->published[i]);
	struct gate_state state;
	gate_state(day->gate, day->now, &state);
	assert_int_equal(state.in_flight, 0);
	return true;
}

static bool flow_lives(void *context, struct error *err)
{
	(void)context;
	struct day day = {.now = NS_PER_S};
	bool good = live(&day, err);
	flow_free(day.flow);
	gate_free(day.gate);
	return good;
}

static void want_of_memory_loses_no_event_of_a_flow(void **state)
{
	(void)state;
	faults_each(flow_lives, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_is_no_mistake_in_the_json),
		cmocka_unit_test(want_of_memory_makes_no_request_malformed),
		cmocka_unit_test(want_of_memory_makes_no_reply_a_bad_one),
		cmocka_unit_test(want_of_memory_makes_no_half_result),
		cmocka_unit_test(want_of_memory_loses_no_offset),
		cmocka_unit_test(want_of_memory_loses_no_event_of_a_flow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
