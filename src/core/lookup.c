#include "lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* After an unclassified reply the API is asked once more, however many attempts there may be. */
#define UNCLASSIFIED_ATTEMPTS 2

static struct bytes copy_to(char **place, struct bytes source)
{
	if (source.data == NULL)
		return source;
	struct bytes copy = {memcpy(*place, source.data, source.length), source.length};
	*place += source.length;
	return copy;
}

struct lookup *lookup_new(const struct request *request, unsigned max_attempts, struct error *err)
{
	size_t attempts_size = max_attempts * sizeof(struct attempt);
	size_t identity_size = request->email.length + 1 + request->phone.length;
	char *block = calloc(1, sizeof(struct lookup) + attempts_size + identity_size);
	if (block == NULL) {
		error_memory(err);
		return NULL;
	}
	struct lookup *lookup = (struct lookup *)(void *)block;
	char *place = block + sizeof(struct lookup);
	lookup->max_attempts = max_attempts;
	lookup->undisproved = (struct attempt *)(void *)place;
	place += attempts_size;
	/* The same layout as lookup_identity() makes: no e-mail address or phone number holds a
	 * zero. */
	lookup->identity = (struct bytes){place, identity_size};
	lookup->request.email = copy_to(&place, request->email);
	place++;
	lookup->request.phone = copy_to(&place, request->phone);
	return lookup;
}

void lookup_free(struct lookup *lookup)
{
	free(lookup);
}

void lookup_identity(const struct request *request, struct buffer *buffer)
{
	buffer_append_bytes(buffer, request->email);
	buffer_append(buffer, "", 1);
	buffer_append_bytes(buffer, request->phone);
}

const struct request *lookup_request(const struct lookup *lookup)
{
	return &lookup->request;
}

const struct event *lookup_event(const struct lookup *lookup)
{
	return lookup->events;
}

unsigned lookup_attempts(const struct lookup *lookup)
{
	return lookup->counted + lookup->undisproved_count;
}

void lookup_failed(struct lookup *lookup, bool unclassified, const struct gate_view *view)
{
	lookup->stops = view->stops;
	lookup->undisproved[lookup->undisproved_count++] =
		(struct attempt){lookup->start, unclassified};
}

void lookup_stopped_line(struct lookup *lookup, const struct gate_view *view)
{
	unsigned count = lookup->undisproved_count;
	bool keep_last = count > 0 && (lookup->max_attempts > 1 || lookup->stopped != 0);
	if (keep_last)
		lookup->undisproved[0] = lookup->undisproved[count - 1];
	lookup->undisproved_count = keep_last ? 1 : 0;
	lookup->stops = view->stops;
	lookup->stopped = view->stops;
}

static bool guilty(const struct lookup *lookup)
{
	return lookup->counted >= lookup->max_attempts ||
	       lookup->counted_unclassified >= UNCLASSIFIED_ATTEMPTS;
}

/* An attempt counts once another event's request, started later, was answered as documented. */
static void count_disproved(struct lookup *lookup, uint64_t witness)
{
	unsigned left = 0;
	for (unsigned i = 0; i < lookup->undisproved_count; i++) {
		struct attempt attempt = lookup->undisproved[i];
		/* Once it is guilty no more attempts need to count. */
		if (attempt.start >= witness || guilty(lookup)) {
			lookup->undisproved[left++] = attempt;
			continue;
		}
		lookup->counted++;
		lookup->counted_unclassified += attempt.unclassified ? 1 : 0;
	}
	lookup->undisproved_count = left;
}

void lookup_forgive(struct lookup *lookup, uint64_t witness_then, const struct gate_view *view)
{
	count_disproved(lookup, witness_then);
	lookup->undisproved_count = 0;
	lookup->stops = view->stops;
}

enum judgement lookup_judge(struct lookup *lookup, const struct gate_view *view)
{
	count_disproved(lookup, view->witness);
	if (guilty(lookup))
		return JUDGED_GUILTY;
	if (lookup->undisproved_count >= lookup->max_attempts)
		return JUDGED_UNDISPROVED;
	if (lookup_attempts(lookup) >= lookup->max_attempts)
		return JUDGED_UNPROVEN;
	return JUDGED_OPEN;
}
