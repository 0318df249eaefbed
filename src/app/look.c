#include <string.h>

#include "base/clock.h"
#include "service_state.h"
#include "status/status.h"

#define ALIVE_NS  (15 * NS_PER_S) /* a supervisor that is silent for longer is stuck */
#define RECENT_NS (10 * NS_PER_S)

static void look_at_workers(const struct service *service, struct status *status)
{
	for (size_t i = 0; i < service->worker_count; i++) {
		struct worker_news news;
		worker_news(service->workers[i], &news);
		flow_counters_add(&status->flow, &news.counters);
		status->retrying += news.retrying;
		api_durations_add(status->api_durations, worker_durations(service->workers[i]));
	}
}

static void look_at_partitions(const struct service *service, struct status *status)
{
	status->position_count = positions_copy(
		intake_positions(service->intake), &status->positions, &status->oldest);
	if (intake_membership(service->intake) != INTAKE_IS_MEMBER)
		status->waiting = -1;
	if (status->waiting < 0)
		return;
	for (size_t i = 0; i < status->position_count; i++) {
		int64_t lag = position_lag(&status->positions[i]);
		if (lag < 0) {
			status->waiting = -1;
			return;
		}
		status->waiting += lag;
	}
}

static void take_sample(const struct status *status, struct history_sample *ret_sample)
{
	*ret_sample = (struct history_sample){
		.at = status->now,
		.wall_ms = status->wall_ms,
		.found = status->delivery->found,
		.not_found = status->delivery->errors[REASON_CASE_NOT_FOUND],
		.errors = status_errors(status),
		.waiting = status->waiting,
	};
	for (size_t i = 0; i < status->settings->kafka.request_topics.count; i++)
		ret_sample->consumed += status->topics[i].consumed;
	for (size_t i = 0; i < API_ENDING_COUNT; i++)
		histogram_sum_add(&ret_sample->api, &status->api_durations[i]);
}

static uint64_t answered(const struct history_sample *sample)
{
	return sample->found + sample->not_found + sample->errors;
}

static void look_back(struct service *service, struct status *status)
{
	struct history_sample then;
	struct history_sample now;
	if (!history_before(&service->history, status->now, RECENT_NS, &then) ||
		then.at == status->now)
		return;
	take_sample(status, &now);
	struct recent *recent = &status->recent;
	recent->seconds = (double)(now.at - then.at) / (double)NS_PER_S;
	recent->consumed_rate = (double)(now.consumed - then.consumed) / recent->seconds;
	recent->answered_rate = (double)(answered(&now) - answered(&then)) / recent->seconds;
	if (now.waiting >= 0 && then.waiting >= 0)
		recent->waiting_rate = (double)(now.waiting - then.waiting) / recent->seconds;
	recent->api = now.api;
	histogram_sum_subtract(&recent->api, &then.api);
}

/* Since when it is in that condition. */
static int64_t note_condition(struct service *service, const struct status *status)
{
	struct condition_since *since = &service->since;
	enum stop_cause cause =
		status->condition == CONDITION_STOPPED ? status->gate.cause : STOP_NONE;
	pthread_mutex_lock(&since->lock);
	if (since->at == 0 || since->condition != status->condition || since->cause != cause) {
		since->condition = status->condition;
		since->cause = cause;
		since->at = status->now;
	}
	int64_t at = since->at;
	pthread_mutex_unlock(&since->lock);
	return at;
}

/* One look at everything. */
static void look(struct service *service, struct status *ret_status)
{
	*ret_status = (struct status){
		.now = clock_monotonic_ns(),
		.wall_ms = clock_wall_ms(),
		.buffered_events = service->budget.events,
		.buffered_bytes = service->budget.bytes,
		.log_lines_dropped = log_dropped(service->log),
		.delivery = delivery_counters(service->delivery),
		.topics = intake_topics(service->intake),
		.started_ms = service->started_ms,
		.config_successful = service->reload.successful,
		.config_ms = service->reload.success_at_ms,
		.key_ms = service->reload.key_changed_at_ms,
		.origin = &service->origin,
		.settings = service->settings,
		.history = &service->history,
		.last_errors = delivery_last_errors(service->delivery),
	};
	ret_status->live = ret_status->now - service->alive_at < ALIVE_NS;
	gate_state(service->gate, ret_status->now, &ret_status->gate);
	intake_state(service->intake, &ret_status->intake);
	look_at_workers(service, ret_status);
	look_at_partitions(service, ret_status);
	histogram_add(&ret_status->event_durations, &ret_status->delivery->durations);
	look_back(service, ret_status);
	ret_status->condition = service_judge(service, ret_status);
	ret_status->ready = ret_status->condition <= CONDITION_REBALANCING;
	int64_t since = note_condition(service, ret_status);
	ret_status->since_ms = ret_status->wall_ms - (ret_status->now - since) / NS_PER_MS;
}

void service_watch(struct service *service, int64_t now)
{
	struct status status;
	look(service, &status);
	/* The history begins when it is known for the first time how much waits. */
	bool begun = service->sampled_at != 0 || status.waiting >= 0;
	if (begun && now >= service->sampled_at + HISTORY_EVERY_NS) {
		struct history_sample sample;
		take_sample(&status, &sample);
		history_add(&service->history, &sample);
		service->sampled_at = now;
	}
	status_fini(&status);
}

bool service_readiness(struct service *service, struct error *ret_sentence)
{
	struct status status;
	look(service, &status);
	*ret_sentence = status.sentence;
	bool ready = status.ready;
	status_fini(&status);
	return ready;
}

bool service_on_request(void *context, const char *path, struct status_answer *ret_answer)
{
	struct service *service = context;
	struct status status;
	look(service, &status);
	if (strcmp(path, "/metrics") == 0 || strcmp(path, "/status.json") == 0)
		process_usage_read(&status.process);
	bool found =
		status_answer(&status, path, service->settings->server.status_page, ret_answer);
	status_fini(&status);
	return found;
}
