#include "service_state.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "capacity.h"

/* How long a service that could not start may take to leave the group that it has joined. */
#define LEAVE_NS NS_PER_S

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

void service_fail(void *context, const char *text)
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

void service_gate_options(struct service *service, struct gate_options *ret_options)
{
	const struct settings *settings = &service->running;
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

static struct kafka_member *member_now(void *context)
{
	struct service *service = context;
	return service->intake == NULL ? NULL : intake_member(service->intake);
}

static bool ask_committed(void *context, struct kafka_offset *offsets, size_t count, int timeout_ms,
	struct error *err)
{
	struct service *service = context;
	return intake_ask_committed(service->intake, offsets, count, timeout_ms, err);
}

static bool make_delivery(struct service *service, struct error *err)
{
	struct delivery_options options = {
		.settings = service->settings,
		.log = service->log,
		.budget = &service->budget,
		.ended = on_event_ended,
		.fatal = service_fail,
		.report = service_on_news,
		.member = member_now,
		.ask_committed = ask_committed,
		.context = service,
	};
	service->delivery = delivery_new(&options, err);
	return service->delivery != NULL;
}

static bool make_workers(struct service *service, struct error *err)
{
	service->share = http_share_new(err);
	if (service->share == NULL)
		return false;
	for (size_t i = 0; i < service->worker_count; i++) {
		struct worker_options options = {
			.number = (unsigned)i,
			.settings = service->settings,
			.gate = service->gate,
			.share = service->share,
			.delivery = service->delivery,
			.fatal = service_fail,
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
		.fatal = service_fail,
		.report = service_on_news,
		.context = service,
	};
	service->intake = intake_new(&options, err);
	return service->intake != NULL;
}

static bool make_parts(struct service *service, struct error *err)
{
	const struct settings *settings = service->settings;
	struct gate_options gate;
	service_gate_options(service, &gate);
	service->workers = mem_new_array(struct worker *, service->worker_count);
	if (service->workers == NULL)
		return error_memory(err);
	service->gate = gate_new(&gate, clock_monotonic_ns(), err);
	service->key = api_key_new(settings->care360.api_key_file, err);
	if (service->gate == NULL || service->key == NULL ||
		!http_client_origin(settings_base_url(settings), &service->origin, err) ||
		!make_delivery(service, err) || !make_workers(service, err) ||
		!make_intake(service, err))
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
	service->server = status_server_new(listen, service_on_request, service, err);
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

struct service *service_new(const struct settings *settings, const struct settings_sources *sources,
	struct log *log, struct error *err)
{
	struct service *service = mem_new(struct service);
	if (service == NULL) {
		error_memory(err);
		return NULL;
	}
	service->settings = settings;
	service->sources = sources;
	service->running = *settings;
	service->log = log;
	service->reload.successful = true;
	service->reload.success_at_ms = clock_wall_ms();
	service->worker_count =
		settings->lookup.workers > 0 ? (size_t)settings->lookup.workers : capacity_cores();
	service->budget.max_events = (size_t)settings->lookup.max_buffered_events;
	service->budget.max_bytes = (size_t)settings->lookup.max_buffered_bytes;
	pthread_mutex_init(&service->gate_lock, NULL);
	pthread_mutex_init(&service->kafka.lock, NULL);
	pthread_mutex_init(&service->since.lock, NULL);
	pthread_mutex_init(&service->history.lock, NULL);
	service->started_ms = clock_wall_ms();
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
	notify_free(service->notify);
	status_server_free(service->server);
	if (service->intake != NULL)
		intake_stop(service->intake, clock_monotonic_ns() + LEAVE_NS);
	delivery_stop(service->delivery); /* it asks intake who we are */
	intake_free(service->intake);
	for (size_t i = 0; service->workers != NULL && i < service->worker_count; i++)
		worker_free(service->workers[i]);
	free(service->workers);
	http_share_free(service->share);
	delivery_free(service->delivery);
	api_key_free(service->key);
	gate_free(service->gate);
	pthread_mutex_destroy(&service->gate_lock);
	pthread_mutex_destroy(&service->kafka.lock);
	pthread_mutex_destroy(&service->since.lock);
	pthread_mutex_destroy(&service->history.lock);
	free(service);
}
