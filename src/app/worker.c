#include "worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api_client.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/request.h"
#include "gather.h"
#include "io/http_client.h"
#include "pulse.h"

/* What a reload may change of a worker. */
struct changes {
	struct flow_options flow;
	int connect_timeout_ms;
	int timeout_ms;
};

/* How soon a result that delivery could not take is offered again. */
#define OFFER_AGAIN_NS (10 * NS_PER_MS)

/*
 * Threads meet at the inbox: intake puts in events and calls, the supervisor a key and changes,
 * under `lock`; the worker takes all of it at once. Everything else belongs to the worker's thread.
 */
struct inbox {
	pthread_mutex_t lock;
	pthread_cond_t called; /* a call was answered */
	struct event *first, *last;
	void (*call)(struct flow *flow, void *argument);
	void *argument;
	char *key; /* a new key, wiped when it was taken */
	bool changed;
	struct changes changes;
	struct worker_news news;
	bool stop;
};

struct worker {
	struct worker_options options;
	struct flow *flow;
	struct http_client *client;
	struct result_encoder *encoder;
	struct event *unsent; /* with an outcome, and not taken by delivery yet */
	struct gather gather;
	struct api_durations durations;
	struct inbox inbox;
	struct pulse pulse;
	pthread_t thread;
	bool started;
	bool failed;
};

static void fail(struct worker *worker, const struct error *err)
{
	if (!worker->failed)
		worker->options.fatal(worker->options.context, err->text);
	worker->failed = true;
}

/* libcurl is about to send a request again by itself. */
static bool may_resend(void *context, void *tag)
{
	struct worker *worker = context;
	return flow_may_resend(worker->flow, tag, clock_monotonic_ns());
}

static struct http_client *new_client(struct worker *worker, struct error *err)
{
	const struct settings *settings = worker->options.settings;
	struct http_client_options options =
		api_client_options(settings, settings->lookup.in_flight);
	options.may_resend = may_resend;
	options.context = worker;
	options.share = worker->options.share;
	return http_client_new(&options, err);
}

static enum flow_ordering flow_ordering(const struct settings *settings)
{
	switch (settings->lookup.ordering) {
	case ORDERING_PARTITION:
		return FLOW_ORDER_PARTITION;
	case ORDERING_NONE:
		return FLOW_ORDER_NONE;
	default:
		return FLOW_ORDER_KEY;
	}
}

static struct flow_options flow_options(
	const struct worker *worker, const struct settings *settings)
{
	int probe_ms = settings->breaker.probe_interval_ms < settings->care360.timeout_ms
			       ? settings->breaker.probe_interval_ms
			       : settings->care360.timeout_ms;
	int patience_ms = settings->care360.timeout_ms > settings->retry.max_backoff_ms
				  ? settings->care360.timeout_ms
				  : settings->retry.max_backoff_ms;
	return (struct flow_options){
		.number = worker->options.number,
		.ordering = flow_ordering(settings),
		.coalesce = settings->lookup.coalesce,
		.max_attempts = (unsigned)settings->retry.max_attempts,
		.initial_backoff_ns = settings->retry.initial_backoff_ms * NS_PER_MS,
		.max_backoff_ns = settings->retry.max_backoff_ms * NS_PER_MS,
		.probe_timeout_ns = probe_ms * NS_PER_MS,
		.patience_ns = patience_ms * NS_PER_MS,
		.seed = (uint64_t)clock_monotonic_ns() + worker->options.number,
	};
}

struct worker *worker_new(const struct worker_options *options, struct error *err)
{
	struct worker *worker = mem_new(struct worker);
	if (worker == NULL) {
		error_memory(err);
		return NULL;
	}
	worker->options = *options;
	pthread_mutex_init(&worker->inbox.lock, NULL);
	pthread_cond_init(&worker->inbox.called, NULL);
	struct flow_options flow = flow_options(worker, options->settings);
	worker->flow = flow_new(&flow, options->gate, err);
	if (worker->flow != NULL)
		worker->client = new_client(worker, err);
	if (worker->client != NULL)
		worker->encoder =
			result_encoder_new(delivery_result_options(options->delivery), err);
	if (worker->encoder == NULL) {
		worker_free(worker);
		return NULL;
	}
	return worker;
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	if (worker->started) {
		pthread_mutex_lock(&worker->inbox.lock);
		worker->inbox.stop = true;
		pthread_mutex_unlock(&worker->inbox.lock);
		http_client_wake(worker->client);
		pthread_join(worker->thread, NULL);
	}
	struct event *event;
	struct event *next;
	DL_FOREACH_SAFE (worker->unsent, event, next) {
		delivery_drop(worker->options.delivery, event);
	}
	http_client_free(worker->client);
	flow_free(worker->flow);
	result_encoder_free(worker->encoder);
	pthread_mutex_destroy(&worker->inbox.lock);
	pthread_cond_destroy(&worker->inbox.called);
	free(worker);
}

/* Takes what others put into the inbox. False where the worker is to stop. */
static bool take_inbox(struct worker *worker)
{
	struct inbox *inbox = &worker->inbox;
	pthread_mutex_lock(&inbox->lock);
	bool stop = inbox->stop;
	struct event *events = inbox->first;
	inbox->first = NULL;
	inbox->last = NULL;
	char *key = take_pointer(inbox->key);
	bool changed = inbox->changed;
	struct changes changes = inbox->changes;
	inbox->changed = false;
	void (*call)(struct flow *, void *) = inbox->call;
	pthread_mutex_unlock(&inbox->lock);

	struct error err = {0};
	if (changed) {
		flow_set_options(worker->flow, &changes.flow);
		http_client_set_timeouts(
			worker->client, changes.connect_timeout_ms, changes.timeout_ms);
	}
	if (key != NULL) {
		if (!http_client_set_key(worker->client, bytes_of_text(key), &err))
			fail(worker, &err);
		explicit_bzero(key, strlen(key));
		free(key);
	}
	while (events != NULL) {
		struct event *event = events;
		events = event->next;
		if (!flow_add(worker->flow, event, &err)) {
			fail(worker, &err);
			delivery_drop(worker->options.delivery, event);
		}
	}
	if (call != NULL) {
		call(worker->flow, inbox->argument);
		pthread_mutex_lock(&inbox->lock);
		inbox->call = NULL;
		pthread_cond_signal(&inbox->called);
		pthread_mutex_unlock(&inbox->lock);
	}
	return !stop;
}

/* Offers delivery what it has not taken yet, in order. Returns when to do so again. */
static int64_t offer_unsent(struct worker *worker)
{
	int64_t now = clock_monotonic_ns();
	int64_t until = gather_until(&worker->gather, now);
	if (worker->unsent == NULL)
		return TIME_NEVER;
	if (until > now)
		return until;
	while (worker->unsent != NULL) {
		struct event *event = worker->unsent;
		DL_DELETE(worker->unsent, event);
		if (delivery_publish(worker->options.delivery, worker->encoder, event) ==
			DELIVERY_LATER) {
			DL_PREPEND(worker->unsent, event);
			return now + OFFER_AGAIN_NS;
		}
	}
	return TIME_NEVER;
}

static void send_lookup(struct worker *worker, const struct flow_action *action)
{
	struct customer customer = lookup_customer(action->lookup);
	const struct event *event = lookup_event(action->lookup);
	struct http_request http = {
		.email = customer.email,
		.phone = customer.phone,
		.timeout_ms = (int)(action->timeout_ns / NS_PER_MS),
	};
	if (event != NULL && worker->options.settings->care360.send_trace_context)
		http.traceparent = record_header(&event->record, BYTES("traceparent"));
	struct error err = {0};
	if (!http_client_start(worker->client, &http, action->lookup, &err))
		fail(worker, &err);
}

/* Does what the flow wants, until it has to wait; returns until when. */
static int64_t run_flow(struct worker *worker)
{
	struct flow_action action;
	int64_t now = clock_monotonic_ns();
	for (;;) {
		switch (flow_next(worker->flow, now, &action)) {
		case FLOW_SEND:
			send_lookup(worker, &action);
			now = clock_monotonic_ns();
			break;
		case FLOW_PUBLISH:
			DL_APPEND(worker->unsent, action.event);
			gather_note(&worker->gather, 1);
			break;
		case FLOW_WAIT:
			return action.until;
		}
	}
}

static void take_replies(struct worker *worker)
{
	void *tag;
	struct reply reply;
	int64_t duration;
	int64_t now = clock_monotonic_ns();
	int64_t wall_ms = clock_wall_ms();
	while (http_client_take(worker->client, &tag, &reply, &duration)) {
		struct error err = {0};
		api_durations_record(&worker->durations, &reply, duration);
		if (!flow_reply(worker->flow, tag, &reply, now, wall_ms, &err))
			fail(worker, &err);
	}
}

/* Puts the worker's news where other threads may read them. */
static void tell_news(struct worker *worker)
{
	pthread_mutex_lock(&worker->inbox.lock);
	worker->inbox.news = (struct worker_news){
		.counters = *flow_counters(worker->flow),
		.retrying = flow_retrying(worker->flow),
	};
	pthread_mutex_unlock(&worker->inbox.lock);
}

static void *worker_main(void *context)
{
	struct worker *worker = context;
	while (take_inbox(worker)) {
		pulse_beat(&worker->pulse);
		int64_t until = worker->failed ? TIME_NEVER : run_flow(worker);
		tell_news(worker); /* whoever sees a result finds it counted */
		int64_t offer = offer_unsent(worker);
		http_client_wait(worker->client, offer < until ? offer : until);
		if (!worker->failed && !flow_frozen(worker->flow))
			take_replies(worker);
	}
	return NULL;
}

bool worker_start(struct worker *worker, struct error *err)
{
	int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
	worker->started = failed == 0;
	return worker->started || error_system(err, failed, "cannot start a thread");
}

void worker_give(struct worker *worker, struct event *first, struct event *last)
{
	struct inbox *inbox = &worker->inbox;
	pthread_mutex_lock(&inbox->lock);
	if (inbox->last == NULL)
		inbox->first = first;
	else
		inbox->last->next = first;
	inbox->last = last;
	pthread_mutex_unlock(&inbox->lock);
	http_client_wake(worker->client);
}

void worker_call(
	struct worker *worker, void (*function)(struct flow *flow, void *argument), void *argument)
{
	struct inbox *inbox = &worker->inbox;
	pthread_mutex_lock(&inbox->lock);
	inbox->argument = argument;
	inbox->call = function;
	http_client_wake(worker->client);
	while (inbox->call != NULL)
		pthread_cond_wait(&inbox->called, &inbox->lock);
	pthread_mutex_unlock(&inbox->lock);
}

void worker_wake(struct worker *worker)
{
	http_client_wake(worker->client);
}

void worker_set_key(struct worker *worker, struct bytes key)
{
	struct inbox *inbox = &worker->inbox;
	pthread_mutex_lock(&inbox->lock);
	if (inbox->key != NULL)
		explicit_bzero(inbox->key, strlen(inbox->key));
	free(inbox->key);
	inbox->key = strndup(key.data, key.length);
	pthread_mutex_unlock(&inbox->lock);
	http_client_wake(worker->client);
}

void worker_set_options(struct worker *worker, const struct settings *settings)
{
	struct inbox *inbox = &worker->inbox;
	pthread_mutex_lock(&inbox->lock);
	inbox->changed = true;
	inbox->changes = (struct changes){
		.flow = flow_options(worker, settings),
		.connect_timeout_ms = settings->care360.connect_timeout_ms,
		.timeout_ms = settings->care360.timeout_ms,
	};
	pthread_mutex_unlock(&inbox->lock);
	http_client_wake(worker->client);
}

bool worker_alive(struct worker *worker, int64_t now)
{
	bool alive = pulse_alive(&worker->pulse, now);
	http_client_wake(worker->client);
	return alive;
}

void worker_news(struct worker *worker, struct worker_news *ret_news)
{
	pthread_mutex_lock(&worker->inbox.lock);
	*ret_news = worker->inbox.news;
	pthread_mutex_unlock(&worker->inbox.lock);
}

const struct api_durations *worker_durations(const struct worker *worker)
{
	return &worker->durations;
}
