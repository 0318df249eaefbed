#include "core/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct json_reader *reader;

static int start(void **state)
{
	(void)state;
	reader = json_reader_new(REPLY_JSON_DEPTH, NULL);
	return reader == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	json_reader_free(reader);
	return 0;
}

static struct verdict classify(int status, const char *body, const char *retry_after)
{
	struct reply reply = {.transport = REPLY_HTTP,
		.status = status,
		.body = bytes_of_text(body),
		.retry_after = bytes_of_text(retry_after)};
	struct verdict verdict;
	memset(&verdict, 0x5a, sizeof(verdict));
	reply_classify(&reply, reader, &verdict);
	return verdict;
}

/* The documented 400 with a text of `error`. */
static struct verdict classify_error(const char *error)
{
	struct buffer body = {0};
	buffer_append_text(&body, "{\"status\": 400, \"success\": false, \"message\": \"Invalid "
				  "case data\", \"error\": ");
	json_append_string(&body, bytes_of_text(error));
	buffer_append_text(&body, ", \"code\": \"CASE_ERROR\"}");
	struct verdict verdict = classify(400, buffer_text(&body), NULL);
	buffer_fini(&body);
	return verdict;
}

static void finds_the_case_id_of_the_documented_200(void **state)
{
	(void)state;
	struct verdict verdict = classify(200,
		"{\"status\": 200, \"success\": true, "
		"\"case\": {\"id\": \"e1e3f5c1-6f12-4e0d-a442-7a9ff31319da\"}}",
		NULL);
	assert_int_equal(verdict.kind, VERDICT_FOUND);
	assert_string_equal(verdict.case_id, "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da");
	assert_int_equal(verdict.reason, REASON_NONE);
	assert_false(verdict.unclassified);
	assert_false(verdict.documented_code);
	assert_null(verdict.message);
	assert_true(verdict_documented(&verdict));
}

static void does_not_insist_on_what_it_does_not_need(void **state)
{
	(void)state;
	static const char *const bodies[] = {"{\"case\":{\"id\":\"c\"}}",
		"{\"case\":{\"id\":\"c\",\"more\":[1,{}]},\"status\":201,\"new\":null}",
		" {\"success\":true,\"case\":{\"id\":\"c\"}}\n"};
	for (size_t i = 0; i < array_length(bodies); i++) {
		struct verdict verdict = classify(200, bodies[i], NULL);
		assert_int_equal(verdict.kind, VERDICT_FOUND);
		assert_string_equal(verdict.case_id, "c");
	}
}

static void is_bad_reply(const struct verdict *verdict, const char *what)
{
	if (verdict->kind != VERDICT_FAILED || verdict->reason != REASON_BAD_REPLY ||
		verdict->cause != RETRY_BAD_REPLY || verdict->unclassified ||
		verdict->case_id[0] != '\0' || verdict_documented(verdict))
		fail_msg("%s: kind %d, reason %d", what, (int)verdict->kind, (int)verdict->reason);
}

static void a_200_of_another_shape_is_a_bad_reply(void **state)
{
	(void)state;
	static const char *const bodies[] = {NULL, "", "<html>gateway</html>", "null", "[]", "{}",
		"{\"case\":null}", "{\"case\":\"c\"}", "{\"case\":[{\"id\":\"c\"}]}",
		"{\"case\":{}}", "{\"case\":{\"id\":null}}", "{\"case\":{\"id\":5}}",
		"{\"case\":{\"id\":\"\"}}", "{\"case\":{\"id\":\"a\\nb\"}}",
		"{\"case\":{\"id\":\"a\\u0000b\"}}", "{\"case\":{\"id\":\"\\u0000\"}}",
		"{\"case\":{\"id\":\"\\u0080\"}}", "{\"case\":{\"ID\":\"c\"}}", "{\"id\":\"c\"}",
		"{\"success\":false,\"case\":{\"id\":\"c\"}}",
		"{\"success\":null,\"case\":{\"id\":\"c\"}}",
		"{\"success\":\"true\",\"case\":{\"id\":\"c\"}}",
		"{\"success\":1,\"case\":{\"id\":\"c\"}}", "{\"case\":{\"id\":\"c\",\"id\":\"d\"}}",
		"{\"case\":{\"id\":\"c\"},\"case\":{\"id\":\"d\"}}", "{\"case\":{\"id\":\"c\"}",
		"{\"case\":{\"id\":\"\xff\"}}", "{\"case\":{\"id\":\"c\"}} x"};
	for (size_t i = 0; i < array_length(bodies); i++) {
		struct verdict verdict = classify(200, bodies[i], NULL);
		is_bad_reply(&verdict, bodies[i] == NULL ? "no body" : bodies[i]);
	}
}

static void takes_case_ids_up_to_their_limit(void **state)
{
	(void)state;
	char id[CASE_ID_MAX + 2];
	memset(id, 'x', sizeof(id));
	for (int length = CASE_ID_MAX; length <= CASE_ID_MAX + 1; length++) {
		char body[CASE_ID_MAX + 64];
		snprintf(body, sizeof(body), "{\"case\":{\"id\":\"%.*s\"}}", length, id);
		struct verdict verdict = classify(200, body, NULL);
		if (length > CASE_ID_MAX) {
			is_bad_reply(&verdict, "too long");
			continue;
		}
		assert_int_equal(verdict.kind, VERDICT_FOUND);
		assert_int_equal(strlen(verdict.case_id), CASE_ID_MAX);
	}
}

static void other_2xx_and_impossible_statuses_are_bad_replies(void **state)
{
	(void)state;
	static const int all[] = {
		201, 202, 204, 206, 299, 0, -1, 100, 101, 199, 600, 999, INT32_MAX};
	for (size_t i = 0; i < array_length(all); i++) {
		struct verdict verdict = classify(all[i], "{\"case\":{\"id\":\"c\"}}", NULL);
		is_bad_reply(&verdict, "status");
	}
}

static void tells_the_documented_400s_apart(void **state)
{
	(void)state;
	static const struct {
		const char *error;
		enum verdict_kind kind;
		enum reason reason;
		bool answered;
	} cases[] = {
		{"No Case found for provided details!", VERDICT_ANSWERED, REASON_CASE_NOT_FOUND,
			true},
		{"Email id not provided!", VERDICT_ANSWERED, REASON_EMAIL_MISSING, true},
		{"Secret key not provided!", VERDICT_CREDENTIALS, REASON_NONE, false},
		{"Organization with [0f3a] not found!", VERDICT_CREDENTIALS, REASON_NONE, false},
		{"Organization with  not found!", VERDICT_CREDENTIALS, REASON_NONE, false},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		struct verdict verdict = classify_error(cases[i].error);
		assert_int_equal(verdict.kind, cases[i].kind);
		assert_int_equal(verdict.reason, cases[i].reason);
		assert_int_equal(verdict_documented(&verdict), cases[i].answered);
		assert_true(verdict.documented_code);
		assert_false(verdict.unclassified);
		if (cases[i].answered)
			assert_string_equal(verdict.message, cases[i].error);
		else
			assert_null(verdict.message);
	}
}

static void is_unclassified(const struct verdict *verdict, const char *what)
{
	if (verdict->kind != VERDICT_FAILED || verdict->reason != REASON_REJECTED ||
		verdict->cause != RETRY_OTHER || !verdict->unclassified || verdict->message != NULL)
		fail_msg("%s: kind %d, reason %d", what, (int)verdict->kind, (int)verdict->reason);
}

static void a_400_with_another_text_is_unclassified(void **state)
{
	(void)state;
	static const char *const errors[] = {"", "no case found for provided details!",
		"No Case found for provided details", "No Case found for provided details! ",
		"xNo Case found for provided details!", "Email id not provided", "Secret key",
		"Organization with not found!", "Organization with [x] not found",
		"The Organization with [x] not found!", "Organization with "};
	for (size_t i = 0; i < array_length(errors); i++) {
		struct verdict verdict = classify_error(errors[i]);
		is_unclassified(&verdict, errors[i]);
		assert_true(verdict.documented_code);
	}
}

static void a_400_that_cannot_be_read_is_unclassified(void **state)
{
	(void)state;
	static const char *const bodies[] = {NULL, "", "Bad Request", "{}", "[]",
		"\"No Case found for provided details!\"", "{\"error\":null}",
		"{\"error\":[\"Email id not provided!\"]}",
		"{\"message\":\"Email id not provided!\"}",
		"{\"error\":\"Email id not provided!\",\"error\":\"Secret key not provided!\"}",
		"{\"error\":\"Email id not provided!\",\"a\":1,\"a\":2}",
		"{\"error\":\"Email id not provided!\"",
		"{\"error\":\"Email id not provided!\\u0000\"}"};
	for (size_t i = 0; i < array_length(bodies); i++) {
		struct verdict verdict = classify(400, bodies[i], NULL);
		is_unclassified(&verdict, bodies[i] == NULL ? "no body" : bodies[i]);
		assert_false(verdict.documented_code);
	}
}

static void the_text_of_error_alone_decides_a_400(void **state)
{
	(void)state;
	static const char *const codes[] = {"", ",\"code\":\"OTHER\"", ",\"code\":5",
		",\"code\":\"CASE_ERROR\\u0000\"", ",\"code\":\"case_error\""};
	for (size_t i = 0; i < array_length(codes); i++) {
		char body[128];
		snprintf(body, sizeof(body), "{\"error\":\"Email id not provided!\"%s}", codes[i]);
		struct verdict verdict = classify(400, body, NULL);
		assert_int_equal(verdict.kind, VERDICT_ANSWERED);
		assert_int_equal(verdict.reason, REASON_EMAIL_MISSING);
		assert_false(verdict.documented_code);
	}
}

static void each_status_has_its_fate(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *retry_after;
		enum verdict_kind kind;
		enum reason reason;
		enum retry_cause cause;
		bool unclassified;
	} cases[] = {
		{300, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{301, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{399, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{401, NULL, VERDICT_CREDENTIALS, REASON_NONE, RETRY_OTHER, false},
		{402, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{403, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{404, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{405, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{406, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{407, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{408, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_OTHER, false},
		{409, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{410, NULL, VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false},
		{413, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{414, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{422, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{425, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_OTHER, false},
		{429, NULL, VERDICT_REFUSED, REASON_NONE, RETRY_STATUS_429, false},
		{429, "5", VERDICT_REFUSED, REASON_NONE, RETRY_STATUS_429, false},
		{431, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{499, NULL, VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true},
		{500, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_STATUS_5XX, false},
		{500, "5", VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_STATUS_5XX, false},
		{503, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_STATUS_5XX, false},
		{503, "5", VERDICT_REFUSED, REASON_NONE, RETRY_STATUS_5XX, false},
		{503, "", VERDICT_REFUSED, REASON_NONE, RETRY_STATUS_5XX, false},
		{504, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_STATUS_5XX, false},
		{599, NULL, VERDICT_FAILED, REASON_API_UNAVAILABLE, RETRY_STATUS_5XX, false},
	};
	/* The body must not matter, not even one that is documented for another status. */
	static const char *const bodies[] = {NULL, "<html>", "{\"case\":{\"id\":\"c\"}}",
		"{\"error\":\"No Case found for provided details!\"}"};
	for (size_t i = 0; i < array_length(cases); i++)
		for (size_t j = 0; j < array_length(bodies); j++) {
			struct verdict verdict =
				classify(cases[i].status, bodies[j], cases[i].retry_after);
			if (verdict.kind != cases[i].kind || verdict.reason != cases[i].reason ||
				verdict.cause != cases[i].cause ||
				verdict.unclassified != cases[i].unclassified)
				fail_msg("%d, body %zu", cases[i].status, j);
			assert_false(verdict_documented(&verdict));
			assert_string_equal(verdict.case_id, "");
			assert_null(verdict.message);
		}
}

static void what_is_no_reply_is_an_api_that_is_unavailable(void **state)
{
	(void)state;
	static const struct {
		enum reply_transport transport;
		enum retry_cause cause;
	} cases[] = {{REPLY_TIMEOUT, RETRY_TIMEOUT}, {REPLY_UNRESOLVED, RETRY_CONNECT},
		{REPLY_CONNECT, RETRY_CONNECT}, {REPLY_TLS, RETRY_TLS}, {REPLY_TLS_TIME, RETRY_TLS},
		{REPLY_TLS_NAME, RETRY_TLS}, {REPLY_TLS_ISSUER, RETRY_TLS},
		{REPLY_OTHER, RETRY_OTHER}};
	for (size_t i = 0; i < array_length(cases); i++) {
		/* A status and half a body may have come before it broke. */
		struct reply reply = {.transport = cases[i].transport,
			.status = 200,
			.body = BYTES("{\"case\":{\"id\":\"c\"}}")};
		struct verdict verdict;
		reply_classify(&reply, reader, &verdict);
		assert_int_equal(verdict.kind, VERDICT_FAILED);
		assert_int_equal(verdict.reason, REASON_API_UNAVAILABLE);
		assert_int_equal(verdict.cause, cases[i].cause);
		assert_string_equal(verdict.case_id, "");
	}
}

static void a_body_too_long_leaves_the_status_to_decide(void **state)
{
	(void)state;
	struct reply reply = {.transport = REPLY_BODY_TOO_LONG,
		.status = 200,
		.body = BYTES("{\"case\":{\"id\":\"c\"}}")};
	struct verdict verdict;
	reply_classify(&reply, reader, &verdict);
	is_bad_reply(&verdict, "200");
	reply.status = 400;
	reply.body = BYTES("{\"error\":\"Email id not provided!\"}");
	reply_classify(&reply, reader, &verdict);
	is_unclassified(&verdict, "400");
	reply.status = 429;
	reply_classify(&reply, reader, &verdict);
	assert_int_equal(verdict.kind, VERDICT_REFUSED);
	reply.status = 404;
	reply_classify(&reply, reader, &verdict);
	assert_int_equal(verdict.kind, VERDICT_ENDPOINT);
	reply.status = 502;
	reply_classify(&reply, reader, &verdict);
	assert_int_equal(verdict.reason, REASON_API_UNAVAILABLE);
}

static void names_each_cause_once(void **state)
{
	(void)state;
	for (enum retry_cause a = 0; a < RETRY_CAUSE_COUNT; a++)
		for (enum retry_cause b = a + 1; b < RETRY_CAUSE_COUNT; b++)
			assert_string_not_equal(retry_cause_name(a), retry_cause_name(b));
	assert_string_equal(retry_cause_name(RETRY_STATUS_429), "status_429");
}

static void describes_a_reply_without_a_word_of_it(void **state)
{
	(void)state;
	static const struct {
		struct reply reply;
		const char *description;
	} cases[] = {
		{{.status = 503, .body = BYTES("secret")}, "HTTP 503"},
		{{.status = 200, .body = BYTES("secret")}, "HTTP 200 with an undocumented body"},
		{{.status = 299}, "HTTP 299 with an undocumented body"},
		{{.status = 300}, "HTTP 300"},
		{{.status = 199}, "HTTP 199"},
		{{.transport = REPLY_TIMEOUT}, "no reply in time"},
		{{.transport = REPLY_CONNECT}, "no connection, or it was cut"},
		{{.transport = REPLY_TLS}, "no secure connection"},
		{{.transport = REPLY_BODY_TOO_LONG, .status = 200}, "a reply that is too long"},
		{{.transport = REPLY_OTHER}, "no valid HTTP reply"},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		char text[80];
		reply_describe(&cases[i].reply, text, sizeof(text));
		assert_string_equal(text, cases[i].description);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_case_id_of_the_documented_200),
		cmocka_unit_test(does_not_insist_on_what_it_does_not_need),
		cmocka_unit_test(a_200_of_another_shape_is_a_bad_reply),
		cmocka_unit_test(takes_case_ids_up_to_their_limit),
		cmocka_unit_test(other_2xx_and_impossible_statuses_are_bad_replies),
		cmocka_unit_test(tells_the_documented_400s_apart),
		cmocka_unit_test(a_400_with_another_text_is_unclassified),
		cmocka_unit_test(a_400_that_cannot_be_read_is_unclassified),
		cmocka_unit_test(the_text_of_error_alone_decides_a_400),
		cmocka_unit_test(each_status_has_its_fate),
		cmocka_unit_test(what_is_no_reply_is_an_api_that_is_unavailable),
		cmocka_unit_test(a_body_too_long_leaves_the_status_to_decide),
		cmocka_unit_test(names_each_cause_once),
		cmocka_unit_test(describes_a_reply_without_a_word_of_it),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
