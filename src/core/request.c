#include "core/request.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define SCHEMA_PREFIX 5 /* a zero and a four-byte schema id, as Confluent's serializers write */

enum form {
	FORM_PLAIN,
	FORM_STRUCTURED,  /* a CloudEvent around the request */
	FORM_BINARY,      /* a CloudEvent whose attributes are the record's headers */
	FORM_UNSUPPORTED, /* Avro, a batch, or CloudEvents in another format */
};

/* What was read so far. Its slices point into the record and the reader. */
struct draft {
	struct json_reader *reader;
	struct bytes fallback; /* a CloudEvent's id, which serves where there is no requestId */
	struct bytes id;       /* a requestId that is a string */
	struct bytes number;   /* a requestId that is an integer */
	struct bytes email;
	struct bytes phone;
	bool malformed; /* *err has the first mistake */
	struct error *err;
};

/* Of several mistakes the first is reported. `where` names the member or header that has it. */
static void mistake(struct draft *draft, const char *where, const char *what)
{
	if (!draft->malformed)
		error_set(draft->err, "%s: %s", where, what);
	draft->malformed = true;
}

/* A content type without its parameters. */
static struct bytes media_type(struct bytes content_type)
{
	size_t length = 0;
	while (length < content_type.length && content_type.data[length] != ';')
		length++;
	return bytes_trimmed((struct bytes){content_type.data, length});
}

/* Whether `part` stands somewhere in `whole`, without regard to case. */
static bool contains_nocase(struct bytes whole, struct bytes part)
{
	for (size_t i = 0; i + part.length <= whole.length; i++)
		if (bytes_equal_nocase((struct bytes){whole.data + i, part.length}, part))
			return true;
	return false;
}

static enum form form_of(const struct record *record)
{
	struct bytes type = media_type(record_header(record, BYTES("content-type")));
	if (bytes_equal_nocase(type, BYTES("application/cloudevents+json")))
		return FORM_STRUCTURED;
	if (contains_nocase(type, BYTES("application/cloudevents")) ||
		contains_nocase(type, BYTES("avro")))
		return FORM_UNSUPPORTED;
	if (record_header(record, BYTES("ce_specversion")).data != NULL)
		return FORM_BINARY;
	return FORM_PLAIN;
}

static bool is_version_1(struct bytes specversion)
{
	return bytes_start_with(specversion, BYTES("1."));
}

static struct bytes string_member(
	const struct draft *draft, struct json_value object, const char *name)
{
	return json_string(draft->reader, json_member(draft->reader, object, name));
}

/* Reads a CloudEvent; returns its data, absent where that is no object. */
static struct json_value read_cloudevent(struct draft *draft, struct json_value event)
{
	draft->fallback = string_member(draft, event, "id");
	if (draft->fallback.length == 0) {
		draft->fallback = (struct bytes){0};
		mistake(draft, "id", "not a string, or empty");
	}
	if (!is_version_1(string_member(draft, event, "specversion")))
		mistake(draft, "specversion", "not 1.x");
	enum json_kind base64 = json_member(draft->reader, event, "data_base64").kind;
	if (base64 != JSON_ABSENT && base64 != JSON_NULL)
		mistake(draft, "data_base64", "not supported");
	struct json_value data = json_member(draft->reader, event, "data");
	if (data.kind == JSON_OBJECT)
		return data;
	mistake(draft, "data", "not an object");
	return (struct json_value){0};
}

/* Takes a string as the id, if it is fit to be one. */
static void take_id(struct draft *draft, const char *where, struct bytes text)
{
	if (text.length > REQUEST_ID_MAX)
		mistake(draft, where, "too long");
	else if (!json_is_utf8(text))
		mistake(draft, where, "invalid UTF-8");
	else if (json_has_control(text))
		mistake(draft, where, "a control character");
	else
		draft->id = text;
}

/* `data` may be absent: then only a CloudEvent's id can be there. */
static void read_id(struct draft *draft, struct json_value data, const char *fallback_name)
{
	struct json_value value = json_member(draft->reader, data, "requestId");
	switch (value.kind) {
	case JSON_ABSENT:
	case JSON_NULL:
		if (draft->fallback.data != NULL)
			take_id(draft, fallback_name, draft->fallback);
		break;
	case JSON_STRING:
		take_id(draft, "requestId", json_string(draft->reader, value));
		break;
	case JSON_INTEGER:
		draft->number = value.text;
		break;
	case JSON_NUMBER:
		mistake(draft, "requestId", "not an integer of 64 bits");
		break;
	default:
		mistake(draft, "requestId", "neither a string nor an integer");
		break;
	}
}

static struct bytes read_identity(struct draft *draft, struct json_value data, const char *name)
{
	struct json_value value = json_member(draft->reader, data, name);
	if (value.kind == JSON_ABSENT || value.kind == JSON_NULL)
		return (struct bytes){0};
	if (value.kind != JSON_STRING) {
		mistake(draft, name, "not a string");
		return (struct bytes){0};
	}
	struct bytes text = json_string(draft->reader, value);
	if (text.length > REQUEST_IDENTITY_MAX)
		mistake(draft, name, "too long");
	else if (json_has_control(text))
		mistake(draft, name, "a control character");
	return text.length == 0 ? (struct bytes){0} : text;
}

static struct bytes without_schema_prefix(struct bytes value)
{
	if (value.length < SCHEMA_PREFIX || value.data[0] != '\0')
		return value;
	return (struct bytes){value.data + SCHEMA_PREFIX, value.length - SCHEMA_PREFIX};
}

/* Reads the object that holds the three members; absent where there is none. */
static struct json_value read_value(
	struct draft *draft, const struct record *record, enum form form)
{
	struct json_value object = {0};
	struct error why;
	if (form == FORM_UNSUPPORTED)
		mistake(draft, "content-type", "Avro, a batch, or not JSON");
	else if (!json_read(draft->reader, without_schema_prefix(record->value), &object, &why))
		mistake(draft, "value", why.text);
	else if (form == FORM_STRUCTURED)
		return read_cloudevent(draft, object);
	return object;
}

/* Reads the record. What it found is valid until the reader reads another. */
static void read_record(struct draft *draft, const struct record *record)
{
	enum form form = form_of(record);
	struct bytes version = record_header(record, BYTES("ce_specversion"));
	if (form != FORM_STRUCTURED && version.data != NULL) {
		struct bytes id = record_header(record, BYTES("ce_id"));
		if (id.length > 0)
			draft->fallback = id;
		if (!is_version_1(version))
			mistake(draft, "ce_specversion", "not 1.x");
	}
	struct json_value data = read_value(draft, record, form);
	read_id(draft, data, form == FORM_STRUCTURED ? "id" : "ce_id");
	draft->email = read_identity(draft, data, "email");
	draft->phone = read_identity(draft, data, "phoneNumber");
}

/* Whether a text is part of the record's value, and so lives as long as the record. */
static bool is_part(const struct record *record, struct bytes text)
{
	uintptr_t from = (uintptr_t)record->value.data;
	uintptr_t at = (uintptr_t)text.data;
	return text.length > 0 && at >= from && at < from + record->value.length;
}

static size_t packed_length(const struct record *record, struct bytes text)
{
	return is_part(record, text) ? 0 : text.length;
}

/* Copies to *to and moves it on, unless the record has it anyway. */
static struct bytes pack_text(const struct record *record, struct bytes text, char **to)
{
	return is_part(record, text) ? text : bytes_pack(text, to);
}

/* An id has no control characters, so two characters have to be escaped. */
static bool is_escaped(char c)
{
	return c == '"' || c == '\\';
}

static size_t quoted_length(struct bytes text)
{
	size_t length = text.length + 2;
	for (size_t i = 0; i < text.length; i++)
		length += is_escaped(text.data[i]) ? 1 : 0;
	return length;
}

/* The same as a JSON string. */
static struct bytes pack_quoted(struct bytes text, char **to)
{
	char *start = *to;
	char *at = start;
	*at++ = '"';
	for (size_t i = 0; i < text.length; i++) {
		if (is_escaped(text.data[i]))
			*at++ = '\\';
		*at++ = text.data[i];
	}
	*at++ = '"';
	*to = at;
	return (struct bytes){start, (size_t)(at - start)};
}

/* Makes the request; NULL without memory. */
static struct request *pack(const struct draft *draft, const struct record *record)
{
	bool has_id = draft->id.data != NULL;
	size_t size = sizeof(struct request) + packed_length(record, draft->number) +
		      packed_length(record, draft->id) + (has_id ? quoted_length(draft->id) : 0) +
		      packed_length(record, draft->email) + packed_length(record, draft->phone);
	struct request *request = malloc(size);
	if (request == NULL)
		return NULL;
	char *to = (char *)(request + 1);
	*request = (struct request){.id_text = pack_text(record, draft->id, &to)};
	request->id = has_id ? pack_quoted(draft->id, &to) : pack_text(record, draft->number, &to);
	request->email = pack_text(record, draft->email, &to);
	request->phone = pack_text(record, draft->phone, &to);
	return request;
}

enum request_problem request_parse(const struct record *record, struct json_reader *reader,
	struct request **ret_request, struct error *err)
{
	struct draft draft = {.reader = reader, .err = err};
	read_record(&draft, record);
	if (json_reader_out_of_memory(reader)) {
		error_memory(err);
		return REQUEST_NO_MEMORY;
	}
	if (draft.malformed) {
		draft.email = (struct bytes){0};
		draft.phone = (struct bytes){0};
	}
	bool has_id = draft.id.data != NULL || draft.number.data != NULL;
	bool has_identity = draft.email.data != NULL || draft.phone.data != NULL;
	struct request *request = NULL;
	if (has_id || has_identity) {
		request = pack(&draft, record);
		if (request == NULL) {
			error_memory(err);
			return REQUEST_NO_MEMORY;
		}
	}
	*ret_request = request;
	if (draft.malformed)
		return REQUEST_MALFORMED;
	return has_identity ? REQUEST_FINE : REQUEST_IDENTITY_MISSING;
}
