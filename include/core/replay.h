/*
 * Replays: decides which requests are published again, from what is read of the topics.
 *
 * A request that is published again goes into the partition that it came from, with the header
 * RESULT_REPLAY_OF, which names the first original however often it is replayed. So the request
 * topics themselves know what was replayed, and no state is kept anywhere else: a request was
 * replayed where a record of its partition, later than the one that failed, names the same first
 * original. A replay that failed in turn is later than itself, so it counts as a failure of its own
 * and may be replayed like any other; of a request that failed several times only the last failure
 * is replayed. Retention cannot hide a replay and leave its original, since it removes the older
 * first.
 *
 * The caller reads, in this order:
 * 1. the topic with error events, each record to replay_look();
 * 2. replay_mark_ranges() of the request topics, each record to replay_mark();
 * 3. replay_original_ranges(), each record to replay_take(), which says whether to publish it.
 *
 * For one thread.
 */
#ifndef CORE_REPLAY_H
#define CORE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/event.h"
#include "core/outcome.h"

/* Which error events count. What it points to must outlive the replay. */
struct replay_filter {
	bool reasons[REASON_COUNT];
	int64_t since_ms; /* of when the request failed, the wall clock's time: from then on ... */
	int64_t until_ms; /* ... and before then */
	const char *const *topics; /* the request topics: nothing is published to others */
	size_t topic_count;
};

/* What becomes of a request. */
enum replay_fate {
	REPLAY_CHOSEN,    /* to be replayed; after the originals were read: not there any more */
	REPLAY_BEFORE,    /* was replayed before */
	REPLAY_READ,      /* its original is there */
	REPLAY_SENT,      /* by the caller: on its way to the broker */
	REPLAY_PUBLISHED, /* by the caller: acknowledged */
	REPLAY_REPLACED,  /* another record has its place: the topic was deleted and made anew */
	REPLAY_FATES
};

/* A request that failed. */
struct replay_item {
	const char
		*topic; /* one of the filter's; where the record stands whose failure is the last */
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* of that record */
	int64_t failed_ms;    /* when */
	enum reason reason;   /* and why */
	const char *first;    /* the place of the first original, as RESULT_REPLAY_OF has it */
	enum replay_fate fate;
};

struct replay;

/* NULL and err when out of memory. */
struct replay *replay_new(const struct replay_filter *filter, struct error *err);
void replay_free(struct replay *replay);

enum replay_look {
	REPLAY_LOOK_CHOSEN,    /* an error event of a request that none was seen of before */
	REPLAY_LOOK_REPEAT,    /* another of the same request */
	REPLAY_LOOK_OTHER,     /* no error event, or not one that the filter wants */
	REPLAY_LOOK_ELSEWHERE, /* one that it wants, of a topic that is none of the request topics
				*/
	REPLAY_LOOK_MALFORMED, /* says that it is an error event, and is not; err says why */
	REPLAY_LOOK_NO_MEMORY,
};

/* Looks at a record of the topic with error events. */
enum replay_look replay_look(struct replay *replay, const struct record *record, struct error *err);

/*
 * What to read of the request topics in order to learn what was replayed before. The array is the
 * replay's and lasts until the next call for ranges; sorted by topic, partition and offset. NULL
 * and err when out of memory.
 */
const struct record_range *replay_mark_ranges(
	struct replay *replay, size_t *ret_count, struct error *err);

/* Looks at a record of a request topic: where it is a replay, what it replays was replayed. */
void replay_mark(struct replay *replay, const struct record *record);

/*
 * What to read in order to find the originals, likewise. Where fewer than `reach` records lie
 * between two of them, these are read too, since that costs less than to begin anew.
 */
const struct record_range *replay_original_ranges(
	struct replay *replay, int64_t reach, size_t *ret_count, struct error *err);

/* Looks at a record of a request topic. The item, now REPLAY_READ, where it is to be published
 * again; else NULL. */
struct replay_item *replay_take(struct replay *replay, const struct record *record);

/*
 * The headers of the record that replays `record`: all of its own but RESULT_REPLAY_OF, and one of
 * that. They are the replay's, and last until the next call. NULL and err when out of memory.
 */
const struct header *replay_headers(struct replay *replay, const struct record *record,
	const struct replay_item *item, size_t *ret_count, struct error *err);

/* All requests chosen, sorted by topic, partition and offset from replay_original_ranges() on. */
struct replay_item *const *replay_items(const struct replay *replay, size_t *ret_count);

#endif
