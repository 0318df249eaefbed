/*
 * An event: one lookup request on its way from the request topic to its acknowledged result.
 *
 * It is a copy of the Kafka record, in one block of memory, so that the record itself can be given
 * back at once. It belongs to one holder at a time: intake, then a worker's flow, then delivery,
 * which frees it when the broker has acknowledged its result.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/outcome.h"

/* A header of a Kafka record. */
struct header {
	struct bytes name;
	struct bytes value; /* may be absent */
};

/* A Kafka record as it was read. Whoever makes one owns what it points to. */
struct record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* -1 where it has none */
	struct bytes key;     /* may be absent */
	struct bytes value;   /* may be absent */
	const struct header *headers;
	size_t header_count;
};

/* Records of one partition, those with from <= offset < to. */
struct record_range {
	const char *topic;
	int32_t partition;
	int64_t from;
	int64_t to; /* INT64_MAX: to the end */
};

/* What is asked for, as request_parse() reads it; see core/request.h. */
struct request;

struct event {
	struct record record;
	size_t size; /* bytes of memory that it holds */

	/*
	 * The assignment of the partition it was read from, and its place in that assignment's
	 * offset tracker. Set by intake; flow only compares `source` with that of other events.
	 */
	void *source;
	uint64_t sequence;
	int64_t received_at; /* of the monotonic clock; set by intake */

	/* Set by flow: the request (malformed: what could be read, or NULL) and how it ends. */
	struct request *request;
	struct outcome outcome;

	/* Its place in the lists of its holder: of intake, of flow (see flow.c), or of delivery. */
	struct event *next, *prev;
	struct event *lane_next, *lane_prev;
	struct event *merged_next, *merged_prev;
	struct lane *lane;     /* flow: what keeps its order; NULL where nothing does */
	int extent;            /* delivery: how much of it the result repeats, enum result_extent */
	struct lookup *lookup; /* flow: the look-up it waits for; NULL once it has an outcome */
};

/*
 * Copies a record, with the headers whose names are among `keep` (compared without case); all else
 * is zero. `topic` is not copied: it must outlive the event. NULL and err when out of memory.
 */
struct event *event_new(const struct record *record, const struct bytes *keep, size_t keep_count,
	struct error *err);

/* Frees it with its request and its outcome. NULL is fine. */
void event_free(struct event *event);

/* The value of the first header of that name, compared without case; absent where there is none. */
struct bytes record_header(const struct record *record, struct bytes name);

#endif
