/*
 * The simulated world: one to four flows at one gate, a model of the Care360 API, and Kafka, all in
 * virtual time and all drawn from one seed.
 *
 * A history is a list of happenings in the order of their time (agenda). world.c lets them happen,
 * workers.c does what a worker of the service does, api.c answers as the API would, and checker.c
 * keeps its own record of everything and says which rule was broken. The checker never asks the
 * code under test what it thinks: only the model knows what is true of a customer.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "core/flow.h"
#include "core/gate.h"
#include "core/offset_tracker.h"
#include "core/retry.h"

#define WORKERS_MAX    4
#define PARTITIONS_MAX 4
#define KEYS_MAX       8
#define CUSTOMERS_MAX  40
#define WEATHERS_MAX   6
#define NONE           (-1)

/* What is true of a customer, whoever asks and however often. */
enum truth {
	TRUTH_FOUND,
	TRUTH_NOT_FOUND,
	TRUTH_EMAIL_MISSING,
	TRUTH_POISON, /* the first of those that the API never answers as documented */
	TRUTH_FORBIDDEN = TRUTH_POISON,
	TRUTH_GONE,
	TRUTH_CRASHES,
	TRUTH_HANGS,
	TRUTH_GARBLED,
	TRUTH_UNKNOWN_TEXT,
	TRUTH_COUNT
};

/* How the API is, for everybody. */
enum weather_kind {
	WEATHER_FINE,
	WEATHER_FLAKY,
	WEATHER_ERRORS,
	WEATHER_NO_CONNECTION,
	WEATHER_HANGS,
	WEATHER_MAINTENANCE_PAGE,
	WEATHER_WRONG_ENDPOINT,
	WEATHER_KEY_REFUSED,
	WEATHER_UNKNOWN_TEXT,
	WEATHER_BUSY,
	WEATHER_COUNT
};

struct weather {
	enum weather_kind kind;
	int64_t from;
	int64_t until;
};

/* What a reply of the model says, as the contract's table has it. */
enum meaning { MEANS_ANSWER, MEANS_FAILURE, MEANS_REFUSAL, MEANS_BAD_KEY, MEANS_WRONG_ENDPOINT };

struct answer {
	enum meaning meaning;
	enum reason reason; /* of the error event that it may become */
	bool unclassified;
	enum reply_transport transport;
	int status;
	char body[160];
	char retry_after[8]; /* "": none */
	int64_t retry_after_ns;
	int64_t latency;
};

enum shape { ASKS, IS_MALFORMED, LACKS_IDENTITY };

enum place { ON_ITS_WAY, HELD, PUBLISHED, ACKNOWLEDGED, DROPPED };

/* One event, from the world's point of view. */
struct tale {
	size_t number;
	struct assignment *assignment;
	int64_t offset;
	uint64_t sequence;
	unsigned worker;
	enum shape shape;
	int customer; /* NONE: it asks for nobody */
	int key;      /* NONE */
	enum place place;
	int64_t arrived_at;
	int64_t not_before; /* the API asked for no request before */
	size_t held_index;
	struct inquiry *inquiry; /* the look-up that was started for it */
	struct event *event;     /* PUBLISHED: the holder is the world */
};

/* A failed attempt of an inquiry. */
struct failed_attempt {
	uint64_t start;
	bool unclassified;
	bool forgiven; /* the line stopped before anybody disproved it: it must not count */
	bool doubtful; /* the line stopped after it was disproved: it may count or not */
};

#define ATTEMPTS_KEPT 64

/* A look-up that was started at least once, from the world's point of view. */
struct inquiry {
	struct inquiry *next; /* all of them */
	unsigned worker;
	int customer;
	size_t *tales; /* numbers of the tales that it is for */
	size_t tale_count;
	struct lookup *lookup; /* under way; NULL otherwise */
	struct failed_attempt failed[ATTEMPTS_KEPT];
	size_t failed_count;
	unsigned failures;    /* all there ever were, forgiven ones too */
	enum reason reason;   /* of the last failure */
	uint64_t answered_by; /* call number; 0: not answered */
	int64_t asked_at;     /* when that call started */
	int64_t ended_at;     /* when its last request ended */
	unsigned setbacks;    /* replies that did not answer it */
	unsigned failed_now;  /* failures since the line had stopped `failed_stops` times */
	uint64_t failed_stops;
	bool stopped_line; /* its failures stopped the line before */
};

/* One API request under way. */
struct call {
	uint64_t number;
	uint64_t start; /* the gate's number */
	unsigned worker;
	struct inquiry *inquiry;
	struct lookup *lookup;
	bool probe;
	int64_t started_at;
	struct answer answer;
};

/* One assignment of a partition: what flow knows as a source. */
struct assignment {
	struct assignment *next;
	int partition;
	int64_t next_offset;
	struct offset_tracker *tracker;
	size_t *tales; /* by sequence */
	size_t tale_count;
	bool ending; /* a drain has begun, or it is lost */
	bool lost;
	unsigned answers_due; /* workers that have not said yet how far they got */
	unsigned cuts_due;
	int64_t highest;
	int64_t cut;       /* nothing above it may be published any more */
	int64_t watermark; /* what may be committed; -1: nothing */
	size_t first_open; /* the first of its tales that is not acknowledged */
	int64_t lane_not_before[KEYS_MAX + 1];
	int64_t lane_last[KEYS_MAX + 1]; /* the offset published last */
};

/* What the seed decided at the start. */
struct plan {
	unsigned workers;
	unsigned partitions;
	int keys;
	int customers;
	size_t events;
	int64_t arrival_gap; /* the longest between two events */
	unsigned poison_percent;
	unsigned malformed_percent;
	unsigned flaky_percent;
	unsigned resend_percent;
	int64_t latency;
	int64_t poison_latency;
	int64_t timeout;
	unsigned retry_after_percent;
	size_t buffer;      /* events held at once */
	unsigned slice;     /* actions that a worker does before others have a turn */
	int64_t wake_delay; /* the longest between a wake-up and a worker's asking */
	bool drains;
	enum truth truths[CUSTOMERS_MAX];
	struct weather weathers[WEATHERS_MAX];
	size_t weather_count;
	int64_t fine_from; /* nothing is wrong any more */
	struct flow_options flow;
	struct gate_options gate;
};

enum happening_kind {
	HAPPENS_ARRIVAL,
	HAPPENS_HEARTBEAT,
	HAPPENS_COMING,
	HAPPENS_RUN,
	HAPPENS_REPLY,
	HAPPENS_RESEND,
	HAPPENS_ACKNOWLEDGEMENT,
	HAPPENS_REVOCATION,
	HAPPENS_DRAIN_BEGIN,
	HAPPENS_DRAIN_CUT,
	HAPPENS_LOSS,
	HAPPENS_KAFKA_DOWN,
	HAPPENS_KAFKA_UP,
	HAPPENS_KEY_GONE,
	HAPPENS_NEW_KEY,
	HAPPENS_NEW_LIMITS,
};

struct happening {
	int64_t at;
	uint64_t order; /* of those at the same time */
	enum happening_kind kind;
	unsigned worker;
	size_t index; /* of a tale or a run's generation */
	void *subject;
};

struct worker {
	struct flow *flow;
	uint64_t generation; /* of the one run on the agenda that counts */
	int64_t runs_at;     /* TIME_NEVER: it sleeps until woken */
	unsigned under_way;
	unsigned unstarted;      /* events that ask and that no request was started for */
	struct happening *inbox; /* what waits for the end of a drain */
	size_t inbox_count;
	unsigned draining;    /* drains between their two steps */
	bool asked;           /* it was told to wait with something to start */
	unsigned passed_over; /* starts of others since then, while it had none under way */
	uint64_t asked_since; /* the line's turns then */
};

/* What the checker remembers of the line. */
struct line {
	enum stop_cause cause;
	uint64_t stops;
	int64_t stopped_at;
	int64_t went_at; /* when it last went on; far back if never */
	unsigned under_way_then;
	uint64_t go_after;    /* a documented reply to a later start sets it going */
	uint64_t go_perhaps;  /* one to a start above this and up to go_after may do so */
	bool perhaps;         /* such a reply has just come */
	unsigned last_prober; /* the worker that probed last, or stopped the line since */
	uint64_t turns;       /* probes and stops so far */
	int64_t probed_at;    /* the last probe since the stop or the new key; -1: none */
	uint64_t witness;
	int64_t refusing_since; /* -1: not so */
	double tokens;
	int64_t filled_at;
	int64_t ends[10]; /* the breaker's buckets: number, requests, failures */
	unsigned end_answered[10];
	unsigned end_failed[10];   /* of events that were answered after all */
	unsigned end_doubtful[10]; /* no later start was answered since */
};

struct world {
	uint64_t seed;
	struct random random;
	bool verbose;
	bool broken;
	char verdict[256]; /* which rule was broken */

	struct plan plan;
	int64_t now;
	struct happening *agenda;
	size_t agenda_count;
	size_t agenda_capacity;
	uint64_t order;

	struct gate *gate;
	struct worker workers[WORKERS_MAX];
	struct assignment *assignments;
	struct assignment *assigned[PARTITIONS_MAX];
	struct tale **tales;
	size_t tale_count;
	size_t tale_capacity;
	struct inquiry *inquiries;
	struct call *calls[1024];
	size_t call_count;
	struct line line;

	size_t to_arrive;
	size_t coming; /* tales on their way to a worker */
	size_t buffered;
	bool arrival_planned;
	bool heartbeat_planned;
	size_t *held; /* numbers of the tales that are held */
	size_t held_count;
	size_t unfinished; /* tales held or published */
	bool kafka_down;
	bool key_gone;
	bool blurred; /* the checker lost track, and the history ends */
	uint64_t calls_made;
	uint64_t happened;
};

/* world.c */
bool world_live(uint64_t seed, bool verbose, char *ret_verdict, size_t size);
void agenda_add(struct world *world, int64_t at, struct happening happening);
void tell(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* plan.c */
uint64_t dice(struct random *random, uint64_t bound);
bool chance(struct random *random, unsigned percent);
void plan_make(struct plan *plan, struct random *random);
void plan_tell(const struct world *world);

/* workers.c */
void worker_woken(void *context, unsigned number);
void worker_run(struct world *world, unsigned number);
bool worker_add(struct world *world, struct tale *tale);
void worker_reply(struct world *world, struct call *call);
void worker_resend(struct world *world, struct call *call);
void worker_drain_begin(struct world *world, unsigned number, struct assignment *assignment);
void worker_drain_cut(struct world *world, unsigned number, struct assignment *assignment);
void worker_abandon(struct world *world, unsigned number, struct assignment *assignment);

/* api.c */
bool truth_is_poison(enum truth truth);
const char *truth_name(enum truth truth);
const char *weather_name(enum weather_kind kind);
void api_answer(struct world *world, const struct call *call, struct answer *ret_answer);

/* line.c: whether the line stops and goes as it must */
void line_start(struct world *world);
void line_end(struct world *world, const struct call *call);
void line_new_limits(struct world *world);
void line_compare(struct world *world, unsigned worker);

/* checker.c: what may start, and when something must */
void check_start(struct world *world, const struct call *call);
void check_failure(struct world *world, const struct call *call, bool stopped_before);
void check_resend(struct world *world, struct call *call, uint64_t start);
void check_rest(struct world *world);
void check_wait(struct world *world, unsigned worker);

/* tales.c: what becomes of events */
struct tale *tale_of(const struct world *world, const struct event *event);
void tale_held(struct world *world, struct tale *tale);
struct inquiry *inquiry_of(struct world *world, unsigned worker, struct lookup *lookup);
void check_held(struct world *world);
bool inquiry_is_wanted(const struct world *world, const struct inquiry *inquiry);
int64_t inquiry_not_before(const struct world *world, const struct inquiry *inquiry);
void note_retry_after(struct world *world, const struct call *call);
void check_result(struct world *world, struct event *event);
void check_dropped(
	struct world *world, struct assignment *assignment, struct event *events, int64_t cut);
void check_acknowledged(struct world *world, struct tale *tale);

#endif
