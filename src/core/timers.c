#include "timers.h"

#include <stdlib.h>

void timers_fini(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

static void place(struct timers *timers, struct timer *timer, size_t index)
{
	timers->heap[index] = timer;
	timer->index = index;
}

/* Moves a timer towards the top while it is earlier than what stands above it. */
static void rise(struct timers *timers, struct timer *timer)
{
	size_t index = timer->index;
	while (index > 0 && timers->heap[(index - 1) / 2]->at > timer->at) {
		place(timers, timers->heap[(index - 1) / 2], index);
		index = (index - 1) / 2;
	}
	place(timers, timer, index);
}

/* Moves a timer towards the bottom while something below it is earlier. */
static void sink(struct timers *timers, struct timer *timer)
{
	size_t index = timer->index;
	for (;;) {
		size_t child = 2 * index + 1;
		if (child >= timers->count)
			break;
		if (child + 1 < timers->count &&
			timers->heap[child + 1]->at < timers->heap[child]->at)
			child++;
		if (timers->heap[child]->at >= timer->at)
			break;
		place(timers, timers->heap[child], index);
		index = child;
	}
	place(timers, timer, index);
}

bool timers_reserve(struct timers *timers, size_t count, struct error *err)
{
	if (count <= timers->capacity)
		return true;
	size_t capacity = timers->capacity == 0 ? 64 : timers->capacity * 2;
	if (capacity < count)
		capacity = count;
	struct timer **heap = reallocarray(timers->heap, capacity, sizeof(struct timer *));
	if (heap == NULL)
		return error_memory(err);
	timers->heap = heap;
	timers->capacity = capacity;
	return true;
}

void timers_add(struct timers *timers, struct timer *timer, int64_t at)
{
	timer->at = at;
	place(timers, timer, timers->count++);
	rise(timers, timer);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
	struct timer *last = timers->heap[--timers->count];
	if (last == timer)
		return;
	place(timers, last, timer->index);
	rise(timers, last);
	sink(timers, last);
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count == 0 ? NULL : timers->heap[0];
}
