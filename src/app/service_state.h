/*
 * The service's inside: what service.c (making, starting, ending), supervisor.c (the loop),
 * reload.c and readiness.c (how things are, in words) share.
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
#include "notify.h"
#include "service.h"
#include "status/status.h"
#include "worker.h"

/* What is known of the brokers: told by any thread, judged by the supervisor. */
struct kafka_health {
	pthread_mutex_t lock;
	bool checked;         /* the topics could be used when they were last asked for */
	struct error down;    /* why no broker can be used; "": one can */
	int64_t trouble_at;   /* when a topic or a right was last reported missing; 0: it is fine */
	char resource[300];   /* what was: "topic care360.lookup-results" */
	bool ask_now;         /* there is reason to hope: ask for the topics at once */
	struct error trouble; /* what the matter is: from the report, or what the check found */
};

/* When settings and key were put in force. Set by the supervisor, read by any thread. */
struct reload_state {
	_Atomic(bool) successful;           /* the last reload; true where there was none */
	_Atomic(int64_t) success_at_ms;     /* of the wall clock; the start counts */
	_Atomic(int64_t) key_changed_at_ms; /* 0: there is no key yet */
};

/* Since when the service is as it is, by the monotonic clock. */
struct condition_since {
	pthread_mutex_t lock;
	enum condition condition;
	enum stop_cause cause;
	int64_t at;
};

struct service {
	const struct settings *settings; /* as at the start */
	const struct settings_sources *sources;
	struct log *log;
	sigset_t signals;

	struct budget budget;
	pthread_mutex_t gate_lock;
	struct gate *gate;
	struct delivery *delivery;
	struct worker **workers;
	struct http_share *share; /* what the workers know of the API together */
	size_t worker_count;
	struct intake *intake;
	struct api_key *key;
	struct status_server *server;

	struct kafka_health kafka;
	struct condition_since since;
	struct history history;
	struct http_origin origin; /* of the API */
	int64_t started_ms;        /* of the wall clock */
	_Atomic(bool) fatal;       /* a part cannot go on */
	_Atomic(bool) stopping;
	_Atomic(bool) has_key;
	_Atomic(int64_t) alive_at; /* when all threads were last seen to go round */
	struct reload_state reload;

	/* The supervisor's own. */
	struct settings running; /* `settings`, whose texts it shares, with what reloads changed */
	struct notify *notify;
	int64_t threads_seen_at;
	bool threads_alive;
	int64_t key_read_at;
	int64_t topics_checked_at;
	int64_t sampled_at;
	bool key_complained;
	bool kafka_was_fine;
	struct error kafka_complaint; /* the one in the log */
	struct error down_told;       /* likewise */
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

/* What the gate is to go by, as the settings that run have it. */
void service_gate_options(struct service *service, struct gate_options *ret_options);

/* Reads the settings again. For the supervisor. */
void service_reload(struct service *service);

/* Whether it is ready, and how things are in a sentence. */
bool service_readiness(struct service *service, struct error *ret_sentence);

/* Whether no broker can be used, and why. */
bool service_brokers_down(struct service *service, struct error *ret_reason);

/* How things are: sets the sentence, and the reason where the line is stopped. For any thread. */
enum condition service_judge(struct service *service, struct status *status);

/* Notes for the status what only time can tell: since when things are as they are, and the
 * history. Once a tick of the supervisor. */
void service_watch(struct service *service, int64_t now);

/* Answers the status server. */
bool service_on_request(void *service, const char *path, struct status_answer *ret_answer);

#endif
