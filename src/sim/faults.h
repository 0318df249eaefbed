/*
 * Faults: the list of ways to misbehave that are switched on, and which request gets which.
 *
 * A fault is written as text, NAME[=PERCENT][:KEY=VALUE...], or as a JSON object with the members
 * `name`, `percent` and the same keys. What each one does on the wire is in misbehave.h.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <json-c/json.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "identity.h"

enum fault_kind {
	FAULT_STATUS, /* a status that a gateway might send */
	FAULT_REPLY,  /* a reply that is well-formed HTTP; its text is in the fault's table row */
	FAULT_KEY_INVALID, /* the documented reply to an unknown key, whatever the key is */
	FAULT_SLOW,        /* the right reply, later */
	FAULT_PADDED,      /* the right reply, longer */
	FAULT_RESET,       /* a reset before any byte */
	FAULT_RESET_MID_BODY,
	FAULT_CLOSE,       /* an orderly end before any byte */
	FAULT_CLOSE_AFTER, /* the right reply, then an end that no header announced */
	FAULT_HANG,        /* nothing, until the client leaves */
	FAULT_HANG_MID_BODY,
	FAULT_TRUNCATED, /* fewer bytes than Content-Length says */
	FAULT_GARBAGE,   /* no HTTP at all */
	FAULT_DRIP,      /* the right reply, a byte at a time */
	FAULT_HUGE_BODY,
	FAULT_HEADER_FLOOD,
	FAULT_GZIP_BOMB,
};

enum fault_framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct fault_type; /* a row of the table of faults */

struct fault {
	const struct fault_type *type;
	const char *name; /* as the user wrote it */
	enum fault_kind kind;
	int status;        /* what is answered; 0 where no status goes out */
	double percent;    /* of the requests it matches */
	const char *match; /* only identities that begin so; NULL: all */
	int64_t left;      /* for so many requests yet; -1: without end */
	bool html;         /* the body of a status */
	const char *retry_after;
	const char *location;
	const char *text; /* the body, or the `error` member, of a reply */
	int64_t bytes;
	int64_t ms;
	enum fault_framing framing;
};

struct faults;

/* An empty list; NULL and err when out of memory. */
struct faults *faults_new(struct error *err);
void faults_free(struct faults *faults);

/* Adds the fault that the text describes. */
bool faults_add_text(struct faults *faults, const char *text, struct error *err);

/* Adds the fault that the JSON object describes. */
bool faults_add_json(struct faults *faults, json_object *object, struct error *err);

/*
 * The fault that a request gets, or NULL. `draw` is a random number in [0, 100): one draw decides,
 * so the percentages of several faults add up. Counts down the fault's `count`.
 */
const struct fault *faults_pick(
	struct faults *faults, const struct identity *identity, double draw);

/* The list as it was given, each with `left` where it has a count. The caller puts it. */
json_object *faults_to_json(const struct faults *faults);

/* The names of faults, "status_" being the beginning of some; NULL after the last. */
const char *fault_name(size_t index);

/* Appends a line for every fault and every key, for --help. */
void faults_help(struct buffer *help);

#endif
