/*
 * Spelling: how far two names are apart, to suggest the right one for a wrong one.
 */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include <stddef.h>

#define SPELLING_MAX 127 /* bytes of a name; longer ones are never near */

/*
 * How many letters must be changed, added, left out or swapped with their neighbour to make one
 * text of another, without regard to case. SIZE_MAX where one is longer than SPELLING_MAX.
 */
size_t spelling_distance(const char *a, const char *b);

/* Up to which distance a suggestion for this wrong name is help and not a guess. */
size_t spelling_near(const char *wrong);

#endif
