#include "core/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/json.h"
#include "core/request.h"

#define FIXED_HEADERS 7 /* content-type, five of CloudEvents, RESULT_REPLAY_OF */

/* Longer than any "<topic>/<partition>/<offset>": a topic has at most 249 bytes. */
#define REPLAY_OF_MAX 300

struct result_encoder {
	struct result_options options;
	struct buffer source; /* ce_source: the same for all */
	struct buffer id;     /* ce_id */
	struct buffer value;
	char completed[RFC3339_SIZE];
	struct header *headers;
	size_t header_capacity;
};

/* Appends what a segment of a URI's path may hold, all else percent-encoded (RFC 3986, 3.3). */
static void append_segment(struct buffer *buffer, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~!$&'()*+,;=:@", c) != NULL;
		if (plain)
			buffer_append(buffer, at, 1);
		else
			buffer_append(buffer, (const char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
	}
}

struct result_encoder *result_encoder_new(const struct result_options *options, struct error *err)
{
	struct result_encoder *encoder = mem_new(struct result_encoder);
	if (encoder != NULL) {
		encoder->options = *options;
		encoder->header_capacity = FIXED_HEADERS + options->forward_count;
		encoder->headers = mem_new_array(struct header, encoder->header_capacity);
		buffer_append_text(&encoder->source, "/care360-lookup/");
		append_segment(&encoder->source, options->group_id);
	}
	if (encoder == NULL || encoder->headers == NULL || encoder->source.failed) {
		result_encoder_free(encoder);
		error_memory(err);
		return NULL;
	}
	return encoder;
}

void result_encoder_free(struct result_encoder *encoder)
{
	if (encoder == NULL)
		return;
	buffer_fini(&encoder->source);
	buffer_fini(&encoder->id);
	buffer_fini(&encoder->value);
	free(encoder->headers);
	free(encoder);
}

#define APPEND(buffer, literal) buffer_append((buffer), (literal), sizeof(literal) - 1)

static void append_error(struct buffer *value, const struct outcome *outcome)
{
	const char *message =
		outcome->message != NULL ? outcome->message : reason_message(outcome->reason);
	APPEND(value, ",\"error\":{\"reason\":");
	json_append_string(value, bytes_of_text(reason_name(outcome->reason)));
	APPEND(value, ",\"message\":");
	json_append_string(value, bytes_of_text(message));
	APPEND(value, ",\"retryable\":");
	buffer_append_text(value, reason_retryable(outcome->reason) ? "true" : "false");
	if (outcome->http_status != 0) {
		APPEND(value, ",\"httpStatus\":");
		buffer_append_integer(value, outcome->http_status);
		if (outcome->documented_code)
			APPEND(value, ",\"code\":\"CASE_ERROR\"");
	}
	APPEND(value, "}");
}

static void append_outcome(struct buffer *value, const struct outcome *outcome)
{
	bool found = outcome->reason == REASON_NONE;
	if (found) {
		APPEND(value, ",\"outcome\":\"found\",\"caseId\":");
		json_append_string(value, bytes_of_text(outcome->case_id));
	} else {
		APPEND(value, ",\"outcome\":\"error\"");
	}
	APPEND(value, ",\"attempts\":");
	buffer_append_integer(value, outcome->attempts);
	if (!found)
		append_error(value, outcome);
}

static void append_record(struct buffer *value, const struct record *record)
{
	APPEND(value, ",\"request\":{\"topic\":");
	json_append_string(value, bytes_of_text(record->topic));
	APPEND(value, ",\"partition\":");
	buffer_append_integer(value, record->partition);
	APPEND(value, ",\"offset\":");
	buffer_append_integer(value, record->offset);
	if (record->timestamp_ms < 0) {
		APPEND(value, ",\"timestamp\":null}");
		return;
	}
	char timestamp[RFC3339_SIZE];
	rfc3339_format(record->timestamp_ms, timestamp);
	APPEND(value, ",\"timestamp\":\"");
	buffer_append(value, timestamp, RFC3339_SIZE - 1);
	APPEND(value, "\"}");
}

/* The frame is written as it stands, since its names and numbers need no escaping. */
static void encode_value(struct result_encoder *encoder, const struct event *event)
{
	struct buffer *value = &encoder->value;
	buffer_clear(value);
	APPEND(value, "{\"requestId\":");
	if (event->request != NULL && event->request->id.data != NULL)
		buffer_append_bytes(value, event->request->id);
	else
		APPEND(value, "null");
	append_outcome(value, &event->outcome);
	if (event->record.topic != NULL)
		append_record(value, &event->record);
	APPEND(value, ",\"completedAt\":\"");
	buffer_append(value, encoder->completed, RFC3339_SIZE - 1);
	APPEND(value, "\"}");
}

/* The same for a request every time, so that a consumer can drop a repeat. */
static void encode_id(struct result_encoder *encoder, const struct record *record)
{
	struct buffer *id = &encoder->id;
	buffer_clear(id);
	buffer_append_text(id, record->topic);
	APPEND(id, "/");
	buffer_append_integer(id, record->partition);
	APPEND(id, "/");
	buffer_append_integer(id, record->offset);
}

static bool is_forwarded(const struct result_encoder *encoder, struct bytes name)
{
	for (size_t i = 0; i < encoder->options.forward_count; i++)
		if (bytes_equal_nocase(name, encoder->options.forward[i]))
			return true;
	return false;
}

static void add_header(struct result_encoder *encoder, struct result *result, struct bytes name,
	struct bytes value)
{
	encoder->headers[result->header_count++] = (struct header){name, value};
}

/* Those of CloudEvents' binary mode, and the mark of a replay. */
static void add_fixed_headers(
	struct result_encoder *encoder, struct result *result, const struct event *event)
{
	bool found = event->outcome.reason == REASON_NONE;
	add_header(encoder, result, BYTES("content-type"), BYTES("application/json"));
	add_header(encoder, result, BYTES("ce_specversion"), BYTES("1.0"));
	add_header(encoder, result, BYTES("ce_id"), buffer_bytes(&encoder->id));
	add_header(encoder, result, BYTES("ce_source"), buffer_bytes(&encoder->source));
	add_header(encoder, result, BYTES("ce_type"),
		found ? BYTES(RESULT_TYPE_FOUND) : BYTES(RESULT_TYPE_ERROR));
	add_header(encoder, result, BYTES("ce_time"),
		(struct bytes){encoder->completed, RFC3339_SIZE - 1});
	struct bytes replay_of = record_header(&event->record, BYTES(RESULT_REPLAY_OF));
	if (replay_of.data == NULL)
		return;
	if (replay_of.length <= REPLAY_OF_MAX)
		add_header(encoder, result, BYTES(RESULT_REPLAY_OF), replay_of);
	else
		result->headers_dropped++;
}

static void add_forwarded_headers(
	struct result_encoder *encoder, struct result *result, const struct record *record)
{
	size_t total = 0;
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		if (!is_forwarded(encoder, header->name))
			continue;
		size_t size = header->name.length + header->value.length;
		if (size > RESULT_FORWARDED_MAX - total) {
			result->headers_dropped++;
			continue;
		}
		total += size;
		add_header(encoder, result, header->name, header->value);
	}
}

/* Makes room for the fixed headers and all that a record may have. */
static bool reserve_headers(struct result_encoder *encoder, const struct record *record)
{
	size_t needed = FIXED_HEADERS + record->header_count;
	if (needed <= encoder->header_capacity)
		return true;
	struct header *headers = reallocarray(encoder->headers, needed, sizeof(*headers));
	if (headers == NULL)
		return false;
	encoder->headers = headers;
	encoder->header_capacity = needed;
	return true;
}

bool result_encode(struct result_encoder *encoder, const struct event *event,
	enum result_extent extent, int64_t completed_ms, struct result *ret_result,
	struct error *err)
{
	const struct record *record = &event->record;
	if (!reserve_headers(encoder, record))
		return error_memory(err);
	struct result result = {0};
	rfc3339_format(completed_ms, encoder->completed);
	encode_value(encoder, event);
	if (record->topic != NULL) {
		encode_id(encoder, record);
		add_fixed_headers(encoder, &result, event);
		if (extent == RESULT_WHOLE)
			add_forwarded_headers(encoder, &result, record);
	}
	if (encoder->value.failed || encoder->id.failed)
		return error_memory(err);
	if (encoder->options.with_key && extent != RESULT_BARE)
		result.key = record->key;
	result.value = buffer_bytes(&encoder->value);
	result.headers = encoder->headers;
	*ret_result = result;
	return true;
}
