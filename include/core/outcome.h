/*
 * Outcomes: the ways in which a request can end, and their names in result events and metrics.
 */
#ifndef CORE_OUTCOME_H
#define CORE_OUTCOME_H

#include <stdbool.h>

#include "base/bytes.h"

/* Why a request ended with an error event. The order is that of the table in outcome.c. */
enum reason {
	REASON_NONE, /* it did not: a case was found */
	REASON_CASE_NOT_FOUND,
	REASON_EMAIL_MISSING,
	REASON_IDENTITY_MISSING,
	REASON_MALFORMED_EVENT,
	REASON_REJECTED,
	REASON_BAD_REPLY,
	REASON_API_UNAVAILABLE,
	REASON_RESULT_TOO_LARGE,
	REASON_COUNT
};

/* The longest case ID that is passed on; a longer one is a bad reply. Documented are UUIDs (36). */
#define CASE_ID_MAX 256

struct outcome {
	enum reason reason;
	char *case_id;        /* found: text with a zero at its end, owned; NULL otherwise */
	const char *message;  /* error: a sentence that lives as long as the program */
	int http_status;      /* of the reply that decided; 0 where there was none */
	bool documented_code; /* the reply had the documented code, CASE_ERROR */
	unsigned attempts;    /* API requests that counted; 0 where none was made */
};

/* "case_not_found" and so on; "" for REASON_NONE. */
const char *reason_name(enum reason reason);

/* The reason of that name; REASON_COUNT: there is none. */
enum reason reason_named(struct bytes name);

/* Whether the same request may fare better later. */
bool reason_retryable(enum reason reason);

/* The service's own sentence for a reason, used where the reply has no documented text. */
const char *reason_message(enum reason reason);

#endif
