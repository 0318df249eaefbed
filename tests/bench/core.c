/*
 * What the core alone costs an event: nanoseconds, and calls for memory. No broker, no API, no
 * thread.
 *
 * The nanoseconds are for people to compare, on one machine. The calls for memory are the same
 * everywhere: where a part makes more of them than its row in PARTS allows, the program fails.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/event.h"
#include "core/flow.h"
#include "core/json.h"
#include "core/offset_tracker.h"
#include "core/reply.h"
#include "core/request.h"
#include "core/result.h"

#define IN_FLIGHT    256
#define ROUNDS       5 /* of which the fastest counts: whatever else ran only made others slower */
#define REQUEST_SIZE 256
#define KEY_SIZE     16

/* --- counting calls for memory, those of json-c too --- */

static unsigned long allocations;

/* glibc's own names of the functions that are replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
	allocations++;
	return __libc_realloc(pointer, size);
}

/* --- what is worked on --- */

static const char CASE_ID[] = "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da";

static const struct bytes KEEP[] = {BYTES("content-type"), BYTES("ce_specversion"), BYTES("ce_id"),
	BYTES(RESULT_REPLAY_OF), BYTES("traceparent"), BYTES("tracestate")};

static const struct bytes FORWARD[] = {BYTES("traceparent"), BYTES("tracestate")};

static const struct header HEADERS[] = {
	{BYTES("traceparent"), BYTES("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
};

static const struct reply FOUND = {
	.transport = REPLY_HTTP,
	.status = 200,
	.body = BYTES("{\"status\": 200, \"success\": true, \"case\": {\"id\": "
		      "\"e1e3f5c1-6f12-4e0d-a442-7a9ff31319da\"}}"),
};

struct bench {
	struct record records[IN_FLIGHT]; /* of as many customers */
	char requests[IN_FLIGHT][REQUEST_SIZE];
	char keys[IN_FLIGHT][KEY_SIZE];
	struct event *answered; /* with its request and its outcome, to be encoded */
	struct json_reader *request_reader;
	struct json_reader *reply_reader;
	struct result_encoder *encoder;
	struct offset_tracker *tracker;
	struct gate *gate;
	struct flow *flow;
	int64_t offset;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench_core: %s does not work\n", what);
	exit(1);
}

/* Requests of about 200 bytes. */
static void make_records(struct bench *bench)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		(void)snprintf(bench->requests[i], REQUEST_SIZE,
			"{\"requestId\": \"request-%d\", \"email\": \"customer%d@example.org\", "
			"\"phoneNumber\": \"+1555010%04d\", \"note\": \"%0100d\"}",
			i, i, i, i);
		(void)snprintf(bench->keys[i], KEY_SIZE, "key-%d", i);
		bench->records[i] = (struct record){
			.topic = "care360.lookup-requests",
			.partition = 3,
			.timestamp_ms = INT64_C(1795000000000),
			.key = bytes_of_text(bench->keys[i]),
			.value = bytes_of_text(bench->requests[i]),
			.headers = HEADERS,
			.header_count = array_length(HEADERS),
		};
	}
}

static struct event *new_event(struct bench *bench, long number)
{
	struct record record = bench->records[number % IN_FLIGHT];
	record.offset = bench->offset++;
	struct event *event = event_new(&record, KEEP, array_length(KEEP), NULL);
	need(event != NULL, "event_new");
	return event;
}

static void parse_one(struct bench *bench, const struct record *record, struct request **request)
{
	need(request_parse(record, bench->request_reader, request, NULL) == REQUEST_FINE,
		"request_parse");
}

static void encode_one(struct bench *bench, const struct event *event)
{
	struct result result;
	need(result_encode(
		     bench->encoder, event, RESULT_WHOLE, INT64_C(1795000000100), &result, NULL),
		"result_encode");
}

static void set_up(struct bench *bench)
{
	static const struct result_options RESULTS = {.group_id = "care360-lookup",
		.forward = FORWARD,
		.forward_count = array_length(FORWARD),
		.with_key = true};
	static const struct gate_options GATE = {.flows = 1,
		.in_flight = IN_FLIGHT,
		.adaptive = true,
		.failure_percent = 50,
		.min_requests = 50,
		.window_ns = 10 * NS_PER_S,
		.probe_interval_ns = 5 * NS_PER_S};
	static const struct flow_options FLOW = {.coalesce = true,
		.max_attempts = 5,
		.initial_backoff_ns = 100 * NS_PER_MS,
		.max_backoff_ns = 10 * NS_PER_S,
		.probe_timeout_ns = 5 * NS_PER_S};
	make_records(bench);
	bench->request_reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	bench->reply_reader = json_reader_new(REPLY_JSON_DEPTH, NULL);
	bench->encoder = result_encoder_new(&RESULTS, NULL);
	bench->tracker = offset_tracker_new(NULL);
	bench->gate = gate_new(&GATE, 0, NULL);
	need(bench->request_reader && bench->reply_reader && bench->encoder && bench->tracker &&
			bench->gate,
		"memory");
	bench->flow = flow_new(&FLOW, bench->gate, NULL);
	need(bench->flow != NULL, "flow_new");
	bench->answered = new_event(bench, 0);
	parse_one(bench, &bench->answered->record, &bench->answered->request);
	bench->answered->outcome = (struct outcome){.attempts = 1, .case_id = strdup(CASE_ID)};
}

static void tear_down(struct bench *bench)
{
	event_free(bench->answered);
	flow_free(bench->flow);
	gate_free(bench->gate);
	offset_tracker_free(bench->tracker);
	result_encoder_free(bench->encoder);
	json_reader_free(bench->reply_reader);
	json_reader_free(bench->request_reader);
}

/* --- the parts: each works on IN_FLIGHT events --- */

static void copy(struct bench *bench)
{
	for (int i = 0; i < IN_FLIGHT; i++)
		event_free(new_event(bench, i));
}

static void parse(struct bench *bench)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		struct request *request = NULL;
		parse_one(bench, &bench->records[i], &request);
		free(request);
	}
}

static void classify(struct bench *bench)
{
	for (int i = 0; i < IN_FLIGHT; i++) {
		struct verdict verdict;
		reply_classify(&FOUND, bench->reply_reader, &verdict);
		need(verdict.kind == VERDICT_FOUND, "reply_classify");
	}
}

static void encode(struct bench *bench)
{
	for (int i = 0; i < IN_FLIGHT; i++)
		encode_one(bench, bench->answered);
}

static void track(struct bench *bench)
{
	uint64_t sequences[IN_FLIGHT];
	for (int i = 0; i < IN_FLIGHT; i++)
		need(offset_tracker_open(bench->tracker, bench->offset++, 0, &sequences[i], NULL),
			"offset_tracker_open");
	for (int i = 0; i < IN_FLIGHT; i++)
		offset_tracker_done(bench->tracker, sequences[i]);
}

/* All of it, as intake, a worker and delivery do it: what the parts above don't take is flow's. */
static void whole_way(struct bench *bench)
{
	struct lookup *sent[IN_FLIGHT];
	struct flow_action action;
	int count = 0;
	for (int i = 0; i < IN_FLIGHT; i++) {
		struct event *event = new_event(bench, i);
		event->source = bench;
		need(offset_tracker_open(
			     bench->tracker, event->record.offset, 0, &event->sequence, NULL),
			"offset_tracker_open");
		need(flow_add(bench->flow, event, NULL), "flow_add");
	}
	while (flow_next(bench->flow, NS_PER_S, &action) == FLOW_SEND)
		sent[count++] = action.lookup;
	need(count == IN_FLIGHT, "flow_next");
	for (int i = 0; i < IN_FLIGHT; i++) {
		need(flow_reply(bench->flow, sent[i], &FOUND, NS_PER_S, 0, NULL), "flow_reply");
		need(flow_next(bench->flow, NS_PER_S, &action) == FLOW_PUBLISH, "flow_next");
		encode_one(bench, action.event);
		offset_tracker_done(bench->tracker, action.event->sequence);
		event_free(action.event);
	}
}

/* --- measuring --- */

static const struct part {
	const char *name;
	void (*run)(struct bench *bench);
	unsigned long most_allocations; /* of one event */
} PARTS[] = {
	{"copy", copy, 1},
	{"parse", parse, 1},
	{"classify", classify, 0},
	{"encode", encode, 0},
	{"track", track, 0},
	{"the whole way", whole_way, 6},
};

struct cost {
	double ns;
	double allocations;
};

static struct cost measure(struct bench *bench, const struct part *part, long events)
{
	struct cost best = {.ns = 1e18};
	long repeats = events / IN_FLIGHT + 1;
	double count = (double)(repeats * IN_FLIGHT);
	part->run(bench); /* so that buffers and tables have the size that they keep */
	for (int round = 0; round < ROUNDS; round++) {
		unsigned long allocated = allocations;
		int64_t begun = clock_monotonic_ns();
		for (long i = 0; i < repeats; i++)
			part->run(bench);
		double ns = (double)(clock_monotonic_ns() - begun) / count;
		best.ns = ns < best.ns ? ns : best.ns;
		best.allocations = (double)(allocations - allocated) / count;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const struct option OPTIONS[] = {{"events", required_argument, NULL, 'n'}, {0}};
	static struct bench bench;
	long events = 200000;
	for (int c = 0; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) >= 0;) {
		events = c == 'n' ? strtol(optarg, NULL, 10) : 0;
	}
	if (events < 1 || optind != argc) {
		(void)fprintf(stderr, "usage: %s [--events N]\n", argv[0]);
		return 2;
	}
	set_up(&bench);
	struct cost rest = {0};
	bool fine = true;
	printf("%-16s %10s %22s\n", "an event", "ns", "calls for memory");
	for (size_t i = 0; i < array_length(PARTS); i++) {
		struct cost cost = measure(&bench, &PARTS[i], events);
		bool within = cost.allocations <= (double)PARTS[i].most_allocations + 0.01;
		printf("%-16s %10.0f %22.2f%s\n", PARTS[i].name, cost.ns, cost.allocations,
			within ? "" : "  more than it may make");
		fine = fine && within;
		bool last = i + 1 == array_length(PARTS);
		rest.ns = last ? cost.ns - rest.ns : rest.ns + cost.ns;
		rest.allocations = last ? cost.allocations - rest.allocations
					: rest.allocations + cost.allocations;
	}
	printf("%-16s %10.0f %22.2f\n", "of it, flow", rest.ns, rest.allocations);
	tear_down(&bench);
	return fine ? 0 : 1;
}
