/*
 * Requests in their four forms: what is read is fit to be asked for and echoed, json-c reads the
 * same, and a request means the same in every form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/request.h"
#include "fuzz.h"

/* What came of a record. */
struct outcome_of {
	enum request_problem problem;
	struct request *request;
	struct error err;
};

static void outcome_fini(struct outcome_of *outcome)
{
	free(outcome->request);
}

static struct outcome_of parse(const struct record *record)
{
	struct outcome_of outcome = {0};
	struct json_reader *reader = json_reader_new(REQUEST_JSON_DEPTH, NULL);
	REQUIRE(reader != NULL);
	outcome.problem = request_parse(record, reader, &outcome.request, &outcome.err);
	json_reader_free(reader);
	return outcome;
}

static void check_identity(struct bytes text)
{
	if (text.data == NULL)
		return;
	REQUIRE(text.length >= 1 && text.length <= REQUEST_IDENTITY_MAX);
	REQUIRE(fuzz_is_utf8(text));
	REQUIRE(!fuzz_has_control(text));
}

/* The id is a JSON text: a string of a fit length, or an integer. */
static void check_id(const struct request *request)
{
	if (request->id.data == NULL) {
		REQUIRE(request->id_text.data == NULL);
		return;
	}
	CLEANUP(buffer_fini) struct buffer text = {0};
	buffer_append_text(&text, "{\"id\":");
	buffer_append_bytes(&text, request->id);
	buffer_append_text(&text, "}");
	CLEANUP(fuzz_put) struct json_object *tree = fuzz_json_c(buffer_bytes(&text));
	REQUIRE(tree != NULL && json_object_object_length(tree) == 1);
	struct json_object *id = json_object_object_get(tree, "id");
	if (json_object_is_type(id, json_type_int)) {
		REQUIRE(request->id_text.data == NULL);
		return;
	}
	REQUIRE(bytes_equal(fuzz_string_member(tree, "id"), request->id_text));
	REQUIRE(request->id_text.length <= REQUEST_ID_MAX);
	REQUIRE(!fuzz_has_control(request->id_text));
}

/* A mistake is named in words of the service's own: in ASCII, short, on one line. */
static void check_sentence(const struct error *err)
{
	struct bytes text = bytes_of_text(err->text);
	REQUIRE(text.length > 0 && text.length < 120);
	for (size_t i = 0; i < text.length; i++)
		REQUIRE(text.data[i] >= ' ' && text.data[i] < 0x7f && text.data[i] != '@');
}

static void check_outcome(const struct outcome_of *outcome)
{
	const struct request *request = outcome->request;
	REQUIRE(outcome->problem != REQUEST_NO_MEMORY);
	if (outcome->problem == REQUEST_MALFORMED)
		check_sentence(&outcome->err);
	if (request == NULL) {
		REQUIRE(outcome->problem != REQUEST_FINE);
		return;
	}
	bool identity = request->email.data != NULL || request->phone.data != NULL;
	REQUIRE(identity == (outcome->problem == REQUEST_FINE));
	check_identity(request->email);
	check_identity(request->phone);
	check_id(request);
}

static struct bytes without_prefix(struct bytes value)
{
	bool prefixed = value.length >= 5 && value.data[0] == '\0';
	return prefixed ? (struct bytes){value.data + 5, value.length - 5} : value;
}

/* What is taken to be a request is one to json-c too, with the same e-mail and phone number. */
static void check_agreement(const struct record *record, const struct request *request)
{
	CLEANUP(fuzz_put) struct json_object *tree = fuzz_json_c(without_prefix(record->value));
	REQUIRE(json_object_is_type(tree, json_type_object));
	/* Other CloudEvents than structured ones are malformed, and not here. */
	CLEANUP(free_pointer)
	char *type = fuzz_text(record_header(record, BYTES("content-type")));
	type[strcspn(type, ";")] = '\0';
	bool structured = strcasestr(type, "application/cloudevents") != NULL;
	struct json_object *data = structured ? json_object_object_get(tree, "data") : tree;
	struct bytes email = fuzz_string_member(data, "email");
	struct bytes phone = fuzz_string_member(data, "phoneNumber");
	REQUIRE(email.length == request->email.length);
	REQUIRE(email.length == 0 || bytes_equal(email, request->email));
	REQUIRE(phone.length == request->phone.length);
	REQUIRE(phone.length == 0 || bytes_equal(phone, request->phone));
}

static void check_same(const struct outcome_of *a, const struct outcome_of *b, bool same_id)
{
	REQUIRE(a->problem == b->problem);
	REQUIRE(a->request != NULL || !same_id || b->request == NULL);
	if (a->request == NULL)
		return;
	REQUIRE(bytes_equal(a->request->email, b->request->email));
	REQUIRE(bytes_equal(a->request->phone, b->request->phone));
	if (same_id)
		REQUIRE(bytes_equal(a->request->id, b->request->id));
}

/* The same value behind a schema prefix. */
static void check_prefixed(const struct record *record, const struct outcome_of *outcome)
{
	struct bytes value = record->value;
	if (value.data == NULL || (value.length > 0 && value.data[0] == '\0'))
		return;
	CLEANUP(buffer_fini) struct buffer prefixed = {0};
	buffer_append(&prefixed, "\0\0\0\0\7", 5);
	buffer_append_bytes(&prefixed, value);
	struct record other = *record;
	other.value = buffer_bytes(&prefixed);
	CLEANUP(outcome_fini) struct outcome_of again = parse(&other);
	check_same(outcome, &again, true);
}

/* A plain request as a CloudEvent, binary and structured. */
static void check_cloudevents(const struct record *record, const struct outcome_of *outcome)
{
	static const struct header binary[] = {
		{BYTES("ce_specversion"), BYTES("1.0")}, {BYTES("CE_ID"), BYTES("e-1")}};
	static const struct header structured[] = {
		{BYTES("Content-Type"), BYTES("Application/CloudEvents+JSON; charset=utf-8")}};
	struct record other = *record;
	bool has_id = outcome->request != NULL && outcome->request->id.data != NULL;
	other.headers = binary;
	other.header_count = array_length(binary);
	CLEANUP(outcome_fini) struct outcome_of again = parse(&other);
	check_same(outcome, &again, has_id);

	CLEANUP(buffer_fini) struct buffer event = {0};
	buffer_append_text(&event, "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"data\":");
	buffer_append_bytes(&event, without_prefix(record->value));
	buffer_append_text(&event, "}");
	other.headers = structured;
	other.header_count = array_length(structured);
	other.value = buffer_bytes(&event);
	CLEANUP(outcome_fini) struct outcome_of third = parse(&other);
	if (strstr(third.err.text, "nested too deeply") == NULL)
		check_same(outcome, &third, has_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_record input;
	fuzz_record_read((struct bytes){(const char *)data, size}, &input);
	CLEANUP(outcome_fini) struct outcome_of outcome = parse(&input.record);
	check_outcome(&outcome);
	if (outcome.problem == REQUEST_FINE)
		check_agreement(&input.record, outcome.request);
	check_prefixed(&input.record, &outcome);
	if (input.record.header_count == 0 && outcome.problem != REQUEST_MALFORMED)
		check_cloudevents(&input.record, &outcome);
	return 0;
}
