/*
 * Failing allocations: runs a story once for each allocation that it makes, and has that one fail.
 *
 * malloc() and its kin are wrapped by the linker in the project's code; a library that lets its
 * allocator be chosen can join in. Only allocations of the thread that tells the story fail; of all
 * threads it is known what they allocated and did not free.
 */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * A story: true where it came to its good end, false and err where it was told that it could not.
 * It frees all it made in either case.
 */
typedef bool faults_story(void *context, struct error *err);

/*
 * Tells the story over and over, the first allocation failing, then the second, and so on until
 * none is left to fail. Fails the test where one ends without an error and without a good end,
 * leaves memory behind, or cannot be told without a fault.
 */
void faults_each(faults_story *story, void *context);

/* From here on to the end of the story nothing fails: what it does is only to look at the result.
 */
void faults_over(void);

/* Whether the allocation that had to fail has failed by now. */
bool faults_happened(void);

/* For libraries that let their allocator be chosen. */
void *faults_malloc(size_t size);
void *faults_calloc(size_t count, size_t size);
void *faults_realloc(void *old, size_t size);
char *faults_strdup(const char *text);
void faults_free(void *pointer);

#endif
