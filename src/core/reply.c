#include "core/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What becomes of a reply. */
struct fate {
	enum verdict_kind kind;
	enum reason reason;
	enum retry_cause cause;
	bool unclassified;
};

#define ANSWERED(reason)                                                                           \
	{                                                                                          \
		VERDICT_ANSWERED, (reason), RETRY_OTHER, false                                     \
	}
#define CREDENTIALS                                                                                \
	{                                                                                          \
		VERDICT_CREDENTIALS, REASON_NONE, RETRY_OTHER, false                               \
	}
#define ENDPOINT                                                                                   \
	{                                                                                          \
		VERDICT_ENDPOINT, REASON_REJECTED, RETRY_OTHER, false                              \
	}
#define BAD_REPLY                                                                                  \
	{                                                                                          \
		VERDICT_FAILED, REASON_BAD_REPLY, RETRY_BAD_REPLY, false                           \
	}
#define UNAVAILABLE(cause)                                                                         \
	{                                                                                          \
		VERDICT_FAILED, REASON_API_UNAVAILABLE, (cause), false                             \
	}
#define REFUSED(cause)                                                                             \
	{                                                                                          \
		VERDICT_REFUSED, REASON_NONE, (cause), false                                       \
	}
#define UNCLASSIFIED                                                                               \
	{                                                                                          \
		VERDICT_FAILED, REASON_REJECTED, RETRY_OTHER, true                                 \
	}

/* Where no whole reply came. */
static const struct fate transports[] = {
	[REPLY_TIMEOUT] = UNAVAILABLE(RETRY_TIMEOUT),
	[REPLY_UNRESOLVED] = UNAVAILABLE(RETRY_CONNECT),
	[REPLY_CONNECT] = UNAVAILABLE(RETRY_CONNECT),
	[REPLY_TLS] = UNAVAILABLE(RETRY_TLS),
	[REPLY_TLS_TIME] = UNAVAILABLE(RETRY_TLS),
	[REPLY_TLS_NAME] = UNAVAILABLE(RETRY_TLS),
	[REPLY_TLS_ISSUER] = UNAVAILABLE(RETRY_TLS),
	[REPLY_OTHER] = UNAVAILABLE(RETRY_OTHER),
};

/* Replies with a status. The first row that fits counts; the last one fits all. */
static const struct {
	int from;
	int to;
	bool retry_after; /* only with that header */
	struct fate fate;
} statuses[] = {
	{200, 299, false, BAD_REPLY}, /* a documented 200 was seen before */
	{300, 399, false, ENDPOINT},
	{401, 401, false, CREDENTIALS},
	{403, 405, false, ENDPOINT},
	{408, 408, false, UNAVAILABLE(RETRY_OTHER)},
	{410, 410, false, ENDPOINT},
	{425, 425, false, UNAVAILABLE(RETRY_OTHER)},
	{429, 429, false, REFUSED(RETRY_STATUS_429)},
	{400, 499, false, UNCLASSIFIED}, /* a documented 400 was seen before */
	{503, 503, true, REFUSED(RETRY_STATUS_5XX)},
	{500, 599, false, UNAVAILABLE(RETRY_STATUS_5XX)},
	{INT32_MIN, INT32_MAX, false, BAD_REPLY},
};

/* The documented 400s: all of the text of `error`, or what stands before and after the key's hash.
 */
static const struct {
	const char *text;
	const char *after; /* NULL: `text` is all of it */
	struct fate fate;
} errors[] = {
	{"No Case found for provided details!", NULL, ANSWERED(REASON_CASE_NOT_FOUND)},
	{"Email id not provided!", NULL, ANSWERED(REASON_EMAIL_MISSING)},
	{"Secret key not provided!", NULL, CREDENTIALS},
	{"Organization with ", " not found!", CREDENTIALS},
};

static const char *const cause_names[RETRY_CAUSE_COUNT] = {
	[RETRY_STATUS_429] = "status_429",
	[RETRY_STATUS_5XX] = "status_5xx",
	[RETRY_TIMEOUT] = "timeout",
	[RETRY_CONNECT] = "connect",
	[RETRY_TLS] = "tls",
	[RETRY_BAD_REPLY] = "bad_reply",
	[RETRY_OTHER] = "other",
};

static void apply(struct verdict *verdict, const struct fate *fate)
{
	verdict->kind = fate->kind;
	verdict->reason = fate->reason;
	verdict->cause = fate->cause;
	verdict->unclassified = fate->unclassified;
}

/* Whether the body is that of a documented 200; the verdict then has its case ID. */
static bool take_case(struct verdict *verdict, struct json_reader *reader, struct json_value body)
{
	struct json_value success = json_member(reader, body, "success");
	if (success.kind != JSON_ABSENT && !bytes_equal(success.text, BYTES("true")))
		return false;
	struct json_value found = json_member(reader, body, "case");
	struct bytes id = json_string(reader, json_member(reader, found, "id"));
	if (id.length == 0 || id.length > CASE_ID_MAX || json_has_control(id))
		return false;
	verdict->kind = VERDICT_FOUND;
	memcpy(verdict->case_id, id.data, id.length);
	return true;
}

static bool error_fits(struct bytes error, const char *text, const char *after)
{
	if (after == NULL)
		return bytes_equal(error, bytes_of_text(text));
	return error.length >= strlen(text) + strlen(after) &&
	       bytes_start_with(error, bytes_of_text(text)) &&
	       bytes_end_with(error, bytes_of_text(after));
}

/* Whether the body is that of a documented 400; the verdict then says which. */
static bool take_error(struct verdict *verdict, struct json_reader *reader, struct json_value body)
{
	struct bytes error = json_string(reader, json_member(reader, body, "error"));
	if (error.data == NULL)
		return false;
	for (size_t i = 0; i < array_length(errors); i++) {
		if (!error_fits(error, errors[i].text, errors[i].after))
			continue;
		apply(verdict, &errors[i].fate);
		if (verdict->kind == VERDICT_ANSWERED)
			verdict->message = errors[i].text;
		return true;
	}
	return false;
}

static void take_status(struct verdict *verdict, const struct reply *reply)
{
	for (size_t i = 0; i < array_length(statuses); i++) {
		if (reply->status < statuses[i].from || reply->status > statuses[i].to ||
			(statuses[i].retry_after && reply->retry_after.data == NULL))
			continue;
		apply(verdict, &statuses[i].fate);
		return;
	}
}

bool verdict_documented(const struct verdict *verdict)
{
	return verdict->kind == VERDICT_FOUND || verdict->kind == VERDICT_ANSWERED;
}

void reply_classify(
	const struct reply *reply, struct json_reader *reader, struct verdict *ret_verdict)
{
	struct verdict verdict = {0};
	struct json_value body = {0};
	switch (reply->transport) {
	case REPLY_TIMEOUT:
	case REPLY_UNRESOLVED:
	case REPLY_CONNECT:
	case REPLY_TLS:
	case REPLY_TLS_TIME:
	case REPLY_TLS_NAME:
	case REPLY_TLS_ISSUER:
	case REPLY_OTHER:
		apply(&verdict, &transports[reply->transport]);
		*ret_verdict = verdict;
		return;
	case REPLY_HTTP:
		json_read(reader, reply->body, &body, NULL);
		break;
	case REPLY_BODY_TOO_LONG:
		break;
	}
	struct bytes code = json_string(reader, json_member(reader, body, "code"));
	verdict.documented_code = bytes_equal(code, BYTES("CASE_ERROR"));
	bool documented = (reply->status == 200 && take_case(&verdict, reader, body)) ||
			  (reply->status == 400 && take_error(&verdict, reader, body));
	if (!documented && reply->transport == REPLY_HTTP && json_reader_out_of_memory(reader))
		apply(&verdict, &transports[REPLY_OTHER]); /* our own want, not the reply's */
	else if (!documented)
		take_status(&verdict, reply);
	*ret_verdict = verdict;
}

const char *retry_cause_name(enum retry_cause cause)
{
	return cause_names[cause];
}

void reply_describe(const struct reply *reply, char *text, size_t size)
{
	static const char *const without_reply[] = {
		[REPLY_TIMEOUT] = "no reply in time",
		[REPLY_UNRESOLVED] = "its host name has no address",
		[REPLY_CONNECT] = "no connection, or it was cut",
		[REPLY_TLS] = "no secure connection",
		[REPLY_TLS_TIME] = "its certificate has expired or is not valid yet",
		[REPLY_TLS_NAME] = "its certificate is for another host name",
		[REPLY_TLS_ISSUER] = "its certificate is of an authority that is not trusted",
		[REPLY_BODY_TOO_LONG] = "a reply that is too long",
		[REPLY_OTHER] = "no valid HTTP reply",
	};
	if (reply->transport != REPLY_HTTP)
		snprintf(text, size, "%s", without_reply[reply->transport]);
	else if (reply->status >= 200 && reply->status < 300)
		snprintf(text, size, "HTTP %d with an undocumented body", reply->status);
	else
		snprintf(text, size, "HTTP %d", reply->status);
}
