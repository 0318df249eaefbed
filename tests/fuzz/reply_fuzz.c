/*
 * Replies of the API: only what is documented is a witness, and nothing of a reply leaves but a
 * case ID that is fit to be published.
 *
 * Input: a line with the status, and after a space Retry-After, if any; then the body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/reply.h"
#include "fuzz.h"

/* Found is what json-c, told to be strict, finds too. */
static void check_found(const struct reply *reply, const struct verdict *verdict)
{
	struct bytes id = bytes_of_text(verdict->case_id);
	REQUIRE(reply->status == 200);
	REQUIRE(id.length >= 1 && id.length <= CASE_ID_MAX);
	REQUIRE(fuzz_is_utf8(id) && !fuzz_has_control(id));
	CLEANUP(fuzz_put) struct json_object *body = fuzz_json_c(reply->body);
	REQUIRE(body != NULL);
	struct json_object *found = json_object_object_get(body, "case");
	REQUIRE(bytes_equal(fuzz_string_member(found, "id"), id));
}

/* The error's text is the documented one, letter for letter. */
static void check_answered(const struct reply *reply, const struct verdict *verdict)
{
	REQUIRE(reply->status == 400);
	REQUIRE(verdict->reason == REASON_CASE_NOT_FOUND ||
		verdict->reason == REASON_EMAIL_MISSING);
	CLEANUP(fuzz_put) struct json_object *body = fuzz_json_c(reply->body);
	REQUIRE(body != NULL && verdict->message != NULL);
	REQUIRE(bytes_equal(fuzz_string_member(body, "error"), bytes_of_text(verdict->message)));
}

static void check_verdict(const struct reply *reply, const struct verdict *verdict)
{
	REQUIRE(verdict->reason < REASON_COUNT && verdict->cause < RETRY_CAUSE_COUNT);
	REQUIRE(verdict_documented(verdict) ==
		(verdict->kind == VERDICT_FOUND || verdict->kind == VERDICT_ANSWERED));
	switch (verdict->kind) {
	case VERDICT_FOUND:
		check_found(reply, verdict);
		break;
	case VERDICT_ANSWERED:
		check_answered(reply, verdict);
		break;
	case VERDICT_FAILED:
		REQUIRE(verdict->reason == REASON_REJECTED || verdict->reason == REASON_BAD_REPLY ||
			verdict->reason == REASON_API_UNAVAILABLE);
		break;
	case VERDICT_REFUSED:
		REQUIRE(reply->status == 429 ||
			(reply->status == 503 && reply->retry_after.data != NULL));
		break;
	case VERDICT_CREDENTIALS:
		REQUIRE(reply->status == 401 || reply->status == 400);
		break;
	case VERDICT_ENDPOINT:
		REQUIRE(reply->status / 100 == 3 || reply->status / 100 == 4);
		break;
	}
	if (verdict->kind != VERDICT_FOUND)
		REQUIRE(verdict->case_id[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = {(const char *)data, size};
	struct bytes line = fuzz_take_line(&body);
	CLEANUP(free_pointer) char *first = fuzz_text(line);
	char *space = strchr(first, ' ');
	struct reply reply = {.transport = REPLY_HTTP, .body = body};
	reply.status = (int)(strtoul(first, NULL, 10) % 1000);
	if (space != NULL)
		reply.retry_after = bytes_of_text(space + 1);
	struct json_reader *reader = json_reader_new(REPLY_JSON_DEPTH, NULL);
	REQUIRE(reader != NULL);
	struct verdict verdict;
	reply_classify(&reply, reader, &verdict);
	json_reader_free(reader);
	check_verdict(&reply, &verdict);
	char text[80];
	reply_describe(&reply, text, sizeof(text));
	REQUIRE(strlen(text) < sizeof(text) - 1);
	return 0;
}
