/* /status.json: what the status page shows, as data. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/kafka.h"
#include "status.h"

/* --- values; each is added to `parent`, which may be NULL where memory ran out --- */

static void add(json_object *parent, const char *name, json_object *value)
{
	if (parent == NULL || json_object_object_add(parent, name, value) != 0)
		json_object_put(value);
}

static json_object *add_object(json_object *parent, const char *name)
{
	json_object *object = json_object_new_object();
	add(parent, name, object);
	return parent == NULL ? NULL : object;
}

static void add_text(json_object *parent, const char *name, const char *text)
{
	add(parent, name, json_object_new_string(text));
}

static void add_count(json_object *parent, const char *name, uint64_t count)
{
	add(parent, name, json_object_new_int64((int64_t)count));
}

/* A count, or null where it is not known. */
static void add_known(json_object *parent, const char *name, int64_t number)
{
	add(parent, name, number < 0 ? NULL : json_object_new_int64(number));
}

static json_object *new_number(double number)
{
	char text[40];
	snprintf(text, sizeof(text), "%.4f", number);
	return json_object_new_double_s(number, text);
}

static void add_number(json_object *parent, const char *name, double number)
{
	add(parent, name, new_number(number));
}

/* A time as RFC 3339, or null where it never was. */
static void add_time(json_object *parent, const char *name, int64_t wall_ms)
{
	char text[RFC3339_SIZE];
	rfc3339_format(wall_ms, text);
	add(parent, name, wall_ms == 0 ? NULL : json_object_new_string(text));
}

static double in_seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

/* A quantile in seconds, or null where nothing was measured. */
static json_object *new_quantile(const struct histogram_sum *sum, double fraction)
{
	int64_t ns = histogram_quantile(sum, &api_duration_scale, fraction);
	return ns < 0 ? NULL : new_number(in_seconds(ns));
}

/* --- parts --- */

static void add_state(json_object *root, const struct status *status)
{
	json_object *state = add_object(root, "state");
	bool stopped = status->condition == CONDITION_STOPPED;
	add_text(state, "condition", condition_name(status->condition));
	add(state, "cause",
		stopped ? json_object_new_string(stop_cause_name(status->gate.cause)) : NULL);
	add(state, "ready", json_object_new_boolean(status->ready));
	add_time(state, "since", status->since_ms);
	add_text(state, "sentence", status->sentence.text);
	const char *reason = status->reason.text;
	add(state, "reason", reason[0] != '\0' ? json_object_new_string(reason) : NULL);
	int64_t probe_at = stopped && status->gate.cause != STOP_KAFKA ? status->gate.next_probe_at
								       : TIME_NEVER;
	int64_t left = probe_at > status->now ? probe_at - status->now : 0;
	add(state, "nextProbeSeconds",
		probe_at == TIME_NEVER ? NULL : new_number(in_seconds(left)));
}

static void add_requests(json_object *root, const struct status *status)
{
	json_object *requests = add_object(root, "requests");
	uint64_t consumed = 0;
	for (size_t i = 0; i < status->settings->kafka.request_topics.count; i++)
		consumed += status->topics[i].consumed;
	add_known(requests, "waiting", status->waiting);
	add_count(requests, "held", status->buffered_events);
	add_count(requests, "retrying", status->retrying);
	add_count(requests, "consumed", consumed);
	add_number(requests, "consumedPerSecond", status->recent.consumed_rate);
	add_number(requests, "answeredPerSecond", status->recent.answered_rate);
	add_number(requests, "waitingGrowthPerSecond", status->recent.waiting_rate);
	add_number(requests, "overSeconds", status->recent.seconds);
}

static void add_outcomes(json_object *root, const struct status *status)
{
	json_object *outcomes = add_object(root, "outcomes");
	add_count(outcomes, "found", status->delivery->found);
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		add_count(outcomes, reason_name((enum reason)i), status->delivery->errors[i]);
}

static void add_last_errors(json_object *root, const struct status *status)
{
	struct last_error errors[LAST_ERRORS];
	size_t count = last_errors_copy(status->last_errors, errors);
	json_object *list = json_object_new_array();
	for (size_t i = 0; list != NULL && i < count; i++) {
		json_object *object = json_object_new_object();
		add_time(object, "time", errors[i].wall_ms);
		add_text(object, "topic", errors[i].topic);
		add_count(object, "partition", (uint64_t)errors[i].partition);
		add_count(object, "offset", (uint64_t)errors[i].offset);
		add_text(object, "reason", reason_name(errors[i].reason));
		add_known(object, "httpStatus",
			errors[i].http_status == 0 ? -1 : errors[i].http_status);
		json_object_array_add(list, object);
	}
	add(root, "lastErrors", list);
}

static void add_api(json_object *root, const struct status *status)
{
	json_object *api = add_object(root, "api");
	struct histogram_sum all = {0};
	for (size_t i = 0; i < API_ENDING_COUNT; i++)
		histogram_sum_add(&all, &status->api_durations[i]);
	add_text(api, "host", status->origin->host);
	add_count(api, "port", status->origin->port);
	add_count(api, "requests", all.count);
	add(api, "p50Seconds", new_quantile(&status->recent.api, 0.5));
	add(api, "p95Seconds", new_quantile(&status->recent.api, 0.95));
	add_count(api, "unclassifiedReplies", status->flow.unclassified_replies);
	json_object *retries = add_object(api, "retries");
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		add_count(retries, retry_cause_name((enum retry_cause)i), status->flow.retries[i]);
}

static void add_limits(json_object *root, const struct status *status)
{
	json_object *limits = add_object(root, "limits");
	add_count(limits, "inFlight", status->gate.in_flight);
	add_count(limits, "inFlightLimit", status->gate.in_flight_limit);
	add_count(limits, "inFlightMost", (uint64_t)status->settings->lookup.in_flight);
	add_number(limits, "requestsPerSecondLimit", status->gate.requests_per_second_limit);
	add_count(limits, "bufferedEvents", status->buffered_events);
	add_count(limits, "bufferedEventsMost",
		(uint64_t)status->settings->lookup.max_buffered_events);
	add_count(limits, "bufferedBytes", status->buffered_bytes);
	add_count(
		limits, "bufferedBytesMost", (uint64_t)status->settings->lookup.max_buffered_bytes);
	add(limits, "full", json_object_new_boolean(status->intake.full));
}

/* What the oldest event waits for. */
static const char *waits_for(const struct oldest_event *oldest)
{
	static const char *const names[] = {
		[FLOW_WAITS_FOR_LEAVE] = "leave",
		[FLOW_WAITS_FOR_REPLY] = "reply",
		[FLOW_WAITS_FOR_RETRY] = "retry",
		[FLOW_WAITS_FOR_ORDER] = "order",
	};
	if (oldest->place == OLDEST_IN_FLOW)
		return names[oldest->flow.wait];
	return oldest->place == OLDEST_IN_DELIVERY ? "acknowledgement" : "turn";
}

static void add_oldest(json_object *root, const struct status *status)
{
	const struct oldest_event *oldest = &status->oldest;
	if (oldest->position.oldest < 0) {
		add(root, "oldest", NULL);
		return;
	}
	json_object *object = add_object(root, "oldest");
	add_text(object, "topic", oldest->position.topic);
	add_count(object, "partition", (uint64_t)oldest->position.partition);
	add_count(object, "offset", (uint64_t)oldest->position.oldest);
	add_number(object, "ageSeconds", status_age(status, &oldest->position));
	add_text(object, "waitsFor", waits_for(oldest));
	if (oldest->place != OLDEST_IN_FLOW)
		return;
	/* Since when it waits for a reply, until when for the next attempt. */
	if (oldest->flow.wait == FLOW_WAITS_FOR_REPLY)
		add_number(object, "seconds", in_seconds(status->now - oldest->flow.time));
	if (oldest->flow.wait == FLOW_WAITS_FOR_RETRY && oldest->flow.time > status->now)
		add_number(object, "seconds", in_seconds(oldest->flow.time - status->now));
	add_count(object, "attempts", oldest->flow.attempts);
	add_count(object, "refusals", oldest->flow.refusals);
	add_count(object, "httpStatus", (uint64_t)oldest->flow.http_status);
}

static void add_partitions(json_object *root, const struct status *status)
{
	json_object *list = json_object_new_array();
	for (size_t i = 0; list != NULL && i < status->position_count; i++) {
		const struct position *position = &status->positions[i];
		json_object *object = json_object_new_object();
		add_text(object, "topic", position->topic);
		add_count(object, "partition", (uint64_t)position->partition);
		add_known(object, "lag", position_lag(position));
		add_known(object, "committed", position->committed);
		add_known(object, "end", position->end);
		add_count(object, "uncommitted", position->uncommitted);
		add_number(object, "oldestAgeSeconds", status_age(status, position));
		json_object_array_add(list, object);
	}
	add(root, "partitions", list);
}

static void add_troubles(json_object *root, const struct status *status)
{
	json_object *troubles = add_object(root, "counters");
	uint64_t resets = 0;
	for (size_t i = 0; i < status->settings->kafka.request_topics.count; i++)
		resets += status->topics[i].offset_resets;
	add_count(troubles, "rebalances", status->intake.rebalances);
	add_count(troubles, "coalesced", status->flow.coalesced);
	add_count(troubles, "deliveryFailures", status->delivery->failures);
	add_count(troubles, "drainsCutShort", status->intake.drains_cut_short);
	add_count(troubles, "offsetResets", resets);
	add_count(troubles, "headersDropped", status->delivery->headers_dropped);
	add_count(troubles, "identityInMetadata",
		status->flow.identity_as_key + status->flow.identity_as_request_id);
	add_count(troubles, "logLinesDropped", status->log_lines_dropped);
}

static void add_service(json_object *root, const struct status *status)
{
	json_object *service = add_object(root, "service");
	const struct settings *settings = status->settings;
	char host[256] = "";
	gethostname(host, sizeof(host) - 1);
	add_text(service, "host", host);
	add_text(service, "group", settings->kafka.group_id);
	add_text(service, "brokers", settings->kafka.brokers);
	add_text(service, "resultTopic", settings->kafka.result_topic);
	add_text(service, "keyFile", settings->care360.api_key_file);
	add_time(service, "startedAt", status->started_ms);
	add_time(service, "configAt", status->config_ms);
	add(service, "configSuccessful", json_object_new_boolean(status->config_successful));
	add_time(service, "keyAt", status->key_ms);
	add_text(service, "version", CARE360_VERSION);
	add_text(service, "librdkafka", kafka_library_version());
	add_text(service, "libcurl", http_client_version());
	add_number(service, "cpuSeconds", status->process.cpu_seconds);
	add_count(service, "residentBytes", status->process.resident_bytes);
}

/* What happened between two samples, as the columns say it. */
static json_object *new_row(const struct history_sample *from, const struct history_sample *to)
{
	json_object *row = json_object_new_array();
	double seconds = in_seconds(to->at - from->at);
	if (row == NULL)
		return NULL;
	struct histogram_sum api = to->api;
	histogram_sum_subtract(&api, &from->api);
	json_object_array_add(row, new_number((double)to->wall_ms / 1000));
	json_object_array_add(row, new_number((double)(to->found - from->found) / seconds));
	json_object_array_add(row, new_number((double)(to->not_found - from->not_found) / seconds));
	json_object_array_add(row, new_number((double)(to->errors - from->errors) / seconds));
	json_object_array_add(row, new_quantile(&api, 0.5));
	json_object_array_add(row, new_quantile(&api, 0.95));
	json_object_array_add(row, to->waiting < 0 ? NULL : json_object_new_int64(to->waiting));
	return row;
}

static void add_history(json_object *root, const struct status *status)
{
	static const char *const columns[] = {"time", "foundPerSecond", "notFoundPerSecond",
		"errorsPerSecond", "apiP50Seconds", "apiP95Seconds", "waiting"};
	json_object *history = add_object(root, "history");
	json_object *names = json_object_new_array();
	json_object *rows = json_object_new_array();
	CLEANUP(free_pointer)
	struct history_sample *samples = mem_new_array(struct history_sample, HISTORY_SIZE);
	size_t count = samples == NULL ? 0 : history_copy(status->history, samples);
	for (size_t i = 0; names != NULL && i < array_length(columns); i++)
		json_object_array_add(names, json_object_new_string(columns[i]));
	for (size_t i = 1; rows != NULL && i < count; i++)
		json_object_array_add(rows, new_row(&samples[i - 1], &samples[i]));
	add(history, "columns", names);
	add(history, "rows", rows);
}

void status_put_json(const struct status *status, struct buffer *out)
{
	json_object *root = json_object_new_object();
	add_time(root, "time", status->wall_ms);
	add_state(root, status);
	add_requests(root, status);
	add_outcomes(root, status);
	add_last_errors(root, status);
	add_api(root, status);
	add_limits(root, status);
	add_oldest(root, status);
	add_partitions(root, status);
	add_troubles(root, status);
	add_service(root, status);
	add_history(root, status);
	const char *text = json_object_to_json_string_ext(
		root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text != NULL)
		buffer_append_text(out, text);
	buffer_append_text(out, "\n");
	json_object_put(root);
}
