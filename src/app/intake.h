/*
 * Intake: reads request records, hands them to the workers, and keeps the group's position.
 *
 * One thread owns the consumer. It copies each record into an event, opens its offset, and gives it
 * to the worker that its lane belongs to. It pauses consumption where too much is held, stores
 * watermarks to be committed, and drains partitions that are revoked: see drain.c.
 */
#ifndef APP_INTAKE_H
#define APP_INTAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "budget.h"
#include "core/gate.h"
#include "delivery.h"
#include "io/kafka.h"
#include "io/settings.h"
#include "positions.h"
#include "worker.h"

struct intake_options {
	const struct settings *settings;
	struct log *log;
	struct budget *budget;
	struct gate *gate;
	struct delivery *delivery;
	struct worker *const *workers;
	size_t worker_count;

	void (*fatal)(void *context, const char *text); /* on intake's thread */
	kafka_report_fn *report;                        /* on any thread */
	void *context;
};

struct intake;

/* Makes the consumer; intake_start() joins the group. `options` are copied, what they point to must
 * outlive it. */
struct intake *intake_new(const struct intake_options *options, struct error *err);
bool intake_start(struct intake *intake, struct error *err);

/* Drains what is assigned, at most until `deadline`, and leaves the group. Returns at once. For any
 * thread. */
void intake_stop(struct intake *intake, int64_t deadline);

/* Whether intake_stop() has come to its end; `ret_clean`: everything was finished and committed. */
bool intake_stopped(struct intake *intake, bool *ret_clean);

/* Frees it; it has stopped, or was never started. NULL is fine. */
void intake_free(struct intake *intake);

/* There is room again, or an event ended that a drain waits for. For any thread; cheap. */
void intake_nudge(struct intake *intake);

/* Its place in the group. */
enum intake_membership {
	INTAKE_JOINS,      /* it is no member: not yet, or no longer */
	INTAKE_REBALANCES, /* it was one a moment ago, and the brokers still count it in */
	INTAKE_IS_MEMBER,
};

/* For any thread. */
enum intake_membership intake_membership(const struct intake *intake);

/* Asks the brokers whether the topics can be used; false and err name the first that cannot. For
 * any thread. */
bool intake_check_topics(struct intake *intake, int timeout_ms, struct error *err);

/* Whether its loop goes round; while it stops, there is a deadline instead. For the supervisor. */
bool intake_alive(struct intake *intake, int64_t now);

/* For transactions: see io/consumer.h. For any thread. */
struct kafka_member *intake_member(struct intake *intake);
bool intake_ask_committed(struct intake *intake, struct kafka_offset *offsets, size_t count,
	int timeout_ms, struct error *err);

/* What people and metrics see of it. For any thread. */
struct intake_state {
	uint64_t partitions;
	bool full; /* consumption waits for room */
	uint64_t rebalances;
	uint64_t drains_cut_short;
};

void intake_state(struct intake *intake, struct intake_state *ret_state);

/* What is counted of one of kafka.request_topics, in numbers that only grow. */
struct intake_topic {
	const char *name;
	_Atomic(uint64_t) consumed;
	_Atomic(uint64_t) offset_resets;
};

/* One for each of kafka.request_topics, in their order; they live as long as intake. For any
 * thread. */
const struct intake_topic *intake_topics(const struct intake *intake);

/* How far each partition is: see positions_copy(). For any thread. */
struct positions *intake_positions(struct intake *intake);

#endif
