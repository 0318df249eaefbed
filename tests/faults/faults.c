#include "faults.h"

#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLACES     65536 /* blocks held at once, at most; a power of two */
#define STORIES    20000 /* more allocations than any story makes */
#define TRACE_SIZE 12

/* The functions behind the linker's wrappers. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
void __wrap_free(void *pointer);

/* The allocation that fails, counted from 1; 0: none. */
static _Thread_local size_t doomed;
static _Thread_local size_t made;
static _Thread_local bool happened;

/* What is held, with who asked for it: an open hash table. Blocks from elsewhere are not in it. */
static struct place {
	void *block;
	void *trace[TRACE_SIZE];
	int depth;
} places[PLACES];
static size_t held;
static bool watching;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t hash(const void *block)
{
	return (size_t)((uintptr_t)block * UINT64_C(0x9e3779b97f4a7c15) >> 48) & (PLACES - 1);
}

static struct place *find(const void *block)
{
	struct place *place = &places[hash(block)];
	while (place->block != block && place->block != NULL)
		place = place + 1 < places + PLACES ? place + 1 : places;
	return place;
}

static void remember(void *block)
{
	if (block == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (watching && held < PLACES / 2) {
		struct place *place = find(block);
		place->block = block;
		place->depth = backtrace(place->trace, TRACE_SIZE);
		held++;
	}
	pthread_mutex_unlock(&lock);
}

/* Takes a block out, and moves those behind it up, so that they are still found. */
static void forget(const void *block)
{
	pthread_mutex_lock(&lock);
	struct place *gap = block == NULL ? NULL : find(block);
	if (gap != NULL && gap->block != NULL) {
		held--;
		gap->block = NULL;
		struct place *at = gap;
		for (;;) {
			at = at + 1 < places + PLACES ? at + 1 : places;
			if (at->block == NULL)
				break;
			struct place moved = *at;
			at->block = NULL;
			*find(moved.block) = moved;
		}
	}
	pthread_mutex_unlock(&lock);
}

/* Whether this allocation is the one to fail. */
static bool fails(void)
{
	if (doomed == 0 || ++made != doomed)
		return false;
	happened = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	void *block = fails() ? NULL : __real_malloc(size);
	remember(block);
	return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *block = fails() ? NULL : __real_calloc(count, size);
	remember(block);
	return block;
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	forget(old);
	void *block = __real_realloc(old, size);
	remember(block);
	return block;
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return __wrap_realloc(old, count * size);
}

static char *copy_text(const char *text, size_t length)
{
	char *copy = __wrap_malloc(length + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *__wrap_strndup(const char *text, size_t most)
{
	return copy_text(text, strnlen(text, most));
}

char *__wrap_strdup(const char *text)
{
	return copy_text(text, strlen(text));
}

void __wrap_free(void *pointer)
{
	forget(pointer);
	__real_free(pointer);
}

void *faults_malloc(size_t size)
{
	return __wrap_malloc(size);
}

void *faults_calloc(size_t count, size_t size)
{
	return __wrap_calloc(count, size);
}

void *faults_realloc(void *old, size_t size)
{
	return __wrap_realloc(old, size);
}

char *faults_strdup(const char *text)
{
	return __wrap_strdup(text);
}

void faults_free(void *pointer)
{
	__wrap_free(pointer);
}

void faults_over(void)
{
	doomed = 0;
}

bool faults_happened(void)
{
	return happened;
}

/* Says who asked for what is still held. */
static void tell_held(void)
{
	for (const struct place *place = places; place < places + PLACES; place++) {
		if (place->block == NULL)
			continue;
		fprintf(stderr, "held, from:\n");
		backtrace_symbols_fd((void *const *)place->trace, place->depth, 2);
	}
}

/* Tells the story once; true where the n-th allocation was there to fail. */
static bool tell(faults_story *story, void *context, size_t n)
{
	struct error err = {0};
	memset(places, 0, sizeof(places));
	held = 0;
	watching = true;
	made = 0;
	happened = false;
	doomed = n;
	bool good = story(context, &err);
	doomed = 0;
	watching = false;
	if (held > 0) {
		tell_held();
		fail_msg("allocation %zu failed, and %zu blocks were left behind", n, held);
	}
	if (!happened && !good)
		fail_msg("without a fault the story ends with: %s", err.text);
	if (!good && err.text[0] == '\0')
		fail_msg("allocation %zu failed, and no error says so", n);
	return happened;
}

void faults_each(faults_story *story, void *context)
{
	/* The first time round, libraries make what they keep for good. */
	struct error err = {0};
	void *trace[TRACE_SIZE];
	backtrace(trace, TRACE_SIZE);
	if (!story(context, &err))
		fail_msg("without a fault the story ends with: %s", err.text);
	size_t n = 1;
	while (n < STORIES && tell(story, context, n))
		n++;
	if (n == STORIES)
		fail_msg("the story never ends");
	printf("figure: %zu allocations failed in turn\n", n - 1);
}
