/*
 * Results: makes the record that answers a request, as section 3 of the contract has it.
 */
#ifndef CORE_RESULT_H
#define CORE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/event.h"

#define RESULT_FORWARDED_MAX 4096 /* bytes of forwarded headers, names and values, in all */

/* `ce_type` of a result that found a case, and of an error event. */
#define RESULT_TYPE_FOUND "care360.lookup.found.v1"
#define RESULT_TYPE_ERROR "care360.lookup.error.v1"

/* The header of a replayed request that its result has too. */
#define RESULT_REPLAY_OF "care360-replay-of"

/* How results are made. What it points to must outlive the encoder. */
struct result_options {
	const char *group_id;        /* for ce_source */
	const struct bytes *forward; /* names of the headers that are copied to the result */
	size_t forward_count;
	bool with_key; /* lookup.result_key = "request" */
};

struct result_encoder;

/* NULL and err when out of memory. An encoder is used by one thread at a time. */
struct result_encoder *result_encoder_new(const struct result_options *options, struct error *err);
void result_encoder_free(struct result_encoder *encoder);

/* How much of the request goes along: less where a result was too large for its topic. */
enum result_extent {
	RESULT_WHOLE,           /* key and forwarded headers */
	RESULT_WITHOUT_HEADERS, /* key, none of the forwarded headers */
	RESULT_BARE,            /* neither */
};

/* A result ready to be published, which lasts until the encoder's next one. */
struct result {
	struct bytes key;
	struct bytes value;
	const struct header *headers;
	size_t header_count;
	size_t headers_dropped; /* left out: beyond RESULT_FORWARDED_MAX, or an absurd replay-of */
};

/*
 * Encodes the result of an event whose outcome is set. `completed_ms` is the wall clock's time. The
 * event must have kept the headers that are forwarded, and RESULT_REPLAY_OF. Where its record has
 * no topic (a look-up that came from no record), the value has no `request` and there are no
 * headers.
 * False and err when out of memory.
 */
bool result_encode(struct result_encoder *encoder, const struct event *event,
	enum result_extent extent, int64_t completed_ms, struct result *ret_result,
	struct error *err);

#endif
