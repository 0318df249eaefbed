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
	LOOKUP_LOOSE, /* in no list: in the hands of the function that works on it */
	LOOKUP_READY, /* in one of the flow's ready lists: may start as soon as the gate gives leave
		       */
	LOOKUP_DELAYED,   /* in the flow's timers */
	LOOKUP_UNDER_WAY, /* sent; in the flow's list of those */
};

/* An attempt that failed and that nobody disproved yet. */
struct attempt {
	uint64_t start : 63;
	uint64_t unclassified : 1;
};

/* The last failure: what an error event says if it ends as one. */
struct failure {
	enum reason reason;
	int http_status;
	bool documented_code;
};

struct lookup {
	struct event *events; /* that wait for it, linked by merged_next; none: all were dropped */
	enum lookup_state state;
	uint64_t start;             /* UNDER_WAY: its start number */
	int64_t started_at;         /* UNDER_WAY */
	bool probe;                 /* UNDER_WAY: it was started while the line was stopped */
	struct timer timer;         /* DELAYED */
	struct lookup *next, *prev; /* READY, UNDER_WAY */
	UT_hash_handle hh;          /* in the flow's table of look-ups that others may join */
	bool joinable;              /* it is in that table: it never started */

	int64_t not_before;     /* the API asked for no attempt before, not even a probe */
	int64_t unproven_since; /* all attempts are used up, and some not disproved yet; 0: not so
				 */
	bool retrying;          /* it came back without an answer at least once */
	unsigned refusals;      /* in a row */
	unsigned failures;      /* for the breaker: see struct gate_ending */
	uint64_t failures_stops;
	uint64_t stopped; /* which stop of the line, from 1, it caused last; 0: none */
	unsigned counted; /* attempts that were disproved */
	unsigned counted_unclassified;
	struct failure failure;
	uint64_t stops; /* how often the line had stopped when the first of `undisproved` failed */
	unsigned undisproved_count;
	unsigned max_attempts;       /* as they were when it was made, whatever a reload changes */
	struct attempt *undisproved; /* room for max_attempts of them */
	struct bytes identity;       /* what tells customers apart: e-mail, a zero, phone number */
	size_t email_length;
};

/* A look-up for the identity of a request, which is copied. NULL and err when out of memory. */
struct lookup *lookup_new(const struct request *request, unsigned max_attempts, struct error *err);
void lookup_free(struct lookup *lookup);

/* What tells the customer of a request apart from all others, appended to `buffer`. */
void lookup_identity(const struct request *request, struct buffer *buffer);

/* Notes an attempt that failed now. It was just judged JUDGED_OPEN, so that there is room. */
void lookup_failed(struct lookup *lookup, bool unclassified, const struct gate_view *view);

/*
 * Its failure stopped the line: gives back all undisproved attempts but the last, which stays for
 * another event's reply to disprove. Where there is but one attempt, the first stop gives back that
 * one too, or an API that was down would be the event's own fault.
 */
void lookup_stopped_line(struct lookup *lookup, const struct gate_view *view);

/*
 * The line has stopped since its attempts were noted, for the first time when the witness was
 * `witness_then`: what was disproved by then counts, the others are given back.
 */
void lookup_forgive(struct lookup *lookup, uint64_t witness_then, const struct gate_view *view);

/* Failed attempts on record, counted and undisproved. */
unsigned lookup_attempts(const struct lookup *lookup);

enum judgement {
	JUDGED_OPEN,       /* try again */
	JUDGED_GUILTY,     /* enough attempts count: it ends as an error event */
	JUDGED_UNPROVEN,   /* all attempts are used up, and some of them are not disproved yet */
	JUDGED_UNDISPROVED /* all attempts are used up, and none of them is disproved: the API is to
			      blame */
};

/* Counts what the witness disproved meanwhile, and judges. */
enum judgement lookup_judge(struct lookup *lookup, const struct gate_view *view);

#endif
