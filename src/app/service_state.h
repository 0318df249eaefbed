/*
 * The service's inside: what service.c (making, starting, ending), supervisor.c (the loop) and
 * readiness.c (how things are, in words) share.
 */
#ifndef APP_SERVICE_STATE_H
#define APP_SERVICE_STATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/api_key.h"
#include "base/error.h"
#include "base/log.h"
#include "budget.h"
#include "core/gate.h"
#include "delivery.h"
#include "intake.h"
#include "io/settings.h"
#include "io/status_server.h"
#include "service.h"
#include "worker.h"

/* What is known of the brokers: told by any thread, judged by the supervisor. */
struct kafka_health {
	pthread_mutex_t lock;
	bool checked; /* the topics could be used when they were last asked for */
	bool brokers_down;
	int64_t trouble_at;   /* when a topic or a right was last reported missing; 0: it is fine */
	char resource[300];   /* what was: "topic care360.lookup-results" */
	bool ask_now;         /* there is reason to hope: ask for the topics at once */
	struct error trouble; /* what the matter is: from the report, or what the check found */
};

struct service {
	const struct settings *settings;
	struct log *log;
	sigset_t signals;

	struct budget budget;
	pthread_mutex_t gate_lock;
	struct gate *gate;
	struct delivery *delivery;
	struct worker **workers;
	size_t worker_count;
	struct intake *intake;
	struct api_key *key;
	struct status_server *server;

	struct kafka_health kafka;
	_Atomic(bool) fatal; /* a part cannot go on */
	_Atomic(bool) stopping;
	_Atomic(bool) has_key;
	_Atomic(int64_t) alive_at;

	/* The supervisor's own. */
	int64_t key_read_at;
	int64_t topics_checked_at;
	bool key_complained;
	bool kafka_was_fine;
	struct error kafka_complaint; /* the one in the log */
	enum stop_cause cause_logged;
};

/* A part cannot go on: the supervisor ends the service. For any thread; tells the log once. */
void service_fail(void *service, const char *text);

/* News from the brokers. For any thread; a kafka_report_fn. */
void service_on_news(void *service, const struct kafka_report *report);

/* Why the line is stopped, and what the API replied last where that is known. */
void service_explain_stop(
	const struct service *service, const struct gate_state *gate, struct error *ret_sentence);

/* Whether Kafka cannot be used, and why. */
bool service_kafka_trouble(struct service *service, struct error *ret_reason);

/* Answers the status server. */
bool service_on_request(void *service, const char *path, struct status_answer *ret_answer);

#endif
