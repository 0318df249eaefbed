#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/kafka.h"
#include "metrics.h"
#include "status.h"

#define OURS(name) "care360_lookup_" name

/* The label values of one sample. */
#define LABELS(...) ((const char *const[]){__VA_ARGS__})

static void put_consumed(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->settings->kafka.request_topics.count; i++)
		metric_put(out, (double)status->topics[i].consumed, LABELS(status->topics[i].name));
}

static void put_offset_resets(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->settings->kafka.request_topics.count; i++)
		metric_put(out, (double)status->topics[i].offset_resets,
			LABELS(status->topics[i].name));
}

static void put_results(const struct status *status, struct metric_out *out)
{
	metric_put(out, (double)status->delivery->found, LABELS("found", ""));
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		metric_put(out, (double)status->delivery->errors[i],
			LABELS("error", reason_name((enum reason)i)));
}

static void put_retries(const struct status *status, struct metric_out *out)
{
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		metric_put(out, (double)status->flow.retries[i],
			LABELS(retry_cause_name((enum retry_cause)i)));
}

static void put_delivery_failures(const struct status *status, struct metric_out *out)
{
	metric_put(out, (double)status->delivery->failures, NULL);
}

static void put_headers_dropped(const struct status *status, struct metric_out *out)
{
	metric_put(out, (double)status->delivery->headers_dropped, NULL);
}

static void put_identity(const struct status *status, struct metric_out *out)
{
	metric_put(out, (double)status->flow.identity_as_key, LABELS("key"));
	metric_put(out, (double)status->flow.identity_as_request_id, LABELS("request_id"));
}

static void put_line_stopped(const struct status *status, struct metric_out *out)
{
	for (int i = STOP_NONE + 1; i < STOP_CAUSE_COUNT; i++)
		metric_put(out, status->gate.cause == (enum stop_cause)i,
			LABELS(stop_cause_name((enum stop_cause)i)));
}

/* A sample for a partition, where its value is known. */
static void put_of_partition(
	struct metric_out *out, const struct position *position, double value, bool known)
{
	char number[16];
	snprintf(number, sizeof(number), "%" PRId32, position->partition);
	if (known)
		metric_put(out, value, LABELS(position->topic, number));
}

static void put_oldest_age(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->position_count; i++)
		put_of_partition(out, &status->positions[i],
			status_age(status, &status->positions[i]), true);
}

static void put_uncommitted(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->position_count; i++)
		put_of_partition(
			out, &status->positions[i], (double)status->positions[i].uncommitted, true);
}

static void put_lag(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->position_count; i++) {
		int64_t lag = position_lag(&status->positions[i]);
		put_of_partition(out, &status->positions[i], (double)lag, lag >= 0);
	}
}

static void put_committed(const struct status *status, struct metric_out *out)
{
	for (size_t i = 0; i < status->position_count; i++) {
		int64_t committed = status->positions[i].committed;
		put_of_partition(out, &status->positions[i], (double)committed, committed >= 0);
	}
}

static double seconds(int64_t milliseconds)
{
	return (double)milliseconds / 1000;
}

static void put_config_time(const struct status *status, struct metric_out *out)
{
	metric_put(out, seconds(status->config_ms), NULL);
}

static void put_key_time(const struct status *status, struct metric_out *out)
{
	metric_put(out, seconds(status->key_ms), NULL);
}

static void put_build(const struct status *status, struct metric_out *out)
{
	(void)status;
	metric_put(out, 1, LABELS(CARE360_VERSION, kafka_library_version(), http_client_version()));
}

static void put_event_durations(const struct status *status, struct metric_out *out)
{
	metric_put_histogram(out, &status->event_durations, &event_duration_scale, NULL);
}

/* The usual ending is there from the start, the others once they happened. */
static void put_api_durations(const struct status *status, struct metric_out *out)
{
	char port[16];
	snprintf(port, sizeof(port), "%u", status->origin->port);
	for (size_t i = 0; i < API_ENDING_COUNT; i++) {
		const struct histogram_sum *sum = &status->api_durations[i];
		if (i == 0 || sum->count > 0)
			metric_put_histogram(out, sum, &api_duration_scale,
				LABELS("GET", status->origin->host, port, api_endings[i].status,
					api_endings[i].error));
	}
}

/* Where a single value stands, and of which type it is. */
#define VALUE(member)                                                                              \
	.value = _Generic(((struct status *)NULL)->member, bool                                    \
			  : METRIC_BOOL, unsigned                                                  \
			  : METRIC_UNSIGNED, uint64_t                                              \
			  : METRIC_UINT64, double                                                  \
			  : METRIC_DOUBLE),                                                        \
	.offset = offsetof(struct status, member)

#define OF_PARTITION                                                                               \
	{                                                                                          \
		"topic", "partition"                                                               \
	}

const struct metric metrics_table[] = {
	{OURS("events_consumed_total"), METRIC_COUNTER, {"topic"}, "Requests read.",
		.put = put_consumed},
	{OURS("results_total"), METRIC_COUNTER, {"outcome", "reason"},
		"Results acknowledged by the broker; the reason is empty where a case was found.",
		.put = put_results},
	{OURS("coalesced_total"), METRIC_COUNTER, {0},
		"Requests answered by the look-up of another one for the same customer.",
		VALUE(flow.coalesced)},
	{OURS("retries_total"), METRIC_COUNTER, {"cause"},
		"API requests that brought no answer and are made again, by cause.",
		.put = put_retries},
	{OURS("unclassified_replies_total"), METRIC_COUNTER, {0},
		"Replies that the API's documentation does not name.",
		VALUE(flow.unclassified_replies)},
	{OURS("rebalances_total"), METRIC_COUNTER, {0}, "Rebalances that took partitions away.",
		VALUE(intake.rebalances)},
	{OURS("delivery_failures_total"), METRIC_COUNTER, {0},
		"Results that the broker refused; they are sent again.",
		.put = put_delivery_failures},
	{OURS("offset_resets_total"), METRIC_COUNTER, {"topic"},
		"Times that the committed offset was no longer in the log, so that requests were "
		"skipped or are read again.",
		.put = put_offset_resets},
	{OURS("drains_cut_short_total"), METRIC_COUNTER, {0},
		"Drains that could not finish, after which results may repeat.",
		VALUE(intake.drains_cut_short)},
	{OURS("headers_dropped_total"), METRIC_COUNTER, {0},
		"Headers left out of results because they were too large together.",
		.put = put_headers_dropped},
	{OURS("identity_in_metadata_total"), METRIC_COUNTER, {"where"},
		"Requests whose key or requestId is the e-mail address or phone number itself.",
		.put = put_identity},
	{OURS("log_lines_dropped_total"), METRIC_COUNTER, {0},
		"Log lines that could not be written.", VALUE(log_lines_dropped)},

	{OURS("ready"), METRIC_GAUGE, {0}, "1 while the service is ready, as /readyz says.",
		VALUE(ready)},
	{OURS("line_stopped"), METRIC_GAUGE, {"cause"},
		"1 while the line is stopped for that cause.", .put = put_line_stopped},
	{OURS("buffered_events"), METRIC_GAUGE, {0},
		"Requests held: read, and their results not acknowledged.", VALUE(buffered_events)},
	{OURS("buffered_bytes"), METRIC_GAUGE, {0}, "Memory of the requests held.",
		VALUE(buffered_bytes)},
	{OURS("in_flight"), METRIC_GAUGE, {0}, "API requests under way.", VALUE(gate.in_flight)},
	{OURS("in_flight_limit"), METRIC_GAUGE, {0},
		"API requests that may be under way at once, as of now.",
		VALUE(gate.in_flight_limit)},
	{OURS("requests_per_second_limit"), METRIC_GAUGE, {0},
		"API requests that may start in a second, as of now; 0 where there is no limit.",
		VALUE(gate.requests_per_second_limit)},
	{OURS("retrying_events"), METRIC_GAUGE, {0},
		"Look-ups that failed at least once and are tried again.", VALUE(retrying)},
	{OURS("assigned_partitions"), METRIC_GAUGE, {0}, "Partitions assigned to this instance.",
		VALUE(intake.partitions)},
	{OURS("oldest_event_age_seconds"), METRIC_GAUGE, OF_PARTITION,
		"Age, by its own timestamp, of the oldest request held; 0 where none is.",
		.put = put_oldest_age},
	{OURS("uncommitted_events"), METRIC_GAUGE, OF_PARTITION,
		"Requests read above the partition's commit point.", .put = put_uncommitted},
	{OURS("consumer_lag"), METRIC_GAUGE, OF_PARTITION,
		"Requests between the committed offset and the end of the partition.",
		.put = put_lag},
	{OURS("committed_offset"), METRIC_GAUGE, OF_PARTITION,
		"The offset committed; where this instance began, until it commits.",
		.put = put_committed},
	{OURS("config_last_reload_successful"), METRIC_GAUGE, {0},
		"1 where the configuration could be used when it was last read.",
		VALUE(config_successful)},
	{OURS("config_last_reload_success_timestamp_seconds"), METRIC_GAUGE, {0},
		"When a configuration was last put in force.", .put = put_config_time},
	{OURS("api_key_last_change_timestamp_seconds"), METRIC_GAUGE, {0},
		"When a new API key was last put in force; 0 where there never was one.",
		.put = put_key_time},
	{OURS("build_info"), METRIC_GAUGE, {"version", "librdkafka", "libcurl"},
		"1, with the versions at work.", .put = put_build},

	{OURS("event_duration_seconds"), METRIC_HISTOGRAM, {0},
		"From reading a request to the acknowledgement of its result.",
		.put = put_event_durations},
	{"http_client_request_duration_seconds", METRIC_HISTOGRAM,
		{"http_request_method", "server_address", "server_port",
			"http_response_status_code", "error_type"},
		"Duration of requests to the Care360 API, as OpenTelemetry's "
		"http.client.request.duration.",
		.put = put_api_durations},

	{"process_cpu_seconds_total", METRIC_COUNTER, {0}, "User and system time spent.",
		VALUE(process.cpu_seconds)},
	{"process_resident_memory_bytes", METRIC_GAUGE, {0}, "Resident memory.",
		VALUE(process.resident_bytes)},
	{"process_virtual_memory_bytes", METRIC_GAUGE, {0}, "Virtual memory.",
		VALUE(process.virtual_bytes)},
	{"process_virtual_memory_max_bytes", METRIC_GAUGE, {0}, "Limit of virtual memory.",
		VALUE(process.virtual_bytes_max)},
	{"process_open_fds", METRIC_GAUGE, {0}, "Open file descriptors.",
		VALUE(process.open_descriptors)},
	{"process_max_fds", METRIC_GAUGE, {0}, "Limit of open file descriptors.",
		VALUE(process.descriptors_max)},
	{"process_threads", METRIC_GAUGE, {0}, "Threads.", VALUE(process.threads)},
	{"process_start_time_seconds", METRIC_GAUGE, {0},
		"When the process started, in seconds since 1970.", VALUE(process.started_at)},
};

const size_t metrics_count = array_length(metrics_table);
