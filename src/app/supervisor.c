#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/commands.h"
#include "base/clock.h"
#include "process.h"
#include "service_state.h"

#define TICK_MS        100
#define KEY_EVERY_NS   (200 * NS_PER_MS)
#define CHECK_MS       1000           /* how long the brokers may take to describe the topics */
#define CHECK_AGAIN_NS (2 * NS_PER_S) /* while they cannot be used */
#define STOP_GRACE_NS  (1 * NS_PER_S) /* what a drain may take beyond its deadline */
#define PULSE_EVERY_NS (1 * NS_PER_S) /* how often the threads are looked at */
#define NEWS_LASTS_NS  (5 * NS_PER_S) /* a trouble that is not reported for so long is over */

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
void service_on_news(void *context, const struct kafka_report *report)
{
	struct service *service = context;
	switch (report->news) {
	case KAFKA_NEWS_BROKERS_DOWN:
	case KAFKA_NEWS_BROKERS_UP:
		/* Both clients report it: the supervisor tells the log. */
		pthread_mutex_lock(&service->kafka.lock);
		error_set(&service->kafka.down, "%s",
			report->news == KAFKA_NEWS_BROKERS_DOWN ? report->text : "");
		pthread_mutex_unlock(&service->kafka.lock);
		return;
	case KAFKA_NEWS_TOPIC_MISSING:
	case KAFKA_NEWS_ACCESS_DENIED:
		note_trouble(service, report);
		break;
	case KAFKA_NEWS_FATAL:
		service_fail(service, report->text);
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
	service->reload.key_changed_at_ms = clock_wall_ms();
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

/* Tells the log when no broker can be used, unless it knows the reason, and when one can again. */
static void tell_brokers(struct service *service)
{
	struct error reason;
	bool down = service_brokers_down(service, &reason);
	if (strcmp(reason.text, service->down_told.text) == 0)
		return;
	if (!down)
		log_info(service->log, "a Kafka broker can be used again");
	else if (strcmp(reason.text, service->kafka_complaint.text) != 0)
		log_error(service->log, "Kafka cannot be used: goes on trying",
			LOG_TEXT("reason", reason.text));
	service->down_told = reason;
}

/* Learns whether Kafka can be used, and tells the gate, and the log each reason once. */
static void mind_kafka(struct service *service, int64_t now)
{
	struct error reason = {0};
	check_topics(service, now);
	bool fine = !service_kafka_trouble(service, &reason);
	if (fine != service->kafka_was_fine)
		gate_set_kafka_fine(service->gate, fine, now);
	if (fine && !service->kafka_was_fine)
		log_info(service->log, "Kafka can be used");
	if (!fine && strcmp(reason.text, service->kafka_complaint.text) != 0 &&
		strcmp(reason.text, service->down_told.text) != 0)
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
		service_explain_stop(service, &state, &reason);
	if (state.cause == STOP_NONE)
		log_info(service->log, "the line runs again",
			LOG_INT("waiting", service->budget.events));
	else
		log_warn(service->log, "the line stops",
			LOG_TEXT("cause", stop_cause_name(state.cause)),
			LOG_TEXT("reason", reason.text),
			LOG_INT("waiting", service->budget.events));
}

/* Sees whether every thread goes round its loop. A watchdog is fed only while they do. */
static void mind_threads(struct service *service, int64_t now)
{
	if (now < service->threads_seen_at + PULSE_EVERY_NS)
		return;
	bool alive = intake_alive(service->intake, now) && delivery_alive(service->delivery, now);
	for (size_t i = 0; i < service->worker_count; i++)
		alive = worker_alive(service->workers[i], now) && alive;
	if (!alive && service->threads_alive)
		log_error(service->log, "a thread makes no progress");
	service->threads_seen_at = now;
	service->threads_alive = alive;
}

/* Tells the service manager how things are. */
static void tell_manager(struct service *service, int64_t now)
{
	struct error sentence = {0};
	if (service->notify == NULL)
		return;
	if (service->threads_alive)
		notify_alive(service->notify, now);
	service_readiness(service, &sentence);
	notify_status(service->notify, sentence.text, now);
}

static void tick(struct service *service)
{
	int64_t now = clock_monotonic_ns();
	mind_threads(service, now);
	if (service->threads_alive)
		service->alive_at = now;
	tell_manager(service, now);
	if (service->fatal)
		return;
	mind_key(service, now);
	tell_brokers(service);
	mind_kafka(service, now);
	tell_line(service, now);
	service_watch(service, now);
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
	int64_t timeout = service->running.shutdown.timeout_ms * NS_PER_MS;
	int64_t deadline = now + timeout;
	service->stopping = true;
	notify_stopping(service->notify, timeout + STOP_GRACE_NS);
	log_info(service->log, "stopping: finishes what was begun",
		LOG_INT("held", service->budget.events));
	intake_stop(service->intake, deadline);
	bool clean = false;
	while (!intake_stopped(service->intake, &clean)) {
		tick(service);
		bool late = clock_monotonic_ns() > deadline + STOP_GRACE_NS;
		if (!late && !is_stop(next_signal(service)))
			continue;
		log_error(service->log, late ? "the drain did not end in time: ends at once"
					     : "second signal: ends at once");
		process_end_now(service->log, EXIT_FAILED);
	}
	log_info(service->log, "stopped", LOG_BOOL("clean", clean));
	return clean;
}

static void begin_notifying(struct service *service)
{
	struct error err = {0};
	service->notify = notify_new(&err);
	if (err.text[0] != '\0')
		log_warn(service->log, "the service manager cannot be told how things are",
			LOG_TEXT("reason", err.text));
	notify_ready(service->notify);
}

bool service_run(struct service *service)
{
	begin_notifying(service);
	while (!service->fatal) {
		tick(service);
		int number = next_signal(service);
		if (is_stop(number))
			break;
		if (number == SIGHUP)
			service_reload(service);
	}
	bool clean = stop(service);
	return clean && !service->fatal;
}
