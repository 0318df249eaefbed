#include "core/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/error_event.h"
#include "core/result.h"

/* An item and its place in the table, whose key is the first original's. */
struct entry {
	struct replay_item item;
	UT_hash_handle hh;
	char first[];
};

struct replay {
	struct replay_filter filter;
	struct json_reader *reader;
	struct entry *entries;
	struct replay_item **items; /* the same, as a list */
	size_t item_count;
	size_t item_room;
	struct record_range *ranges;
	size_t range_count;
	struct header *headers;
	size_t header_room;
};

struct replay *replay_new(const struct replay_filter *filter, struct error *err)
{
	struct replay *replay = mem_new(struct replay);
	if (replay == NULL) {
		error_memory(err);
		return NULL;
	}
	replay->filter = *filter;
	replay->reader = json_reader_new(ERROR_EVENT_JSON_DEPTH, err);
	if (replay->reader == NULL) {
		replay_free(replay);
		return NULL;
	}
	return replay;
}

void replay_free(struct replay *replay)
{
	if (replay == NULL)
		return;
	struct entry *entry = NULL;
	struct entry *next = NULL;
	HASH_ITER (hh, replay->entries, entry, next) {
		HASH_DEL(replay->entries, entry);
		free(entry);
	}
	json_reader_free(replay->reader);
	free(replay->items);
	free(replay->ranges);
	free(replay->headers);
	free(replay);
}

/* Makes room for one more item. False where memory is out. */
static bool reserve_item(struct replay *replay)
{
	if (replay->item_count < replay->item_room)
		return true;
	size_t room = replay->item_room == 0 ? 16 : 2 * replay->item_room;
	struct replay_item **items =
		reallocarray(replay->items, room, sizeof(struct replay_item *));
	if (items == NULL)
		return false;
	replay->items = items;
	replay->item_room = room;
	return true;
}

/* The filter's own text for a topic; NULL where it is none of the request topics. */
static const char *request_topic(const struct replay *replay, const char *name)
{
	for (size_t i = 0; i < replay->filter.topic_count; i++)
		if (strcmp(replay->filter.topics[i], name) == 0)
			return replay->filter.topics[i];
	return NULL;
}

/* --- error events --- */

static struct entry *add_entry(struct replay *replay, struct bytes first, struct error *err)
{
	struct entry *entry = calloc(1, sizeof(*entry) + first.length + 1);
	if (entry == NULL || !reserve_item(replay)) {
		free(entry);
		error_memory(err);
		return NULL;
	}
	memcpy(entry->first, first.data, first.length);
	entry->item.first = entry->first;
	HASH_ADD_KEYPTR(hh, replay->entries, entry->first, first.length, entry);
	if (entry->hh.tbl == NULL) {
		free(entry);
		error_memory(err);
		return NULL;
	}
	replay->items[replay->item_count++] = &entry->item;
	return entry;
}

/* Has the item stand for this failure. */
static void note_failure(
	struct replay_item *item, const char *topic, const struct error_event *event)
{
	item->topic = topic;
	item->partition = event->partition;
	item->offset = event->offset;
	item->timestamp_ms = event->timestamp_ms;
	item->failed_ms = event->completed_ms;
	item->reason = event->reason;
}

static bool wanted(const struct replay_filter *filter, const struct error_event *event)
{
	return event->reason != REASON_COUNT && filter->reasons[event->reason] &&
	       event->completed_ms >= filter->since_ms && event->completed_ms < filter->until_ms;
}

static enum replay_look choose(
	struct replay *replay, const struct error_event *event, struct error *err)
{
	const char *topic = request_topic(replay, event->topic);
	if (topic == NULL)
		return REPLAY_LOOK_ELSEWHERE;
	char place[TOPIC_NAME_MAX + 40];
	snprintf(place, sizeof(place), "%s/%" PRId32 "/%" PRId64, topic, event->partition,
		event->offset);
	struct bytes first = event->first.data != NULL ? event->first : bytes_of_text(place);
	struct entry *entry = NULL;
	HASH_FIND(hh, replay->entries, first.data, first.length, entry);
	if (entry != NULL) {
		const struct replay_item *item = &entry->item;
		if (topic == item->topic && event->partition == item->partition &&
			event->offset > item->offset)
			note_failure(&entry->item, topic, event);
		return REPLAY_LOOK_REPEAT;
	}
	entry = add_entry(replay, first, err);
	if (entry == NULL)
		return REPLAY_LOOK_NO_MEMORY;
	note_failure(&entry->item, topic, event);
	return REPLAY_LOOK_CHOSEN;
}

enum replay_look replay_look(struct replay *replay, const struct record *record, struct error *err)
{
	struct error_event event;
	switch (error_event_read(record, replay->reader, &event, err)) {
	case ERROR_EVENT_NONE:
		return REPLAY_LOOK_OTHER;
	case ERROR_EVENT_MALFORMED:
		return REPLAY_LOOK_MALFORMED;
	case ERROR_EVENT_NO_MEMORY:
		return REPLAY_LOOK_NO_MEMORY;
	case ERROR_EVENT_READ:
		break;
	}
	return wanted(&replay->filter, &event) ? choose(replay, &event, err) : REPLAY_LOOK_OTHER;
}

/* --- ranges --- */

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_places(
	const struct replay_item *item, const char *topic, int32_t partition, int64_t offset)
{
	int order = item->topic == topic ? 0 : strcmp(item->topic, topic);
	if (order == 0)
		order = compare_numbers(item->partition, partition);
	return order != 0 ? order : compare_numbers(item->offset, offset);
}

static int compare_items(const void *a, const void *b)
{
	const struct replay_item *item = *(struct replay_item *const *)a;
	const struct replay_item *other = *(struct replay_item *const *)b;
	return compare_places(item, other->topic, other->partition, other->offset);
}

/* Starts the list of ranges anew, with room for one an item. */
static bool begin_ranges(struct replay *replay, struct error *err)
{
	if (replay->item_count > 0)
		qsort(replay->items, replay->item_count, sizeof(struct replay_item *),
			compare_items);
	free(replay->ranges);
	replay->range_count = 0;
	replay->ranges = mem_new_array(struct record_range, replay->item_count + 1);
	return replay->ranges != NULL || error_memory(err);
}

/* The last range, where it lies in the partition of the item; else NULL. */
static struct record_range *last_range(struct replay *replay, const struct replay_item *item)
{
	if (replay->range_count == 0)
		return NULL;
	struct record_range *last = &replay->ranges[replay->range_count - 1];
	return last->topic == item->topic && last->partition == item->partition ? last : NULL;
}

static void add_range(
	struct replay *replay, const struct replay_item *item, int64_t from, int64_t to)
{
	replay->ranges[replay->range_count++] =
		(struct record_range){item->topic, item->partition, from, to};
}

const struct record_range *replay_mark_ranges(
	struct replay *replay, size_t *ret_count, struct error *err)
{
	if (!begin_ranges(replay, err))
		return NULL;
	for (size_t i = 0; i < replay->item_count; i++)
		if (last_range(replay, replay->items[i]) == NULL)
			add_range(
				replay, replay->items[i], replay->items[i]->offset + 1, INT64_MAX);
	*ret_count = replay->range_count;
	return replay->ranges;
}

const struct record_range *replay_original_ranges(
	struct replay *replay, int64_t reach, size_t *ret_count, struct error *err)
{
	if (!begin_ranges(replay, err))
		return NULL;
	for (size_t i = 0; i < replay->item_count; i++) {
		const struct replay_item *item = replay->items[i];
		if (item->fate != REPLAY_CHOSEN)
			continue;
		struct record_range *last = last_range(replay, item);
		if (last != NULL && item->offset - last->to < reach)
			last->to = item->offset + 1;
		else
			add_range(replay, item, item->offset, item->offset + 1);
	}
	*ret_count = replay->range_count;
	return replay->ranges;
}

/* --- records of the request topics --- */

void replay_mark(struct replay *replay, const struct record *record)
{
	struct bytes first = record_header(record, BYTES(RESULT_REPLAY_OF));
	struct entry *entry = NULL;
	if (first.length == 0)
		return;
	HASH_FIND(hh, replay->entries, first.data, first.length, entry);
	if (entry == NULL)
		return;
	struct replay_item *item = &entry->item;
	bool same_partition =
		item->partition == record->partition && strcmp(item->topic, record->topic) == 0;
	if (!same_partition || record->offset > item->offset)
		item->fate = REPLAY_BEFORE;
}

/* The item of a record's place; NULL where there is none. */
static struct replay_item *find_item(struct replay *replay, const struct record *record)
{
	const char *topic = request_topic(replay, record->topic);
	if (topic == NULL)
		return NULL;
	size_t low = 0;
	size_t high = replay->item_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct replay_item *item = replay->items[middle];
		int order = compare_places(item, topic, record->partition, record->offset);
		if (order == 0)
			return item;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Whether it has the time that its result tells, where times out of range are cut. */
static bool same_time(const struct replay_item *item, const struct record *record)
{
	if (item->timestamp_ms < 0 || record->timestamp_ms < 0)
		return item->timestamp_ms == record->timestamp_ms;
	char text[RFC3339_SIZE];
	int64_t told_ms = -1;
	rfc3339_format(record->timestamp_ms, text);
	return rfc3339_parse(bytes_of_text(text), &told_ms) && told_ms == item->timestamp_ms;
}

struct replay_item *replay_take(struct replay *replay, const struct record *record)
{
	struct replay_item *item = find_item(replay, record);
	if (item == NULL || item->fate != REPLAY_CHOSEN)
		return NULL;
	item->fate = same_time(item, record) ? REPLAY_READ : REPLAY_REPLACED;
	return item->fate == REPLAY_READ ? item : NULL;
}

const struct header *replay_headers(struct replay *replay, const struct record *record,
	const struct replay_item *item, size_t *ret_count, struct error *err)
{
	if (replay->header_room <= record->header_count) {
		size_t room = 2 * record->header_count + 8;
		struct header *headers = reallocarray(replay->headers, room, sizeof(*headers));
		if (headers == NULL) {
			error_memory(err);
			return NULL;
		}
		replay->headers = headers;
		replay->header_room = room;
	}
	size_t count = 0;
	for (size_t i = 0; i < record->header_count; i++)
		if (!bytes_equal_nocase(record->headers[i].name, BYTES(RESULT_REPLAY_OF)))
			replay->headers[count++] = record->headers[i];
	replay->headers[count++] =
		(struct header){BYTES(RESULT_REPLAY_OF), bytes_of_text(item->first)};
	*ret_count = count;
	return replay->headers;
}

struct replay_item *const *replay_items(const struct replay *replay, size_t *ret_count)
{
	*ret_count = replay->item_count;
	return replay->items;
}
