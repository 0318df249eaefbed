#include "core/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SCHEMA_PREFIX 5 /* a zero and a four-byte schema id, as Confluent's serializers write */

enum form {
	FORM_PLAIN,
	FORM_STRUCTURED,  /* a CloudEvent around the request */
	FORM_BINARY,      /* a CloudEvent whose attributes are the record's headers */
	FORM_UNSUPPORTED, /* Avro, a batch, or CloudEvents in another format */
};

/* What was read so far. Its slices point into the record and the tree. */
struct draft {
	struct json_reader *reader;
	struct bytes fallback; /* a CloudEvent's id, which serves where there is no requestId */
	struct bytes id;       /* a requestId that is a string */
	char number[24];       /* a requestId that is an integer; "": none */
	struct bytes email;
	struct bytes phone;
	bool out_of_memory;
	bool malformed; /* *err has the first mistake */
	struct error *err;
};

static void put_tree(struct json_object **tree)
{
	json_object_put(*tree);
}

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

/* The value of a member as a string, absent where it is none. */
static struct bytes string_member(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);
	if (!json_object_is_type(value, json_type_string))
		return (struct bytes){0};
	return json_string_bytes(value);
}

/* Reads a CloudEvent; returns its data, NULL where that is no object. */
static struct json_object *read_cloudevent(struct draft *draft, struct json_object *tree)
{
	draft->fallback = string_member(tree, "id");
	if (draft->fallback.length == 0) {
		draft->fallback = (struct bytes){0};
		mistake(draft, "id", "not a string, or empty");
	}
	if (!is_version_1(string_member(tree, "specversion")))
		mistake(draft, "specversion", "not 1.x");
	if (json_object_object_get(tree, "data_base64") != NULL)
		mistake(draft, "data_base64", "not supported");
	struct json_object *data = json_object_object_get(tree, "data");
	if (json_object_is_type(data, json_type_object))
		return data;
	mistake(draft, "data", "not an object");
	return NULL;
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

static void read_integer_id(struct draft *draft, struct json_object *value)
{
	int64_t number = json_object_get_int64(value);
	uint64_t unsigned_number = json_object_get_uint64(value);
	bool at_the_edge = number == INT64_MIN || unsigned_number == UINT64_MAX;
	if (at_the_edge && json_reader_had_huge_integer(draft->reader))
		mistake(draft, "requestId", "not an integer of 64 bits");
	else if (number < 0)
		snprintf(draft->number, sizeof(draft->number), "%" PRId64, number);
	else
		snprintf(draft->number, sizeof(draft->number), "%" PRIu64, unsigned_number);
}

/* `data` may be NULL: then only a CloudEvent's id can be there. */
static void read_id(struct draft *draft, struct json_object *data, const char *fallback_name)
{
	struct json_object *value = json_object_object_get(data, "requestId");
	switch (json_object_get_type(value)) {
	case json_type_null:
		if (draft->fallback.data != NULL)
			take_id(draft, fallback_name, draft->fallback);
		break;
	case json_type_string:
		take_id(draft, "requestId", json_string_bytes(value));
		break;
	case json_type_int:
		read_integer_id(draft, value);
		break;
	default:
		mistake(draft, "requestId", "neither a string nor an integer");
		break;
	}
}

static struct bytes read_identity(struct draft *draft, struct json_object *data, const char *name)
{
	struct json_object *value = json_object_object_get(data, name);
	struct bytes text = {0};
	if (value == NULL)
		return text;
	if (!json_object_is_type(value, json_type_string)) {
		mistake(draft, name, "not a string");
		return text;
	}
	text = json_string_bytes(value);
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

/* Reads the object that holds the three members; NULL where there is none. */
static struct json_object *read_value(struct draft *draft, const struct record *record,
	enum form form, struct json_object **ret_tree)
{
	if (form == FORM_UNSUPPORTED) {
		mistake(draft, "content-type", "Avro, a batch, or not JSON");
		return NULL;
	}
	struct error why;
	*ret_tree = json_read_object(draft->reader, without_schema_prefix(record->value), &why);
	draft->out_of_memory = json_reader_out_of_memory(draft->reader);
	if (*ret_tree == NULL)
		mistake(draft, "value", why.text);
	else if (form == FORM_STRUCTURED)
		return read_cloudevent(draft, *ret_tree);
	return *ret_tree;
}

/* Reads the record. What it found is valid as long as the record and *ret_tree are. */
static void read_record(
	struct draft *draft, const struct record *record, struct json_object **ret_tree)
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
	struct json_object *data = read_value(draft, record, form, ret_tree);
	read_id(draft, data, form == FORM_STRUCTURED ? "id" : "ce_id");
	draft->email = read_identity(draft, data, "email");
	draft->phone = read_identity(draft, data, "phoneNumber");
}

/* Copies to *to and moves it on. */
static struct bytes pack_text(struct bytes text, char **to)
{
	if (text.data == NULL)
		return text;
	struct bytes packed = {*to, text.length};
	if (text.length > 0)
		memcpy(*to, text.data, text.length);
	*to += text.length;
	return packed;
}

/* The same as a JSON string. An id has no control characters, so two have to be escaped. */
static struct bytes pack_quoted(struct bytes text, char **to)
{
	char *start = *to;
	char *at = start;
	*at++ = '"';
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			*at++ = '\\';
		*at++ = text.data[i];
	}
	*at++ = '"';
	*to = at;
	return (struct bytes){start, (size_t)(at - start)};
}

/* Makes the request; NULL without memory. */
static struct request *pack(const struct draft *draft)
{
	size_t size = sizeof(struct request) + sizeof(draft->number) + draft->id.length * 3 + 2 +
		      draft->email.length + draft->phone.length;
	struct request *request = malloc(size);
	if (request == NULL)
		return NULL;
	char *to = (char *)(request + 1);
	*request = (struct request){.id_text = pack_text(draft->id, &to)};
	if (draft->id.data != NULL)
		request->id = pack_quoted(draft->id, &to);
	else if (draft->number[0] != '\0')
		request->id = pack_text(bytes_of_text(draft->number), &to);
	request->email = pack_text(draft->email, &to);
	request->phone = pack_text(draft->phone, &to);
	return request;
}

enum request_problem request_parse(const struct record *record, struct json_reader *reader,
	struct request **ret_request, struct error *err)
{
	struct draft draft = {.reader = reader, .err = err};
	CLEANUP(put_tree) struct json_object *tree = NULL;
	read_record(&draft, record, &tree);
	if (draft.out_of_memory) {
		error_memory(err);
		return REQUEST_NO_MEMORY;
	}
	if (draft.malformed) {
		draft.email = (struct bytes){0};
		draft.phone = (struct bytes){0};
	}
	bool has_id = draft.id.data != NULL || draft.number[0] != '\0';
	bool has_identity = draft.email.data != NULL || draft.phone.data != NULL;
	struct request *request = NULL;
	if (has_id || has_identity) {
		request = pack(&draft);
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
