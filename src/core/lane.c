#include "lane.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"

void lanes_fini(struct lanes *lanes)
{
	struct lane *lane;
	struct lane *next;
	HASH_ITER (hh, lanes->table, lane, next) {
		HASH_DEL(lanes->table, lane);
		free(lane);
	}
	buffer_fini(&lanes->scratch);
}

/* What tells lanes apart: the partition's assignment, and by ordering the key. */
static bool lane_key(struct lanes *lanes, const struct event *event, struct error *err)
{
	buffer_clear(&lanes->scratch);
	buffer_append(&lanes->scratch, &event->source, sizeof(event->source));
	if (lanes->ordering == FLOW_ORDER_KEY)
		buffer_append_bytes(&lanes->scratch, event->record.key);
	return !lanes->scratch.failed || error_memory(err);
}

static struct lane *new_lane(struct lanes *lanes, unsigned hash, struct error *err)
{
	size_t length = lanes->scratch.length;
	struct lane *lane = calloc(1, sizeof(struct lane) + length);
	if (lane == NULL) {
		error_memory(err);
		return NULL;
	}
	lane->key_length = length;
	memcpy(lane->key, lanes->scratch.data, length);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, lanes->table, lane->key, length, hash, lane);
	if (lane->hh.tbl == NULL) {
		free(lane);
		error_memory(err);
		return NULL;
	}
	return lane;
}

bool lanes_join(struct lanes *lanes, struct event *event, struct error *err)
{
	if (lanes->ordering == FLOW_ORDER_NONE ||
		(lanes->ordering == FLOW_ORDER_KEY && event->record.key.data == NULL)) {
		event->lane = NULL;
		return true;
	}
	if (!lane_key(lanes, event, err))
		return false;
	unsigned hash;
	struct lane *lane;
	HASH_VALUE(lanes->scratch.data, lanes->scratch.length, hash);
	HASH_FIND_BYHASHVALUE(
		hh, lanes->table, lanes->scratch.data, lanes->scratch.length, hash, lane);
	if (lane == NULL)
		lane = new_lane(lanes, hash, err);
	if (lane == NULL)
		return false;
	DL_APPEND2(lane->events, event, lane_prev, lane_next);
	event->lane = lane;
	return true;
}

void lanes_leave(struct lanes *lanes, struct event *event)
{
	struct lane *lane = event->lane;
	if (lane == NULL)
		return;
	DL_DELETE2(lane->events, event, lane_prev, lane_next);
	event->lane = NULL;
	if (lane->events == NULL) {
		HASH_DEL(lanes->table, lane);
		free(lane);
	}
}
