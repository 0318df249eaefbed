#include "core/error_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/result.h"

static void put_tree(struct json_object **tree)
{
	json_object_put(*tree);
}

/* The member of that type; NULL and err where there is none. `of` names the object, for people. */
static struct json_object *member(struct json_object *object, const char *of, const char *name,
	enum json_type type, struct error *err)
{
	struct json_object *value = json_object_object_get(object, name);
	if (json_object_is_type(value, type))
		return value;
	error_set(err, "%s%s: not of the type that results have", of, name);
	return NULL;
}

static bool is_topic(struct bytes name)
{
	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];
		bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
		if (!legal)
			return false;
	}
	return name.length > 0 && name.length <= TOPIC_NAME_MAX;
}

/* A number from 0 to `most`, written the one way in which it is written in a place. */
static bool is_number(struct bytes text, int64_t most)
{
	int64_t number = 0;
	for (size_t i = 0; i < text.length; i++) {
		int digit = text.data[i] - '0';
		if (digit < 0 || digit > 9 || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	return text.length == 1 || (text.length > 1 && text.data[0] != '0');
}

/* What stands behind the last slash, which is cut off with it. */
static struct bytes cut_last(struct bytes *text)
{
	size_t at = text->length;
	while (at > 0 && text->data[at - 1] != '/')
		at--;
	struct bytes last = {text->data + at, text->length - at};
	text->length = at > 0 ? at - 1 : 0;
	return last;
}

bool is_place(struct bytes text)
{
	if (text.length > TOPIC_NAME_MAX + sizeof("/2147483647/9223372036854775807") - 1)
		return false;
	struct bytes offset = cut_last(&text);
	struct bytes partition = cut_last(&text);
	return is_number(offset, INT64_MAX) && is_number(partition, INT32_MAX) && is_topic(text);
}

static bool read_number(struct json_object *request, const char *name, int64_t most,
	int64_t *ret_number, struct error *err)
{
	struct json_object *value = member(request, "request.", name, json_type_int, err);
	int64_t number = value == NULL ? -1 : json_object_get_int64(value);
	if (value != NULL && (number < 0 || number > most))
		return error_set(err, "request.%s: out of range", name);
	*ret_number = number;
	return value != NULL;
}

static bool read_time(struct json_object *object, const char *of, const char *name,
	int64_t *ret_wall_ms, struct error *err)
{
	struct json_object *value = member(object, of, name, json_type_string, err);
	if (value == NULL)
		return false;
	return rfc3339_parse(json_string_bytes(value), ret_wall_ms) ||
	       error_set(err, "%s%s: not a time", of, name);
}

/* The record's time, which is null where it had none. */
static bool read_timestamp(
	struct json_object *request, int64_t *ret_timestamp_ms, struct error *err)
{
	struct json_object *value = NULL;
	if (json_object_object_get_ex(request, "timestamp", &value) && value == NULL) {
		*ret_timestamp_ms = -1;
		return true;
	}
	return read_time(request, "request.", "timestamp", ret_timestamp_ms, err);
}

static bool read_request(struct json_object *tree, struct error_event *event, struct error *err)
{
	struct json_object *request = member(tree, "", "request", json_type_object, err);
	if (request == NULL)
		return false;
	struct json_object *topic = member(request, "request.", "topic", json_type_string, err);
	if (topic == NULL)
		return false;
	struct bytes name = json_string_bytes(topic);
	if (!is_topic(name))
		return error_set(err, "request.topic: not a topic's name");
	memcpy(event->topic, name.data, name.length);
	event->topic[name.length] = '\0';
	int64_t partition = 0;
	if (!read_number(request, "partition", INT32_MAX, &partition, err) ||
		!read_number(request, "offset", INT64_MAX, &event->offset, err))
		return false;
	event->partition = (int32_t)partition;
	return read_timestamp(request, &event->timestamp_ms, err);
}

static bool read_reason(struct json_object *tree, enum reason *ret_reason, struct error *err)
{
	struct json_object *error = member(tree, "", "error", json_type_object, err);
	if (error == NULL)
		return false;
	struct json_object *reason = member(error, "error.", "reason", json_type_string, err);
	if (reason == NULL)
		return false;
	*ret_reason = reason_named(json_string_bytes(reason));
	return true;
}

/* Two witnesses for the same record: what differs was not made by this service. */
static bool check_id(
	const struct record *record, const struct error_event *event, struct error *err)
{
	char place[TOPIC_NAME_MAX + 40];
	snprintf(place, sizeof(place), "%s/%" PRId32 "/%" PRId64, event->topic, event->partition,
		event->offset);
	return bytes_equal(record_header(record, BYTES("ce_id")), bytes_of_text(place)) ||
	       error_set(err, "ce_id: not the place that `request` names");
}

enum error_event_kind error_event_read(const struct record *record, struct json_reader *reader,
	struct error_event *ret_event, struct error *err)
{
	if (!bytes_equal(record_header(record, BYTES("ce_type")), BYTES(RESULT_TYPE_ERROR)))
		return ERROR_EVENT_NONE;
	CLEANUP(put_tree) struct json_object *tree = json_read_object(reader, record->value, err);
	if (tree == NULL)
		return json_reader_out_of_memory(reader) ? ERROR_EVENT_NO_MEMORY
							 : ERROR_EVENT_MALFORMED;
	struct error_event event = {0};
	if (json_reader_had_huge_integer(reader)) {
		error_set(err, "an integer that does not fit 64 bits");
		return ERROR_EVENT_MALFORMED;
	}
	if (!read_reason(tree, &event.reason, err) || !read_request(tree, &event, err) ||
		!read_time(tree, "", "completedAt", &event.completed_ms, err) ||
		!check_id(record, &event, err))
		return ERROR_EVENT_MALFORMED;
	struct bytes first = record_header(record, BYTES(RESULT_REPLAY_OF));
	if (is_place(first))
		event.first = first;
	*ret_event = event;
	return ERROR_EVENT_READ;
}
