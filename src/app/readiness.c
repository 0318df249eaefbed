#include <string.h>

#include "base/clock.h"
#include "core/reply.h"
#include "service_state.h"
#include "status/status.h"

/* Half of the API's replies taking longer than this is worth telling people. */
#define SLOW_NS NS_PER_S

/* What waits is a backlog where it takes longer than this to be worked off. */
#define BACKLOG_SECONDS 10

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

/* Whether half of the API's last replies took long, or none comes at all. */
static bool api_is_slow(const struct status *status)
{
	const struct recent *recent = &status->recent;
	int64_t half = histogram_quantile(&recent->api, &api_duration_scale, 0.5);
	if (half >= 0)
		return half > SLOW_NS;
	const struct oldest_event *oldest = &status->oldest;
	return oldest->place == OLDEST_IN_FLOW && oldest->flow.wait == FLOW_WAITS_FOR_REPLY &&
	       status->now - oldest->flow.time > SLOW_NS;
}

/* Whether what waits takes long to be worked off as fast as of late. */
static bool has_backlog(const struct status *status)
{
	const struct recent *recent = &status->recent;
	double least = recent->seconds > 0 ? 1 / recent->seconds : 1;
	double rate = recent->answered_rate > least ? recent->answered_rate : least;
	return status->intake.full || (double)status->waiting / rate > BACKLOG_SECONDS;
}

/* How things are while requests are answered. */
static enum condition judge_running(const struct service *service, const struct status *status)
{
	if (intake_membership(service->intake) == INTAKE_REBALANCES)
		return CONDITION_REBALANCING;
	if (api_is_slow(status))
		return CONDITION_API_SLOW;
	return has_backlog(status) ? CONDITION_BACKLOG : CONDITION_FINE;
}

/* Says why it is not ready. */
static enum condition not_ready(
	struct status *status, enum condition condition, const char *sentence)
{
	error_set(&status->sentence, "%s", sentence);
	return condition;
}

enum condition service_judge(struct service *service, struct status *status)
{
	if (service->fatal)
		return not_ready(status, CONDITION_ENDING, "cannot go on: ends");
	if (service->stopping)
		return not_ready(status, CONDITION_STOPPING, "stopping: finishes what was begun");
	bool trouble = service_kafka_trouble(service, &status->reason);
	if (trouble) {
		status->gate.cause = STOP_KAFKA;
		error_set(&status->sentence, "stopped: kafka: %s", status->reason.text);
	}
	struct error down = {0};
	if (service_brokers_down(service, &down)) {
		if (!trouble)
			error_set(&status->sentence, "waiting: %s", down.text);
		status->reason = down;
		return CONDITION_BROKERS_GONE;
	}
	if (trouble)
		return CONDITION_STOPPED;
	if (intake_membership(service->intake) == INTAKE_JOINS)
		return not_ready(status, CONDITION_JOINING, "waiting: joins the consumer group");
	if (status->gate.cause != STOP_NONE) {
		service_explain_stop(service, &status->gate, &status->reason);
		bool one = status->buffered_events == 1;
		error_set(&status->sentence, "stopped: %s: %s; %zu request%s unharmed",
			stop_cause_name(status->gate.cause), status->reason.text,
			(size_t)status->buffered_events, one ? " waits" : "s wait");
		return CONDITION_STOPPED;
	}
	error_set(&status->sentence, "ready");
	return judge_running(service, status);
}
