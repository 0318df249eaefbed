#include "demo_request.h"

#include <stdio.h>

#include "base/mem.h"

static const char *const names[] = {"ada", "grace", "alan", "edsger", "barbara", "donald",
	"margaret", "ken", "radia", "leslie", "frances", "tony", "hedy", "katherine", "niklaus",
	"zo\u00eb"};

/* How a request is wrapped. */
enum wrapping { PLAIN, BINARY, STRUCTURED };

/* What stands in a request, and what is shown of it; $k is its key, $n a name, $# its number, $4
 * the same in four digits. */
struct form {
	const char *value;
	const char *shown;
	enum wrapping wrapping;
};

static const struct form forms[] = {
	{"{\"requestId\": \"$k\", \"email\": \"$n.$#@example.org\"}", "$n.$#@example.org", PLAIN},
	{"{\"requestId\": \"$k\", \"phoneNumber\": \"+1555010$4\"}", "+1555010$4", PLAIN},
	{"{\"requestId\": \"$k\", \"email\": \"$n.$#@example.org\", \"phoneNumber\": "
	 "\"+1555010$4\"}",
		"$n.$#@example.org, +1555010$4", PLAIN},
	{"{\"requestId\": \"$k\", \"email\": \"nobody.$#@example.org\"}", "nobody.$#@example.org",
		PLAIN},
	{"{\"requestId\": $#, \"email\": \"$n+news@example.org\"}", "$n+news@example.org", PLAIN},
	{"{\"email\": \"$n.$#@example.org\"}", "$n.$#@example.org  (CloudEvent)", BINARY},
	{"{\"specversion\": \"1.0\", \"id\": \"$k\", \"source\": \"demo\", \"type\": \"lookup\", "
	 "\"data\": {\"phoneNumber\": \"+1555010$4\"}}",
		"+1555010$4  (CloudEvent)", STRUCTURED},
};

/* Every tenth cannot be looked up at all. */
static const struct form odd_forms[] = {
	{"{\"requestId\": \"$k\"}", "neither e-mail nor phone", PLAIN},
	{"{\"requestId\": \"$k\", \"email\": ", "JSON that breaks off", PLAIN},
	{"{\"requestId\": \"$k\", \"email\": 42}", "an e-mail that is a number", PLAIN},
};

static void fill(
	char *text, size_t size, const char *form, const char *key, const char *name, int number)
{
	CLEANUP(buffer_fini) struct buffer made = {0};
	for (const char *c = form; *c != '\0'; c++) {
		if (*c != '$') {
			buffer_append(&made, c, 1);
			continue;
		}
		c++;
		if (*c == 'k')
			buffer_append_text(&made, key);
		else if (*c == 'n')
			buffer_append_text(&made, name);
		else
			buffer_append_format(&made, "%0*d", *c == '4' ? 4 : 1, number);
	}
	snprintf(text, size, "%s", buffer_text(&made));
}

void demo_request_make(int number, struct demo_request *ret_request)
{
	struct demo_request *request = ret_request;
	const struct form *form = &forms[(size_t)number % array_length(forms)];
	if (number % 10 == 9)
		form = &odd_forms[(size_t)(number / 10) % array_length(odd_forms)];
	*request = (struct demo_request){0};
	snprintf(request->key, sizeof(request->key), "r-%d", number);
	const char *name = names[(size_t)number % array_length(names)];
	fill(request->value, sizeof(request->value), form->value, request->key, name, number);
	fill(request->shown, sizeof(request->shown), form->shown, request->key, name, number);
	if (form->wrapping == STRUCTURED)
		request->headers[request->header_count++] = (struct header){
			BYTES("content-type"), BYTES("application/cloudevents+json")};
	if (form->wrapping == BINARY) {
		request->headers[request->header_count++] =
			(struct header){BYTES("ce_specversion"), BYTES("1.0")};
		request->headers[request->header_count++] =
			(struct header){BYTES("ce_id"), bytes_of_text(request->key)};
	}
}
