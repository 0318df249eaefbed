/*
 * Results: whatever the request's record holds, its result is JSON that says what happened, and its
 * headers are those of a CloudEvent and the forwarded ones within their limit.
 *
 * Input: a line `REASON ATTEMPTS STATUS EXTENT`, all numbers; a line with the case ID; a record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/json.h"
#include "core/request.h"
#include "core/result.h"
#include "fuzz.h"

#define FIXED 6 /* headers that every result has, in front */

static const struct bytes keep[] = {BYTES("traceparent"), BYTES("tracestate"), BYTES("x"),
	BYTES("content-type"), BYTES("ce_specversion"), BYTES("ce_id"), BYTES(RESULT_REPLAY_OF)};
#define FORWARD_COUNT 3 /* the first of them */

static void parse_request(struct event *event)
{
	struct json_reader *reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	REQUIRE(reader != NULL);
	struct error err = {0};
	request_parse(&event->record, reader, &event->request, &err);
	json_reader_free(reader);
}

/* An outcome of the kind that flow sets. */
static void set_outcome(struct event *event, const unsigned numbers[3], struct bytes case_id)
{
	struct outcome *outcome = &event->outcome;
	outcome->reason = (enum reason)(numbers[0] % REASON_COUNT);
	outcome->attempts = numbers[1] % 51;
	if (outcome->reason != REASON_NONE) {
		outcome->http_status = numbers[2] % 2 != 0 ? (int)(100 + numbers[2] % 500) : 0;
		outcome->documented_code = numbers[2] % 3 == 0;
		return;
	}
	bool fit = case_id.length > 0 && case_id.length <= CASE_ID_MAX && json_is_utf8(case_id) &&
		   !json_has_control(case_id);
	outcome->case_id = fuzz_text(fit ? case_id : BYTES("c-1"));
}

static int64_t integer_member(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);
	REQUIRE(json_object_is_type(value, json_type_int));
	return json_object_get_int64(value);
}

static void check_error(struct json_object *error, const struct outcome *outcome)
{
	REQUIRE(bytes_equal(
		fuzz_string_member(error, "reason"), bytes_of_text(reason_name(outcome->reason))));
	REQUIRE(fuzz_string_member(error, "message").length > 0);
	if (outcome->http_status != 0)
		REQUIRE(integer_member(error, "httpStatus") == outcome->http_status);
	else
		REQUIRE(json_object_object_length(error) == 3);
}

/* The request's id is in the value just as the request has it. */
static void check_id(struct bytes value, const struct request *request)
{
	struct bytes id = request != NULL && request->id.data != NULL ? request->id : BYTES("null");
	CLEANUP(buffer_fini) struct buffer start = {0};
	buffer_append_text(&start, "{\"requestId\":");
	buffer_append_bytes(&start, id);
	buffer_append_text(&start, ",\"outcome\":");
	REQUIRE(bytes_start_with(value, buffer_bytes(&start)));
}

static void check_value(struct bytes value, const struct event *event)
{
	struct json_reader *reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	CLEANUP(fuzz_put) struct json_object *own = json_read_object(reader, value, NULL);
	CLEANUP(fuzz_put) struct json_object *strict = fuzz_json_c(value);
	json_reader_free(reader);
	REQUIRE(own != NULL && strict != NULL && json_object_equal(own, strict));
	REQUIRE(json_object_object_length(strict) == 6);
	check_id(value, event->request);
	REQUIRE(integer_member(strict, "attempts") == event->outcome.attempts);
	struct json_object *request = json_object_object_get(strict, "request");
	REQUIRE(integer_member(request, "partition") == event->record.partition);
	REQUIRE(integer_member(request, "offset") == event->record.offset);
	if (event->outcome.reason == REASON_NONE)
		REQUIRE(bytes_equal(fuzz_string_member(strict, "caseId"),
			bytes_of_text(event->outcome.case_id)));
	else
		check_error(json_object_object_get(strict, "error"), &event->outcome);
}

static bool is_forwarded(struct bytes name)
{
	for (size_t i = 0; i < FORWARD_COUNT; i++)
		if (bytes_equal_nocase(name, keep[i]))
			return true;
	return false;
}

static void check_headers(
	const struct result *result, const struct event *event, enum result_extent extent)
{
	size_t offered = 0;
	for (size_t i = 0; i < event->record.header_count; i++)
		offered += is_forwarded(event->record.headers[i].name) ? 1 : 0;
	bool replayed = record_header(&event->record, BYTES(RESULT_REPLAY_OF)).data != NULL;
	REQUIRE(result->header_count >= FIXED);
	REQUIRE(bytes_equal(result->headers[2].name, BYTES("ce_id")));
	REQUIRE(bytes_equal(result->headers[2].value, BYTES("requests/3/42")));
	size_t forwarded = 0;
	size_t size = 0;
	for (size_t i = FIXED; i < result->header_count; i++) {
		const struct header *header = &result->headers[i];
		if (bytes_equal(header->name, BYTES(RESULT_REPLAY_OF)) && i == FIXED)
			continue;
		REQUIRE(is_forwarded(header->name));
		forwarded++;
		size += header->name.length + header->value.length;
	}
	REQUIRE(size <= RESULT_FORWARDED_MAX);
	REQUIRE(result->headers_dropped <= offered + 1);
	if (extent != RESULT_WHOLE)
		REQUIRE(forwarded == 0);
	else
		REQUIRE(forwarded + result->headers_dropped +
				(result->header_count - FIXED - forwarded) ==
			offered + (replayed ? 1 : 0));
}

static void encode(const struct event *event, enum result_extent extent)
{
	const struct result_options options = {.group_id = "a group/\xc3\xa4",
		.forward = keep,
		.forward_count = FORWARD_COUNT,
		.with_key = true};
	struct result_encoder *encoder = result_encoder_new(&options, NULL);
	REQUIRE(encoder != NULL);
	struct result result = {0};
	REQUIRE(result_encode(encoder, event, extent, 1000, &result, NULL));
	check_value(result.value, event);
	check_headers(&result, event, extent);
	if (extent == RESULT_BARE)
		REQUIRE(result.key.data == NULL);
	result_encoder_free(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = {(const char *)data, size};
	unsigned numbers[3] = {0};
	unsigned extent = 0;
	CLEANUP(free_pointer) char *line = fuzz_text(fuzz_take_line(&input));
	sscanf(line, "%u %u %u %u", &numbers[0], &numbers[1], &numbers[2], &extent);
	struct bytes case_id = fuzz_take_line(&input);
	struct fuzz_record record;
	fuzz_record_read(input, &record);
	struct event *event = event_new(&record.record, keep, array_length(keep), NULL);
	REQUIRE(event != NULL);
	parse_request(event);
	set_outcome(event, numbers, case_id);
	encode(event, (enum result_extent)(extent % 3));
	event_free(event);
	return 0;
}
