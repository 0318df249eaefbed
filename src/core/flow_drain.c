#include "flow_state.h"

#include <utlist.h>

void flow_drain_begin(struct flow *flow, const void *source, int64_t *ret_highest)
{
	flow->frozen++;
	const struct source *found = flow_find_source(flow, source);
	*ret_highest = found == NULL ? -1 : found->highest;
}

bool flow_frozen(const struct flow *flow)
{
	return flow->frozen > 0;
}

/* Moves an event from the list that it is in to the end of another. */
static void move(struct event **from, struct event *event, struct event **to)
{
	if (*from != NULL)
		DL_DELETE(*from, event);
	DL_APPEND(*to, event);
}

/* Takes out the events of a source above an offset, and forgets the source with its last event. */
static struct event *drop_above(struct flow *flow, const void *identity, int64_t cut)
{
	struct source *source = flow_find_source(flow, identity);
	if (source == NULL)
		return NULL;
	struct event *dropped = NULL;
	struct event *event;
	struct event *next;
	DL_FOREACH_SAFE (source->held, event, next) {
		if (event->record.offset <= cut)
			continue;
		flow_detach(flow, event);
		move(&source->held, event, &dropped);
	}
	source->closed = true;
	flow_drop_source_if_over(flow, source);
	return dropped;
}

struct event *flow_drain_cut(struct flow *flow, const void *source, int64_t cut)
{
	flow->frozen--;
	return drop_above(flow, source, cut);
}

struct event *flow_abandon(struct flow *flow, const void *source)
{
	struct event *dropped = drop_above(flow, source, -1);
	struct event *event;
	struct event *next;
	DL_FOREACH_SAFE (flow->finished, event, next) {
		if (event->source == source)
			move(&flow->finished, event, &dropped);
	}
	return dropped;
}
