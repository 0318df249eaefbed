/*
 * What the tests of flow share: a conversation between a worker and its flow, in virtual time. The
 * worker says what came (add, answer) and the test what the flow must say to that (sends,
 * publishes, waits). Two flows share the gate; most tests need but the first.
 */
#ifndef FLOW_FIXTURE_H
#define FLOW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/flow.h"
#include "core/request.h"

#define FLOWS          2
#define PROBE_INTERVAL (5 * NS_PER_S)
#define BACKOFF        (100 * NS_PER_MS) /* the longest wait of these tests */
#define PATIENCE       NS_PER_S

struct talk {
	struct gate_options gate_options;
	struct flow_options options;
	struct gate *gate;
	struct flow *flows[FLOWS];
	struct flow *flow; /* the one that is talked with */
	bool woken[FLOWS];
	int64_t now;
	int64_t offset;
	char source; /* its address stands for a partition's assignment */
	char other_source;
};

static inline void note_woken(void *context, unsigned flow)
{
	struct talk *talk = context;
	talk->woken[flow] = true;
}

/* A conversation whose options may be changed before open(). */
static inline struct talk new_talk(void)
{
	return (struct talk){
		.gate_options =
			{
				.flows = FLOWS,
				.in_flight = 10,
				.failure_percent = 50,
				.min_requests = 50,
				.window_ns = 10 * NS_PER_S,
				.probe_interval_ns = PROBE_INTERVAL,
				.wake = note_woken,
			},
		.options =
			{
				.ordering = FLOW_ORDER_KEY,
				.max_attempts = 3,
				.initial_backoff_ns = BACKOFF,
				.max_backoff_ns = BACKOFF,
				.probe_timeout_ns = PROBE_INTERVAL,
				.patience_ns = PATIENCE,
			},
		.now = 1000 * NS_PER_S,
	};
}

static inline void open_talk(struct talk *talk)
{
	talk->gate_options.context = talk;
	talk->gate = gate_new(&talk->gate_options, talk->now, NULL);
	assert_non_null(talk->gate);
	for (unsigned i = 0; i < FLOWS; i++) {
		talk->options.number = i;
		talk->flows[i] = flow_new(&talk->options, talk->gate, NULL);
		assert_non_null(talk->flows[i]);
	}
	talk->flow = talk->flows[0];
}

static inline void close_talk(struct talk *talk)
{
	for (unsigned i = 0; i < FLOWS; i++)
		flow_free(talk->flows[i]);
	gate_free(talk->gate);
}

/* An event with that value; returns its offset. */
static inline int64_t add_value(struct talk *talk, const char *key, const char *value)
{
	struct record record = {
		.topic = "requests",
		.offset = talk->offset++,
		.key = key == NULL ? (struct bytes){0} : bytes_of_text(key),
		.value = bytes_of_text(value),
	};
	struct event *event = event_new(&record, NULL, 0, NULL);
	assert_non_null(event);
	event->source = &talk->source;
	assert_true(flow_add(talk->flow, event, NULL));
	return record.offset;
}

/* An event that asks for that e-mail address. */
static inline int64_t add(struct talk *talk, const char *key, const char *email)
{
	char value[128];
	snprintf(value, sizeof(value), "{\"email\": \"%s\"}", email);
	return add_value(talk, key, value);
}

static inline struct lookup *sends_some(struct talk *talk, const char *email, bool probe)
{
	struct flow_action action;
	assert_int_equal(flow_next(talk->flow, talk->now, &action), FLOW_SEND);
	struct bytes asked = lookup_customer(action.lookup).email;
	assert_true(bytes_equal(asked, bytes_of_text(email)));
	assert_true(action.timeout_ns == (probe ? talk->options.probe_timeout_ns : 0));
	return action.lookup;
}

/* The flow sends a request for that address. */
static inline struct lookup *sends(struct talk *talk, const char *email)
{
	return sends_some(talk, email, false);
}

static inline struct lookup *probes(struct talk *talk, const char *email)
{
	return sends_some(talk, email, true);
}

/* The flow publishes the result of the event at that offset, which is freed. */
static inline void publishes(
	struct talk *talk, int64_t offset, enum reason reason, unsigned attempts)
{
	struct flow_action action;
	assert_int_equal(flow_next(talk->flow, talk->now, &action), FLOW_PUBLISH);
	assert_int_equal(action.event->record.offset, offset);
	assert_string_equal(reason_name(action.event->outcome.reason), reason_name(reason));
	assert_int_equal(action.event->outcome.attempts, attempts);
	if (reason == REASON_NONE)
		assert_string_equal(action.event->outcome.case_id, "case-1");
	event_free(action.event);
}

/* The flow has nothing to do; returns until when. */
static inline int64_t waits(struct talk *talk)
{
	struct flow_action action;
	assert_int_equal(flow_next(talk->flow, talk->now, &action), FLOW_WAIT);
	assert_true(action.until > talk->now);
	return action.until;
}

/* The flow waits for a time; it comes. */
static inline void waits_and_goes_on(struct talk *talk)
{
	int64_t until = waits(talk);
	assert_true(until != TIME_NEVER);
	talk->now = until;
}

static inline void answer_with(struct talk *talk, struct lookup *lookup, const struct reply *reply)
{
	talk->now += NS_PER_MS;
	assert_true(flow_reply(talk->flow, lookup, reply, talk->now, 0, NULL));
}

static inline void answer(struct talk *talk, struct lookup *lookup, int status, const char *body)
{
	struct reply reply = {REPLY_HTTP, status, bytes_of_text(body), {0}};
	answer_with(talk, lookup, &reply);
}

static inline void answer_found(struct talk *talk, struct lookup *lookup)
{
	answer(talk, lookup, 200, "{\"success\": true, \"case\": {\"id\": \"case-1\"}}");
}

static inline void answer_not_found(struct talk *talk, struct lookup *lookup)
{
	answer(talk, lookup, 400,
		"{\"error\": \"No Case found for provided details!\", \"code\": \"CASE_ERROR\"}");
}

static inline void answer_bad_key(struct talk *talk, struct lookup *lookup)
{
	answer(talk, lookup, 400, "{\"error\": \"Secret key not provided!\"}");
}

static inline void answer_refused(struct talk *talk, struct lookup *lookup, const char *retry_after)
{
	struct reply reply = {REPLY_HTTP, 429, {0}, bytes_of_text(retry_after)};
	answer_with(talk, lookup, &reply);
}

/* An event of another customer comes, is asked for and answered: the API is well. */
static inline void witness(struct talk *talk)
{
	int64_t offset = add(talk, NULL, "witness");
	answer_found(talk, sends(talk, "witness"));
	publishes(talk, offset, REASON_NONE, 1);
}

static inline enum stop_cause line(struct talk *talk)
{
	struct gate_view view;
	gate_look(talk->gate, &view);
	return view.cause;
}

/* The line goes, and has come back to its limit. */
static inline void line_goes(struct talk *talk)
{
	assert_int_equal(line(talk), STOP_NONE);
	talk->now += NS_PER_S;
}

/* The line is stopped, and the next probe is due. */
static inline void probe_is_due(struct talk *talk)
{
	assert_int_not_equal(line(talk), STOP_NONE);
	talk->now += PROBE_INTERVAL;
}

#endif
