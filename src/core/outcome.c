#include "core/outcome.h"

static const struct {
	const char *name;
	bool retryable;
	const char *message;
} reasons[REASON_COUNT] = {
	[REASON_NONE] = {"", false, ""},
	[REASON_CASE_NOT_FOUND] = {"case_not_found", false,
		"The API has no case for these details."},
	[REASON_EMAIL_MISSING] = {"email_missing", false, "The API asks for an e-mail address."},
	[REASON_IDENTITY_MISSING] = {"identity_missing", false,
		"The request has neither an e-mail address nor a phone number."},
	[REASON_MALFORMED_EVENT] = {"malformed_event", false,
		"The event is not a well-formed look-up request."},
	[REASON_REJECTED] = {"rejected", false,
		"The API rejected the request in a way that its documentation does not name."},
	[REASON_BAD_REPLY] = {"bad_reply", false,
		"The API's replies to this request did not have the documented form."},
	[REASON_API_UNAVAILABLE] = {"api_unavailable", true,
		"The API failed to answer this request, while it answered others."},
	[REASON_RESULT_TOO_LARGE] = {"result_too_large", false,
		"The result was larger than its topic allows."},
};

const char *reason_name(enum reason reason)
{
	return reasons[reason].name;
}

enum reason reason_named(struct bytes name)
{
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		if (bytes_equal(name, bytes_of_text(reasons[reason].name)))
			return (enum reason)reason;
	return REASON_COUNT;
}

bool reason_retryable(enum reason reason)
{
	return reasons[reason].retryable;
}

const char *reason_message(enum reason reason)
{
	return reasons[reason].message;
}
