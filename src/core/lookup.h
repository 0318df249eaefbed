/*
 * A look-up: one question to the API, for one event or several merged ones, with what its attempts
 * showed.
 *
 * An attempt that failed is at first undisproved: the API may be to blame. It counts once the
 * gate's witness is above its start number, and is given back when the line stops before that.
 */
#ifndef CORE_LOOKUP_H
#define CORE_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/flow.h"
#include "core/request.h"
#include "timers.h"

enum lookup_state {
	LOOKUP_LOOSE,     /* in no list: in the hands of the function that works on it */
	LOOKUP_READY,     /* in the flow's ready list: may start as soon as the gate gives leave */
	LOOKUP_DELAYED,   /* in the flow's timers */
	LOOKUP_UNDER_WAY, /* sent; in the flow's list of those */
};

/* An attempt that failed and that nobody disproved yet. */
struct attempt {
	uint64_t start;
	bool unclassified;
};

/* The last failure: what an error event says if it ends as one. */
struct failure {
	enum reason reason;
	int http_status;
	bool documented_code;
};

struct lookup {
	struct event *events; /* that wait for it, linked by merged_next; none: all were dropped */
	struct request request; /* e-mail and phone number, in `identity` */
	enum lookup_state state;
	uint64_t start;             /* UNDER_WAY: its start number */
	bool probe;                 /* UNDER_WAY: it was started while the line was stopped */
	struct timer timer;         /* DELAYED */
	struct lookup *next, *prev; /* READY, UNDER_WAY */
	UT_hash_handle hh;          /* in the flow's table of look-ups that others may join */
	bool joinable;              /* it is in that table: it never started */

	int64_t not_before; /* the API asked for no attempt before, not even a probe */
	bool retrying;      /* it came back without an answer at least once */
	unsigned refusals;  /* in a row */
	unsigned counted;   /* attempts that were disproved */
	unsigned counted_unclassified;
	struct failure failure;
	uint64_t stops; /* how often the line had stopped when the first of `undisproved` failed */
	unsigned undisproved_count;
	struct attempt *undisproved; /* max_attempts of them */
	struct bytes identity;       /* what tells customers apart */
};

/* A look-up for the identity of a request, which is copied. NULL and err when out of memory. */
struct lookup *lookup_new(const struct request *request, unsigned max_attempts, struct error *err);
void lookup_free(struct lookup *lookup);

/* What tells the customer of a request apart from all others, appended to `buffer`. */
void lookup_identity(const struct request *request, struct buffer *buffer);

/* Notes an attempt that failed now. There must be room: lookup_attempts() below max_attempts. */
void lookup_failed(struct lookup *lookup, bool unclassified, const struct gate_view *view);

/* Gives back all undisproved attempts, but the last if `keep_last`: it stopped the line. */
void lookup_give_back(struct lookup *lookup, bool keep_last, const struct gate_view *view);

/* Failed attempts on record, counted and undisproved. */
unsigned lookup_attempts(const struct lookup *lookup);

enum judgement {
	JUDGED_OPEN,       /* try again */
	JUDGED_GUILTY,     /* enough attempts count: it ends as an error event */
	JUDGED_UNPROVEN,   /* all attempts are used up, and some of them are not disproved yet */
	JUDGED_UNDISPROVED /* all attempts are used up, and none of them is disproved: the API is to
			      blame */
};

/* Counts what the witness disproved meanwhile, gives back what a stop forgave, and judges. */
enum judgement lookup_judge(
	struct lookup *lookup, unsigned max_attempts, const struct gate_view *view);

#endif
