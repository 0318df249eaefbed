#include "core/event.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/request.h"

/* An event's block of memory: the headers' array, then their bytes, the key's and the value's. */
struct block {
	struct event event;
	struct header headers[];
};

static bool is_kept(struct bytes name, const struct bytes *keep, size_t keep_count)
{
	for (size_t i = 0; i < keep_count; i++)
		if (bytes_equal_nocase(name, keep[i]))
			return true;
	return false;
}

struct event *event_new(
	const struct record *record, const struct bytes *keep, size_t keep_count, struct error *err)
{
	size_t kept = 0;
	size_t text = record->key.length + record->value.length;
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		if (!is_kept(header->name, keep, keep_count))
			continue;
		kept++;
		text += header->name.length + header->value.length;
	}

	/* One more byte, so that an empty key or value at the end has an address inside the block.
	 */
	size_t size = sizeof(struct block) + kept * sizeof(struct header) + text + 1;
	struct block *block = malloc(size);
	if (block == NULL) {
		error_memory(err);
		return NULL;
	}
	block->event = (struct event){.record = *record, .size = size};
	struct record *mine = &block->event.record;
	mine->headers = kept > 0 ? block->headers : NULL;
	mine->header_count = kept;
	char *to = (char *)(block->headers + kept);
	struct header *next = block->headers;
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		if (!is_kept(header->name, keep, keep_count))
			continue;
		next->name = bytes_pack(header->name, &to);
		next->value = bytes_pack(header->value, &to);
		next++;
	}
	mine->key = bytes_pack(record->key, &to);
	mine->value = bytes_pack(record->value, &to);
	return &block->event;
}

void event_free(struct event *event)
{
	if (event == NULL)
		return;
	free(event->request);
	free(event->outcome.case_id);
	free(event);
}

struct bytes record_header(const struct record *record, struct bytes name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (bytes_equal_nocase(record->headers[i].name, name))
			return record->headers[i].value;
	return (struct bytes){0};
}
