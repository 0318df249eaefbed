#include "flow_state.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/mem.h"

struct source *flow_find_source(struct flow *flow, const void *identity)
{
	if (flow->last_source != NULL && flow->last_source->identity == identity)
		return flow->last_source;
	struct source *source;
	HASH_FIND_PTR(flow->sources, &identity, source);
	return source;
}

static struct source *new_source(struct flow *flow, const void *identity)
{
	struct source *source = mem_new(struct source);
	if (source == NULL)
		return NULL;
	source->identity = identity;
	source->highest = -1;
	HASH_ADD_PTR(flow->sources, identity, source);
	if (source->hh.tbl == NULL) {
		free(source);
		return NULL;
	}
	return source;
}

struct source *flow_need_source(struct flow *flow, const void *identity, struct error *err)
{
	struct source *source = flow_find_source(flow, identity);
	if (source == NULL)
		source = new_source(flow, identity);
	if (source == NULL)
		error_memory(err);
	flow->last_source = source;
	return source;
}

void flow_drop_source_if_over(struct flow *flow, struct source *source)
{
	if (!source->closed || source->held != NULL)
		return;
	flow->last_source = NULL;
	HASH_DEL(flow->sources, source);
	free(source);
}

void flow_reach(struct source *source, int64_t offset)
{
	if (offset > source->highest)
		source->highest = offset;
}

/* The list of a ready look-up: `retrying` changes only while it is under way. */
static struct lookup **ready_list(struct flow *flow, const struct lookup *lookup)
{
	return lookup->retrying ? &flow->again : &flow->fresh;
}

void flow_take_out(struct flow *flow, struct lookup *lookup)
{
	if (lookup->state == LOOKUP_READY)
		DL_DELETE(*ready_list(flow, lookup), lookup);
	if (lookup->state == LOOKUP_DELAYED)
		timers_remove(&flow->delayed, &lookup->timer);
	if (lookup->state == LOOKUP_UNDER_WAY)
		DL_DELETE(flow->under_way, lookup);
	lookup->state = LOOKUP_LOOSE;
}

void flow_close_lookup(struct flow *flow, struct lookup *lookup)
{
	if (lookup->joinable)
		HASH_DEL(flow->joinable, lookup);
	lookup->joinable = false;
}

struct lookup *lookup_of_timer(struct timer *timer)
{
	return (struct lookup *)(void *)((char *)timer - offsetof(struct lookup, timer));
}

void flow_end_lookup(struct flow *flow, struct lookup *lookup)
{
	flow_take_out(flow, lookup);
	flow_close_lookup(flow, lookup);
	flow->lookups--;
	flow->retrying -= lookup->retrying ? 1 : 0;
	lookup_free(lookup);
}

/* Takes an event away from its look-up; a look-up that is left alone ends, unless it is under way.
 */
static void leave_lookup(struct flow *flow, struct event *event)
{
	struct lookup *lookup = event->lookup;
	if (lookup == NULL)
		return;
	DL_DELETE2(lookup->events, event, merged_prev, merged_next);
	event->lookup = NULL;
	if (lookup->events == NULL && lookup->state != LOOKUP_UNDER_WAY)
		flow_end_lookup(flow, lookup);
}

void flow_detach(struct flow *flow, struct event *event)
{
	leave_lookup(flow, event);
	lanes_leave(&flow->lanes, event);
	flow->held--;
}

static bool has_outcome(const struct event *event)
{
	return event->lookup == NULL;
}

void flow_finish(struct flow *flow, struct event *event)
{
	while (event != NULL && has_outcome(event)) {
		struct lane *lane = event->lane;
		if (lane != NULL && lane->events != event)
			return; /* somebody before it has no outcome yet */
		struct event *behind = event->lane == NULL ? NULL : event->lane_next;
		struct source *source = flow_find_source(flow, event->source);
		flow_detach(flow, event);
		DL_DELETE(source->held, event);
		flow_reach(source, event->record.offset);
		flow_drop_source_if_over(flow, source);
		DL_APPEND(flow->finished, event);
		event = behind;
	}
}

void flow_make_ready(struct flow *flow, struct lookup *lookup, bool behind)
{
	lookup->state = LOOKUP_READY;
	if (behind)
		DL_APPEND(*ready_list(flow, lookup), lookup);
	else
		DL_PREPEND(*ready_list(flow, lookup), lookup);
}

void flow_delay(struct flow *flow, struct lookup *lookup, int64_t until)
{
	lookup->state = LOOKUP_DELAYED;
	timers_add(&flow->delayed, &lookup->timer, until);
}
