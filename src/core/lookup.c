#include "lookup.h"

#include <stdlib.h>

#include "base/mem.h"

/* After an unclassified reply the API is asked once more, however many attempts there may be. */
#define UNCLASSIFIED_ATTEMPTS 2

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
	char *attempts = block + sizeof(struct lookup);
	char *identity = attempts + attempts_size;
	lookup->max_attempts = max_attempts;
	lookup->undisproved = (struct attempt *)(void *)attempts;
	/* The same layout as lookup_identity() makes: no e-mail address or phone number holds a
	 * zero. */
	lookup->identity = (struct bytes){identity, identity_size};
	lookup->email_length = request->email.length;
	bytes_pack(request->email, &identity);
	identity++;
	bytes_pack(request->phone, &identity);
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

struct customer lookup_customer(const struct lookup *lookup)
{
	struct bytes identity = lookup->identity;
	struct bytes email = {identity.data, lookup->email_length};
	struct bytes phone = {identity.data + email.length + 1, identity.length - email.length - 1};
	return (struct customer){
		.email = email.length > 0 ? email : (struct bytes){0},
		.phone = phone.length > 0 ? phone : (struct bytes){0},
	};
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
	lookup->undisproved[lookup->undisproved_count++] = (struct attempt){
		.start = lookup->start & (UINT64_MAX >> 1), .unclassified = unclassified};
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
