/*
 * The gate: whether an API request may start now, shared by all flows of the process.
 *
 * Every request takes leave here and is reported back here. From the reports the gate learns how
 * the API is: it lowers and raises the limits, and stops the line where nothing but harm could come
 * of going on: refused credentials, a wrong endpoint, an API that is down or refuses everything.
 * While the line is stopped it gives leave to probes alone, one at a time; a documented reply sets
 * the line going again.
 *
 * It also keeps the witness: the highest start number that got a documented reply. An attempt that
 * failed counts against its event only once the witness is above the attempt's own start number,
 * for then another request, which started later, proved that the API was not to blame.
 *
 * Safe from any thread if the options bring a lock; times never run backwards for one caller.
 */
#ifndef CORE_GATE_H
#define CORE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "core/reply.h"

/*
 * How long a flow leaves a probe that is due to those whose turn it is: longer than a busy machine
 * lets a thread wait. Else the flow that stopped the line, which may hold nothing but the event at
 * fault, wastes the probe on it.
 */
#define GATE_PROBE_TURN_NS (100 * NS_PER_MS)

/* Why the line is stopped: the label values of care360_lookup_line_stopped. */
enum stop_cause {
	STOP_NONE, /* it runs */
	STOP_CREDENTIALS,
	STOP_ENDPOINT,
	STOP_API_DOWN,
	STOP_RATE_LIMITED,
	STOP_KAFKA,
	STOP_CAUSE_COUNT
};

/* "credentials" and so on; "none" for STOP_NONE. */
const char *stop_cause_name(enum stop_cause cause);

/* Who waits, for what, and how limits apply. Counts are at least 1, times above 0. */
struct gate_options {
	unsigned flows;               /* how many flows ask, numbered from 0 */
	unsigned in_flight;           /* requests under way at once, of all flows */
	unsigned requests_per_second; /* 0: no limit */
	bool adaptive;
	unsigned failure_percent; /* the breaker's, see core/breaker.h */
	unsigned min_requests;
	int64_t window_ns;
	int64_t probe_interval_ns;

	/* Held during each call; NULL where one thread alone uses the gate. */
	void (*lock)(void *context);
	void (*unlock)(void *context);

	/* A flow that was told to wait until woken should ask again. Called with the lock held. */
	void (*wake)(void *context, unsigned flow);
	void *context;
};

/* The state of the line as a flow must know it. */
struct gate_view {
	enum stop_cause cause; /* STOP_NONE: the line runs */
	uint64_t stops;        /* how often the line has stopped so far */
	uint64_t witness;      /* the highest start number that got a documented reply */
};

/* The answer to a request for leave. */
struct gate_leave {
	enum {
		GATE_GO,    /* start it now */
		GATE_PROBE, /* start it now, as a probe: the line is stopped */
		GATE_WAIT,  /* ask again at `until`, or when woken */
	} kind;
	uint64_t start; /* GO, PROBE: its start number, rising by one each */
	int64_t until;  /* WAIT; TIME_NEVER: when woken */
	struct gate_view view;
};

/* What a request's end is a sign of. */
enum gate_sign {
	SIGN_NONE,        /* it was given up, and says nothing */
	SIGN_DOCUMENTED,  /* a reply that the API documents for a request as such */
	SIGN_FAILED,      /* something undocumented */
	SIGN_REFUSED,     /* too many requests */
	SIGN_CREDENTIALS, /* the key is refused */
	SIGN_ENDPOINT,    /* this is not the API */
};

/* How a request ended. */
struct gate_ending {
	enum gate_sign sign;
	enum reply_transport transport;
	int http_status; /* 0 where no reply came */
	/* DOCUMENTED: how many requests of the same look-up failed, since the line had stopped
	 * `failures_stops` times: by the API's fault, as is known now. */
	unsigned failures;
	uint64_t failures_stops;
};

struct gate;

/* NULL and err when out of memory. */
struct gate *gate_new(const struct gate_options *options, int64_t now, struct error *err);
void gate_free(struct gate *gate);

/*
 * Asks leave to start one request. GO and PROBE must be followed by gate_end(). A flow that was
 * told to wait must ask again when woken, or withdraw: room is kept for it meanwhile.
 */
void gate_ask(struct gate *gate, unsigned flow, int64_t now, struct gate_leave *ret_leave);

/* A flow that was told to wait has nothing to start any more. */
void gate_withdraw(struct gate *gate, unsigned flow, int64_t now);

/*
 * Asks leave to send the request `start` once more, because its connection was closed under it.
 * True: ret_start is the number that counts for it from now on.
 */
bool gate_ask_again(struct gate *gate, uint64_t start, int64_t now, uint64_t *ret_start);

/*
 * The request `start` of that flow ended. True where this very end stopped the line.
 * ret_view is the state after it.
 */
bool gate_end(struct gate *gate, unsigned flow, uint64_t start, const struct gate_ending *ending,
	int64_t now, struct gate_view *ret_view);

/*
 * An event of that flow used all its attempts, the last of them `last_start`, and nobody disproved
 * them: the API is to blame. Stops the line until a request that started later is answered.
 */
void gate_stop_undisproved(struct gate *gate, unsigned flow, uint64_t last_start, int64_t now,
	struct gate_view *ret_view);

void gate_look(struct gate *gate, struct gate_view *ret_view);

/* What the witness was when the line stopped for the `stop`-th time; 0 where that is long ago. */
uint64_t gate_witness_at_stop(struct gate *gate, uint64_t stop);

/* Kafka cannot be used, or can be used again: no leave at all meanwhile, not for probes either. */
void gate_set_kafka_fine(struct gate *gate, bool fine, int64_t now);

/* There is no usable key: no leave at all. */
void gate_set_no_key(struct gate *gate, int64_t now);

/* There is a new key: a line that is stopped is probed at once. */
void gate_set_new_key(struct gate *gate, int64_t now);

/*
 * Puts new limits and breaker values in force; `flows` and the functions stay as they were. What
 * was learnt of the API is forgotten only where the options it depends on are others now.
 */
void gate_set_options(struct gate *gate, const struct gate_options *options, int64_t now);

/* What people and metrics see of it. */
struct gate_state {
	enum stop_cause cause;
	int64_t stopped_at; /* when it stopped; meaningless where it runs */
	/* What the API replied last to the request that stopped it, or to a probe since; without a
	 * sign where that is not known. */
	struct gate_ending setback;
	int64_t next_probe_at; /* TIME_NEVER where no probe would help, or one is under way */
	uint64_t stops;
	uint64_t started; /* requests that were given leave so far */
	unsigned in_flight;
	unsigned in_flight_limit;         /* in force now */
	double requests_per_second_limit; /* in force now; 0: none */
};

void gate_state(struct gate *gate, int64_t now, struct gate_state *ret_state);

#endif
