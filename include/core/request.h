/*
 * Requests: reads a lookup request out of a Kafka record, in any of its four forms.
 *
 * The forms, the limits and what counts as malformed are those of section 3 of the contract: a
 * plain JSON object; CloudEvents 1.x structured (`content-type: application/cloudevents+json`) and
 * binary (`ce_specversion`); each also behind Confluent's five-byte schema prefix. A content type
 * that is CloudEvents' own or Avro's decides; any other, known or not, leaves it to
 * `ce_specversion`.
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/event.h"
#include "core/json.h"

#define REQUEST_IDENTITY_MAX 1024 /* bytes of an e-mail address or a phone number */
#define REQUEST_ID_MAX       256  /* bytes of a requestId that is a string */
#define REQUEST_JSON_DEPTH   8

/* One block of memory; free() ends it. What is decoded may point into the record's value, which has
 * to outlive it. */
struct request {
	struct bytes id;      /* the requestId as JSON text, such as "r-1" or 42; absent: none */
	struct bytes id_text; /* the same decoded; absent: none, or a number */
	struct bytes email;   /* decoded; absent: none */
	struct bytes phone;   /* decoded; absent: none */
};

enum request_problem {
	REQUEST_FINE,
	REQUEST_MALFORMED,        /* no value, not JSON, wrong types, too long ... */
	REQUEST_IDENTITY_MISSING, /* well-formed, but with neither e-mail nor phone number */
	REQUEST_NO_MEMORY,
};

/*
 * Reads the request of a record. `reader` was made with REQUEST_JSON_DEPTH.
 *
 * ret_request: the request, the caller's to free. For the two problems that become an error event
 * it holds the requestId and nothing else, or is NULL where there is none that could be read. A
 * binary CloudEvent's `ce_id` is echoed even where the value is no JSON at all. Untouched without
 * memory.
 * err: for REQUEST_MALFORMED, which mistake it is, without a byte of the value.
 */
enum request_problem request_parse(const struct record *record, struct json_reader *reader,
	struct request **ret_request, struct error *err);

#endif
