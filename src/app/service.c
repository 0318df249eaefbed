#include "service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/api_key.h"
#include "base/clock.h"
#include "base/mem.h"
#include "budget.h"
#include "capacity.h"
#include "core/gate.h"
#include "core/reply.h"
#include "delivery.h"
#include "intake.h"
#include "io/http_client.h"
#include "io/status_server.h"
#include "status.h"
#include "worker.h"

#define TICK_MS        100
#define KEY_EVERY_NS   (200 * NS_PER_MS)
#define CHECK_MS       1000           /* how long the brokers may take to describe the topics */
#define CHECK_AGAIN_NS (2 * NS_PER_S) /* while they cannot be used */
#define NEWS_LASTS_NS                                                                              \
	(5 * NS_PER_S) /* a trouble at the brokers is over when it is not reported for so long */
#define ALIVE_NS (15 * NS_PER_S) /* a supervisor that is silent for longer is stuck */

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

static void lock_gate(void *context)
{
	struct service *service = context;
	pthread_mutex_lock(&service->gate_lock);
}

static void unlock_gate(void *context)
{
	struct service *service = context;
	pthread_mutex_unlock(&service->gate_lock);
}

static void wake_worker(void *context, unsigned flow)
{
	struct service *service = context;
	worker_wake(service->workers[flow]);
}

static void on_fatal(void *context, const char *text)
{
	struct service *service = context;
	if (!atomic_exchange(&service->fatal, true))
		log_error(service->log, "cannot go on: what is not acknowledged will be read again",
			LOG_TEXT("reason", text));
}

static void on_event_ended(void *context)
{
	struct service *service = context;
	if (service->intake != NULL)
		intake_nudge(service->intake);
}

static void note_trouble(struct service *service, const struct kafka_report *report)
{
	pthread_mutex_lock(&service->kafka.lock);
	service->kafka.trouble_at = clock_monotonic_ns();
	service->kafka.checked = false;
	snprintf(service->kafka.resource, sizeof(service->kafka.resource), "%s", report->resource);
	error_set(&service->kafka.trouble, "%s", report->text);
	pthread_mutex_unlock(&service->kafka.lock);
}

static void note_recovery(struct service *service, const struct kafka_report *report)
{
	struct kafka_health *kafka = &service->kafka;
	pthread_mutex_lock(&kafka->lock);
	if (kafka->trouble_at != 0 && strcmp(kafka->resource, report->resource) == 0) {
		kafka->trouble_at = 0;
		kafka->ask_now = true;
	}
	pthread_mutex_unlock(&kafka->lock);
}

/* News from the brokers, on any thread. */
static void on_news(void *context, const struct kafka_report *report)
{
	struct service *service = context;
	switch (report->news) {
	case KAFKA_NEWS_BROKERS_DOWN:
	case KAFKA_NEWS_BROKERS_UP:
		pthread_mutex_lock(&service->kafka.lock);
		service->kafka.brokers_down = report->news == KAFKA_NEWS_BROKERS_DOWN;
		pthread_mutex_unlock(&service->kafka.lock);
		break;
	case KAFKA_NEWS_TOPIC_MISSING:
	case KAFKA_NEWS_ACCESS_DENIED:
		note_trouble(service, report);
		break;
	case KAFKA_NEWS_FATAL:
		on_fatal(service, report->text);
		return;
	case KAFKA_NEWS_OFFSET_RESET:
		log_error(service->log, report->text, LOG_TEXT("topic", report->topic),
			LOG_INT("partition", report->partition),
			LOG_INT("from", report->from_offset), LOG_INT("to", report->to_offset));
		return;
	case KAFKA_NEWS_TOPIC_FINE:
		note_recovery(service, report);
		break;
	case KAFKA_NEWS_LOG:
	case KAFKA_NEWS_OTHER:
		break;
	}
	log_write(service->log, report->level, report->text, NULL, 0);
}

/* What each stop of the line means to somebody who is woken at night. */
static const char *const cause_sentences[STOP_CAUSE_COUNT] = {
	[STOP_CREDENTIALS] = "Care360 refuses the API key",
	[STOP_ENDPOINT] =
		"what answers at care360.base_url is not the Care360 API, or denies access",
	[STOP_API_DOWN] = "the Care360 API is down or fails",
	[STOP_RATE_LIMITED] = "the Care360 API refuses every request as too many",
	[STOP_KAFKA] = "Kafka cannot be used",
};

/* Why the line is stopped, and what the API replied last where that is known. */
static void explain_stop(struct service *service, enum stop_cause cause, struct error *ret_sentence)
{
	struct flow_setback last = {0};
	for (size_t i = 0; i < service->worker_count; i++) {
		struct worker_news news;
		worker_news(service->workers[i], &news);
		if (news.setback.at > last.at)
			last = news.setback;
	}
	if (cause == STOP_CREDENTIALS && !service->has_key) {
		error_set(ret_sentence, "there is no API key that can be read");
	} else if (last.at == 0 || cause == STOP_KAFKA) {
		error_set(ret_sentence, "%s", cause_sentences[cause]);
	} else {
		char text[64];
		const struct reply reply = {
			.transport = last.transport, .status = last.http_status};
		reply_describe(&reply, text, sizeof(text));
		error_set(ret_sentence, "%s (%s)", cause_sentences[cause], text);
	}
}

/* The reason why Kafka cannot be used, or false. What a client reported says it better than the
 * refusal of one result. */
static bool kafka_trouble(struct service *service, struct error *ret_reason)
{
	struct kafka_health *kafka = &service->kafka;
	pthread_mutex_lock(&kafka->lock);
	bool trouble = !kafka->checked;
	if (trouble)
		*ret_reason = kafka->trouble;
	pthread_mutex_unlock(&kafka->lock);
	return trouble || delivery_blocked(service->delivery, ret_reason);
}

static bool brokers_down(struct service *service)
{
	pthread_mutex_lock(&service->kafka.lock);
	bool down = service->kafka.brokers_down;
	pthread_mutex_unlock(&service->kafka.lock);
	return down;
}

/* Whether the service is ready, and how things are in a sentence. */
static bool judge_readiness(
	struct service *service, const struct gate_state *gate, struct error *ret_sentence)
{
	struct error reason = {0};
	if (service->fatal)
		return error_set(ret_sentence, "cannot go on: ends");
	if (service->stopping)
		return error_set(ret_sentence, "stopping: finishes what was begun");
	if (kafka_trouble(service, &reason))
		return error_set(ret_sentence, "stopped: kafka: %s", reason.text);
	if (brokers_down(service))
		return error_set(ret_sentence, "waiting: no Kafka broker can be reached");
	if (!intake_joined(service->intake))
		return error_set(ret_sentence, "waiting: joins the consumer group");
	if (gate->cause != STOP_NONE) {
		explain_stop(service, gate->cause, &reason);
		return error_set(ret_sentence, "stopped: %s: %s; %zu requests wait unharmed",
			stop_cause_name(gate->cause), reason.text, (size_t)service->budget.events);
	}
	error_set(ret_sentence, "ready");
	return true;
}

static void look(struct service *service, struct status *ret_status)
{
	int64_t now = clock_monotonic_ns();
	*ret_status = (struct status){
		.live = now - service->alive_at < ALIVE_NS,
		.buffered_events = service->budget.events,
		.buffered_bytes = service->budget.bytes,
		.log_lines_dropped = log_dropped(service->log),
		.delivery = delivery_counters(service->delivery),
	};
	gate_state(service->gate, now, &ret_status->gate);
	intake_state(service->intake, &ret_status->intake);
	for (size_t i = 0; i < service->worker_count; i++) {
		struct worker_news news;
		worker_news(service->workers[i], &news);
		flow_counters_add(&ret_status->flow, &news.counters);
		ret_status->retrying += news.retrying;
	}
	ret_status->ready = judge_readiness(service, &ret_status->gate, &ret_status->sentence);
}

static bool on_request(void *context, const char *path, struct status_answer *ret_answer)
{
	struct service *service = context;
	struct status status;
	look(service, &status);
	return status_answer(&status, path, service->settings->server.status_page, ret_answer);
}

/* Reads the key, and gives it to the workers where it is new. */
static void mind_key(struct service *service, int64_t now)
{
	if (now < service->key_read_at + KEY_EVERY_NS)
		return;
	service->key_read_at = now;
	struct error err = {0};
	bool changed = false;
	if (!api_key_refresh(service->key, &changed, &err)) {
		if (!service->key_complained)
			log_warn(service->log, "the API key cannot be read",
				LOG_TEXT("reason", err.text));
		service->key_complained = true;
		service->has_key = api_key_bytes(service->key).data != NULL;
		if (!service->has_key)
			gate_set_no_key(service->gate, now);
		return;
	}
	service->key_complained = false;
	service->has_key = true;
	if (!changed)
		return;
	for (size_t i = 0; i < service->worker_count; i++)
		worker_set_key(service->workers[i], api_key_bytes(service->key));
	gate_set_new_key(service->gate, now);
	log_info(service->log, "API key read");
}

/* Asks the brokers for the topics where there is reason to. */
static void check_topics(struct service *service, int64_t now)
{
	struct kafka_health *kafka = &service->kafka;
	pthread_mutex_lock(&kafka->lock);
	bool over = kafka->trouble_at == 0 || now - kafka->trouble_at > NEWS_LASTS_NS;
	bool due = !kafka->checked && over &&
		   (kafka->ask_now || now >= service->topics_checked_at + CHECK_AGAIN_NS);
	kafka->ask_now = false;
	pthread_mutex_unlock(&kafka->lock);
	if (!due)
		return;
	struct error reason = {0};
	bool fine = intake_check_topics(service->intake, CHECK_MS, &reason);
	pthread_mutex_lock(&kafka->lock);
	kafka->checked = fine;
	if (!fine)
		kafka->trouble = reason;
	pthread_mutex_unlock(&kafka->lock);
	service->topics_checked_at = now;
}

/* Learns whether Kafka can be used, and tells the gate, and the log each reason once. */
static void mind_kafka(struct service *service, int64_t now)
{
	struct error reason = {0};
	check_topics(service, now);
	bool fine = !kafka_trouble(service, &reason);
	if (fine != service->kafka_was_fine)
		gate_set_kafka_fine(service->gate, fine, now);
	if (fine && !service->kafka_was_fine)
		log_info(service->log, "Kafka can be used");
	if (!fine && strcmp(reason.text, service->kafka_complaint.text) != 0)
		log_warn(service->log, "Kafka cannot be used: the line stops",
			LOG_TEXT("reason", reason.text));
	service->kafka_was_fine = fine;
	service->kafka_complaint = reason;
}

/* Writes to the log when the line stopped or runs again, but not for stops too short to be seen. */
static void tell_line(struct service *service, int64_t now)
{
	struct gate_state state;
	gate_state(service->gate, now, &state);
	/* Of Kafka mind_kafka() tells. */
	if (state.cause == service->cause_logged || state.cause == STOP_KAFKA)
		return;
	service->cause_logged = state.cause;
	struct error reason = {0};
	if (state.cause != STOP_NONE)
		explain_stop(service, state.cause, &reason);
	if (state.cause == STOP_NONE)
		log_info(service->log, "the line runs again",
			LOG_INT("waiting", service->budget.events));
	else
		log_warn(service->log, "the line stops",
			LOG_TEXT("cause", stop_cause_name(state.cause)),
			LOG_TEXT("reason", reason.text),
			LOG_INT("waiting", service->budget.events));
}

static void tick(struct service *service)
{
	int64_t now = clock_monotonic_ns();
	service->alive_at = now;
	if (service->fatal)
		return;
	mind_key(service, now);
	mind_kafka(service, now);
	tell_line(service, now);
}

/* Waits for a signal, at most for a tick; 0 where none came. */
static int next_signal(const struct service *service)
{
	struct timespec wait = {.tv_nsec = TICK_MS * NS_PER_MS};
	int number = sigtimedwait(&service->signals, NULL, &wait);
	return number < 0 ? 0 : number;
}

static bool is_stop(int number)
{
	return number == SIGTERM || number == SIGINT;
}

/* Drains, but not longer than it may take. */
static bool stop(struct service *service)
{
	int64_t now = clock_monotonic_ns();
	int64_t deadline = now + service->settings->shutdown.timeout_ms * NS_PER_MS;
	service->stopping = true;
	log_info(service->log, "stopping: finishes what was begun",
		LOG_INT("held", service->budget.events));
	intake_stop(service->intake, deadline);
	bool clean = false;
	while (!intake_stopped(service->intake, &clean)) {
		tick(service);
		bool late = clock_monotonic_ns() > deadline + NS_PER_S;
		if (!late && !is_stop(next_signal(service)))
			continue;
		log_error(service->log, late ? "the drain did not end in time: ends at once"
					     : "second signal: ends at once");
		_exit(1);
	}
	log_info(service->log, "stopped", LOG_BOOL("clean", clean));
	return clean;
}

bool service_run(struct service *service)
{
	while (!service->fatal) {
		tick(service);
		int number = next_signal(service);
		if (is_stop(number))
			break;
	}
	bool clean = stop(service);
	return clean && !service->fatal;
}

static void gate_options_of(struct service *service, struct gate_options *ret_options)
{
	const struct settings *settings = service->settings;
	*ret_options = (struct gate_options){
		.flows = (unsigned)service->worker_count,
		.in_flight = (unsigned)settings->lookup.in_flight,
		.requests_per_second = (unsigned)settings->limits.requests_per_second,
		.adaptive = settings->limits.adaptive,
		.failure_percent = (unsigned)settings->breaker.failure_percent,
		.min_requests = (unsigned)settings->breaker.min_requests,
		.window_ns = settings->breaker.window_ms * NS_PER_MS,
		.probe_interval_ns = settings->breaker.probe_interval_ms * NS_PER_MS,
		.lock = lock_gate,
		.unlock = unlock_gate,
		.wake = wake_worker,
		.context = service,
	};
}

static bool make_delivery(struct service *service, struct error *err)
{
	struct delivery_options options = {
		.settings = service->settings,
		.log = service->log,
		.budget = &service->budget,
		.ended = on_event_ended,
		.fatal = on_fatal,
		.report = on_news,
		.context = service,
	};
	service->delivery = delivery_new(&options, err);
	return service->delivery != NULL;
}

static bool make_workers(struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->worker_count; i++) {
		struct worker_options options = {
			.number = (unsigned)i,
			.settings = service->settings,
			.gate = service->gate,
			.delivery = service->delivery,
			.fatal = on_fatal,
			.context = service,
		};
		service->workers[i] = worker_new(&options, err);
		if (service->workers[i] == NULL)
			return false;
	}
	return true;
}

static bool make_intake(struct service *service, struct error *err)
{
	struct intake_options options = {
		.settings = service->settings,
		.log = service->log,
		.budget = &service->budget,
		.gate = service->gate,
		.delivery = service->delivery,
		.workers = service->workers,
		.worker_count = service->worker_count,
		.fatal = on_fatal,
		.report = on_news,
		.context = service,
	};
	service->intake = intake_new(&options, err);
	return service->intake != NULL;
}

static bool make_parts(struct service *service, struct error *err)
{
	const struct settings *settings = service->settings;
	struct gate_options gate;
	gate_options_of(service, &gate);
	service->workers = mem_new_array(struct worker *, service->worker_count);
	if (service->workers == NULL)
		return error_memory(err);
	service->gate = gate_new(&gate, clock_monotonic_ns(), err);
	service->key = api_key_new(settings->care360.api_key_file, err);
	if (service->gate == NULL || service->key == NULL || !make_delivery(service, err) ||
		!make_workers(service, err) || !make_intake(service, err))
		return false;
	/* Nothing may start before the topics were seen and a key was read. */
	gate_set_kafka_fine(service->gate, false, clock_monotonic_ns());
	error_set(&service->kafka.trouble, "the topics have not been checked yet");
	return true;
}

static bool start_parts(struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->worker_count; i++)
		if (!worker_start(service->workers[i], err))
			return false;
	if (!intake_start(service->intake, err))
		return false;
	const char *listen = service->settings->server.listen;
	if (listen[0] == '\0')
		return true;
	service->server = status_server_new(listen, on_request, service, err);
	if (service->server == NULL)
		return error_prefix(err, "server.listen");
	log_info(service->log, "status server listens",
		LOG_INT("port", status_server_port(service->server)));
	return true;
}

/* The signals that the supervisor waits for. */
static void supervisor_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGHUP);
}

void service_block_signals(void)
{
	sigset_t signals;
	supervisor_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

struct service *service_new(const struct settings *settings, struct log *log, struct error *err)
{
	struct service *service = mem_new(struct service);
	if (service == NULL) {
		error_memory(err);
		return NULL;
	}
	service->settings = settings;
	service->log = log;
	service->worker_count =
		settings->lookup.workers > 0 ? (size_t)settings->lookup.workers : capacity_cores();
	service->budget.max_events = (size_t)settings->lookup.max_buffered_events;
	service->budget.max_bytes = (size_t)settings->lookup.max_buffered_bytes;
	pthread_mutex_init(&service->gate_lock, NULL);
	pthread_mutex_init(&service->kafka.lock, NULL);
	supervisor_signals(&service->signals);
	if (!make_parts(service, err) || !start_parts(service, err)) {
		service_free(service);
		return NULL;
	}
	return service;
}

void service_free(struct service *service)
{
	if (service == NULL)
		return;
	status_server_free(service->server);
	if (service->intake != NULL)
		intake_stop(service->intake, clock_monotonic_ns());
	intake_free(service->intake);
	for (size_t i = 0; service->workers != NULL && i < service->worker_count; i++)
		worker_free(service->workers[i]);
	free(service->workers);
	delivery_free(service->delivery);
	api_key_free(service->key);
	gate_free(service->gate);
	pthread_mutex_destroy(&service->gate_lock);
	pthread_mutex_destroy(&service->kafka.lock);
	free(service);
}
