/*
 * Answer: a reply that is well-formed HTTP, before it is sent: the documented ones, and those of a
 * gateway in front of the API.
 */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "base/bytes.h"

/* Start one as `struct answer answer = {0};`, end it with answer_fini(). */
struct answer {
	int status;
	const char *content_type;
	struct buffer body;
	char *retry_after; /* NULL: no such header */
	char *location;    /* the same */
	const char *allow; /* the same */
};

void answer_fini(struct answer *answer);

/* 200 and the id of the case. */
void answer_found(struct answer *answer, struct bytes id);

/* 400 in the documented shape, with this text as its `error`. */
void answer_case_error(struct answer *answer, const char *text);

/* The documented 400 to a key that is not the right one: the text holds the key's SHA-256. */
void answer_key_invalid(struct answer *answer, const char *key);

/* What is not documented: a status with a JSON or an HTML body, as gateways send it. */
void answer_status(struct answer *answer, int status, bool html);

/* The usual name of a status. */
const char *answer_reason(int status);

#endif
