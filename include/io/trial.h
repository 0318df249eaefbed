/*
 * Trials: what the service will need of others, tried out one by one before it runs.
 */
#ifndef IO_TRIAL_H
#define IO_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

enum trial_state {
	TRIAL_BEGINS, /* it is under way, and may take its time */
	TRIAL_FINE,
	TRIAL_WRONG,
	TRIAL_LEFT_OUT, /* it cannot be tried without doing it */
};

/* One thing that is tried, and what came of it. Texts are valid during the call. */
struct trial {
	enum trial_state state;
	const char *what;   /* "topic care360.lookup-requests" */
	const char *text;   /* a sentence: what was found, or what is wrong; NULL where it begins */
	const char *advice; /* WRONG: what to do about it; NULL: that goes without saying */
};

/* Is told of each trial when it begins and when it is over. */
typedef void trial_fn(void *context, const struct trial *trial);

#endif
