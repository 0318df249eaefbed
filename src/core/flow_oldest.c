#include "flow_state.h"

/* What a look-up waits for, and until or since when. */
static enum flow_wait wait_of(const struct lookup *lookup, int64_t *ret_time)
{
	switch (lookup->state) {
	case LOOKUP_UNDER_WAY:
		*ret_time = lookup->started_at;
		return FLOW_WAITS_FOR_REPLY;
	case LOOKUP_DELAYED:
		*ret_time = lookup->timer.at;
		return FLOW_WAITS_FOR_RETRY;
	case LOOKUP_READY:
	case LOOKUP_LOOSE:
		break;
	}
	return FLOW_WAITS_FOR_LEAVE;
}

bool flow_oldest(struct flow *flow, const void *identity, struct flow_oldest *ret_oldest)
{
	const struct source *source = flow_find_source(flow, identity);
	if (source == NULL || source->held == NULL)
		return false;
	/* Events of a source come in rising order, and are held in the order in which they came. */
	const struct event *event = source->held;
	const struct lookup *lookup = event->lookup;
	*ret_oldest =
		(struct flow_oldest){.offset = event->record.offset, .wait = FLOW_WAITS_FOR_ORDER};
	if (lookup != NULL) {
		ret_oldest->wait = wait_of(lookup, &ret_oldest->time);
		ret_oldest->attempts = lookup_attempts(lookup);
		ret_oldest->refusals = lookup->refusals;
		ret_oldest->http_status = lookup->failure.http_status;
	}
	return true;
}
