#include <string.h>

#include "base/clock.h"
#include "core/reply.h"
#include "service_state.h"
#include "status.h"

#define ALIVE_NS (15 * NS_PER_S) /* a supervisor that is silent for longer is stuck */

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
void service_explain_stop(
	const struct service *service, const struct gate_state *gate, struct error *ret_sentence)
{
	const struct gate_ending *last = &gate->setback;
	if (gate->cause == STOP_CREDENTIALS && !service->has_key) {
		error_set(ret_sentence, "there is no API key that can be read");
	} else if (last->sign == SIGN_NONE || gate->cause == STOP_KAFKA) {
		error_set(ret_sentence, "%s", cause_sentences[gate->cause]);
	} else {
		char text[64];
		const struct reply reply = {
			.transport = last->transport, .status = last->http_status};
		reply_describe(&reply, text, sizeof(text));
		error_set(ret_sentence, "%s (%s)", cause_sentences[gate->cause], text);
	}
}

/* The reason why Kafka cannot be used, or false. What a client reported says it better than the
 * refusal of one result. */
bool service_kafka_trouble(struct service *service, struct error *ret_reason)
{
	struct kafka_health *kafka = &service->kafka;
	pthread_mutex_lock(&kafka->lock);
	bool trouble = !kafka->checked;
	if (trouble)
		*ret_reason = kafka->trouble;
	pthread_mutex_unlock(&kafka->lock);
	return trouble || delivery_blocked(service->delivery, ret_reason);
}

bool service_brokers_down(struct service *service, struct error *ret_reason)
{
	pthread_mutex_lock(&service->kafka.lock);
	*ret_reason = service->kafka.down;
	pthread_mutex_unlock(&service->kafka.lock);
	return ret_reason->text[0] != '\0';
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
	if (service_kafka_trouble(service, &reason))
		return error_set(ret_sentence, "stopped: kafka: %s", reason.text);
	if (service_brokers_down(service, &reason))
		return error_set(ret_sentence, "waiting: %s", reason.text);
	if (!intake_joined(service->intake))
		return error_set(ret_sentence, "waiting: joins the consumer group");
	if (gate->cause != STOP_NONE) {
		service_explain_stop(service, gate, &reason);
		return error_set(ret_sentence, "stopped: %s: %s; %zu requests wait unharmed",
			stop_cause_name(gate->cause), reason.text, (size_t)service->budget.events);
	}
	error_set(ret_sentence, "ready");
	return true;
}

bool service_readiness(struct service *service, struct error *ret_sentence)
{
	struct gate_state gate;
	gate_state(service->gate, clock_monotonic_ns(), &gate);
	return judge_readiness(service, &gate, ret_sentence);
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

bool service_on_request(void *context, const char *path, struct status_answer *ret_answer)
{
	struct service *service = context;
	struct status status;
	look(service, &status);
	return status_answer(&status, path, service->settings->server.status_page, ret_answer);
}
