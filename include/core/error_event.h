/*
 * Error events: reads back what the service has published about a request that failed.
 *
 * They stand among the results, or in a topic of their own, and other services may have put other
 * records there: only what carries the `ce_type` of section 3 of the contract is one.
 */
#ifndef CORE_ERROR_EVENT_H
#define CORE_ERROR_EVENT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/event.h"
#include "core/json.h"
#include "core/outcome.h"

#define ERROR_EVENT_JSON_DEPTH 8

#define TOPIC_NAME_MAX 249 /* bytes; Kafka's own limit */

/* What an error event says, as far as somebody needs it who wants to try again. */
struct error_event {
	enum reason reason;   /* REASON_COUNT: one that this version does not know */
	int64_t completed_ms; /* when the request failed */
	struct bytes first;   /* RESULT_REPLAY_OF, in the record; absent: not of a replay */
	char topic[TOPIC_NAME_MAX + 1]; /* where the request stands that failed */
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* of the request's record; -1: it has none */
};

enum error_event_kind {
	ERROR_EVENT_READ,
	ERROR_EVENT_NONE,      /* something else, such as a found case */
	ERROR_EVENT_MALFORMED, /* says that it is one, and is not */
	ERROR_EVENT_NO_MEMORY,
};

/*
 * Reads a record. `reader` was made with ERROR_EVENT_JSON_DEPTH. ret_event is set where there is
 * one. err: for the last two, why, without a byte of the value.
 */
enum error_event_kind error_event_read(const struct record *record, struct json_reader *reader,
	struct error_event *ret_event, struct error *err);

/* Whether it is the place of a record, "<topic>/<partition>/<offset>", as `ce_id` has it. */
bool is_place(struct bytes text);

#endif
