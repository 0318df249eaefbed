/*
 * Replies: decides what a reply of the Care360 API, or the lack of one, says about a request.
 *
 * The table in reply.c is the contract's "What becomes of each case" in code; it follows the API's
 * documentation, whose four errors differ in the text of `error` alone. Nothing of a reply's text
 * leaves this module but the case ID.
 *
 * Of a 200 only what is needed must be there: a JSON object whose `case` has an `id`, a string of 1
 * to CASE_ID_MAX bytes without control characters. A `success` that is there and is not true
 * contradicts it: a bad reply. Of a 400 only the text of `error` decides.
 */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/json.h"
#include "core/outcome.h"

#define REPLY_BODY_MAX   65536 /* bytes of a body that are read; a longer one is a bad reply */
#define REPLY_JSON_DEPTH 32

/* How far an API request came. */
enum reply_transport {
	REPLY_HTTP,          /* a whole reply came: status and body count */
	REPLY_TIMEOUT,       /* nothing, or not all, in time */
	REPLY_UNRESOLVED,    /* no address for the API's name */
	REPLY_CONNECT,       /* no connection, or it was cut or reset */
	REPLY_TLS,           /* no secure connection, for another reason than these: */
	REPLY_TLS_TIME,      /* the certificate is past its time, or before it */
	REPLY_TLS_NAME,      /* the certificate is for another host */
	REPLY_TLS_ISSUER,    /* the certificate is of an authority that is not trusted */
	REPLY_BODY_TOO_LONG, /* a reply with more than REPLY_BODY_MAX bytes of body */
	REPLY_OTHER,         /* not HTTP, a broken transfer, header flood ... */
};

/* One reply, as the HTTP client saw it. What it points to is the client's and soon gone. */
struct reply {
	enum reply_transport transport;
	int status; /* 0 where none came */
	struct bytes body;
	struct bytes retry_after; /* the header's value; absent: none */
};

/* What a reply is a sign of. */
enum verdict_kind {
	VERDICT_FOUND,       /* documented: the case ID */
	VERDICT_ANSWERED,    /* documented: an error that is about the event */
	VERDICT_FAILED,      /* undocumented: counts against its event once there is a witness */
	VERDICT_REFUSED,     /* too many requests: no attempt, no failure */
	VERDICT_CREDENTIALS, /* the API key is refused: never about the event */
	VERDICT_ENDPOINT,    /* this is not the API: 3xx, 403, 404, 405, 410 */
};

/* Why a request is made again: the label values of care360_lookup_retries_total. */
enum retry_cause {
	RETRY_STATUS_429,
	RETRY_STATUS_5XX,
	RETRY_TIMEOUT,
	RETRY_CONNECT,
	RETRY_TLS,
	RETRY_BAD_REPLY,
	RETRY_OTHER,
	RETRY_CAUSE_COUNT
};

struct verdict {
	enum verdict_kind kind;

	/* ANSWERED: of the error event; FAILED, ENDPOINT: should it end as one. */
	enum reason reason;

	enum retry_cause cause; /* neither FOUND nor ANSWERED */

	/* No row of the table names this reply: counted, so that a change of the API is seen. */
	bool unclassified;

	bool documented_code; /* the body had "code": "CASE_ERROR" */
	const char *message;  /* ANSWERED: the documented text, living as long as the program */
	char case_id[CASE_ID_MAX + 1]; /* FOUND */
};

/* Whether the reply is one of those the API documents for a request as such: a witness. */
bool verdict_documented(const struct verdict *verdict);

/* Decides. `reader` was made with REPLY_JSON_DEPTH; only its user's thread may call this. */
void reply_classify(
	const struct reply *reply, struct json_reader *reader, struct verdict *ret_verdict);

/* What the reply was, as part of a sentence: "HTTP 503", "no reply in time". */
void reply_describe(const struct reply *reply, char *text, size_t size);

/* "status_429" and so on, as metrics and logs name them. */
const char *retry_cause_name(enum retry_cause cause);

#endif
