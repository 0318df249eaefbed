#include "status.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/kafka.h"

#define PREFIX "care360_lookup_"

static void head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_append_format(
		out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void single(
	struct buffer *out, const char *name, const char *type, const char *help, double value)
{
	head(out, name, type, help);
	buffer_append_format(out, PREFIX "%s %.17g\n", name, value);
}

static void put_results(const struct status *status, struct buffer *out)
{
	head(out, "results_total", "counter", "Results acknowledged by the broker.");
	buffer_append_format(out,
		PREFIX "results_total{outcome=\"found\",reason=\"\"} %" PRIu64 "\n",
		(uint64_t)status->delivery->found);
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		buffer_append_format(out,
			PREFIX "results_total{outcome=\"error\",reason=\"%s\"} %" PRIu64 "\n",
			reason_name((enum reason)i), (uint64_t)status->delivery->errors[i]);
}

static void put_flow(const struct status *status, struct buffer *out)
{
	single(out, "coalesced_total", "counter", "Requests answered by another's look-up.",
		(double)status->flow.coalesced);
	head(out, "retries_total", "counter", "API requests to be made again, by cause.");
	for (int i = 0; i < RETRY_CAUSE_COUNT; i++)
		buffer_append_format(out, PREFIX "retries_total{cause=\"%s\"} %" PRIu64 "\n",
			retry_cause_name((enum retry_cause)i), status->flow.retries[i]);
	single(out, "unclassified_replies_total", "counter",
		"Replies of the API that no row of the table names.",
		(double)status->flow.unclassified_replies);
	single(out, "retrying_events", "gauge", "Look-ups that failed and are tried again.",
		(double)status->retrying);
	head(out, "identity_in_metadata_total", "counter",
		"Requests whose key or requestId is the e-mail address or phone number itself.");
	buffer_append_format(out,
		PREFIX "identity_in_metadata_total{where=\"key\"} %" PRIu64 "\n" PREFIX
		       "identity_in_metadata_total{where=\"request_id\"} %" PRIu64 "\n",
		status->flow.identity_as_key, status->flow.identity_as_request_id);
}

static void put_line(const struct status *status, struct buffer *out)
{
	single(out, "ready", "gauge", "1 where the service is ready, as /readyz says.",
		status->ready);
	head(out, "line_stopped", "gauge", "1 where the line is stopped for that cause.");
	for (int i = STOP_NONE + 1; i < STOP_CAUSE_COUNT; i++)
		buffer_append_format(out, PREFIX "line_stopped{cause=\"%s\"} %d\n",
			stop_cause_name((enum stop_cause)i),
			status->gate.cause == (enum stop_cause)i);
	single(out, "in_flight", "gauge", "API requests under way.", status->gate.in_flight);
	single(out, "in_flight_limit", "gauge", "API requests allowed under way at once, now.",
		status->gate.in_flight_limit);
	single(out, "requests_per_second_limit", "gauge",
		"API requests allowed to start a second, now; 0: no limit.",
		status->gate.requests_per_second_limit);
}

static void put_metrics(const struct status *status, struct buffer *out)
{
	put_results(status, out);
	put_flow(status, out);
	put_line(status, out);
	single(out, "rebalances_total", "counter", "Rebalances that took partitions away.",
		(double)status->intake.rebalances);
	single(out, "delivery_failures_total", "counter", "Results that the broker refused.",
		(double)status->delivery->failures);
	single(out, "drains_cut_short_total", "counter", "Drains that could not finish.",
		(double)status->intake.drains_cut_short);
	single(out, "headers_dropped_total", "counter", "Forwarded headers left out.",
		(double)status->delivery->headers_dropped);
	single(out, "log_lines_dropped_total", "counter", "Log lines that could not be written.",
		(double)status->log_lines_dropped);
	single(out, "buffered_events", "gauge", "Events held.", (double)status->buffered_events);
	single(out, "buffered_bytes", "gauge", "Bytes of the events held.",
		(double)status->buffered_bytes);
	single(out, "assigned_partitions", "gauge", "Partitions assigned.",
		(double)status->intake.partitions);
	head(out, "build_info", "gauge", "1, with the versions at work.");
	buffer_append_format(out,
		PREFIX "build_info{version=\"%s\",librdkafka=\"%s\",libcurl=\"%s\"} 1\n",
		CARE360_VERSION, kafka_library_version(), http_client_version());
}

static void put_page(const struct status *status, struct buffer *out)
{
	uint64_t errors = 0;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		errors += status->delivery->errors[i];
	buffer_append_format(out,
		"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
		"<meta http-equiv=\"refresh\" content=\"2\">"
		"<meta name=\"viewport\" content=\"width=device-width\">"
		"<title>care360-lookup</title><style>:root{color-scheme:light dark}"
		"body{font:1.1em system-ui;margin:2em;max-width:40em}"
		"td{padding:.2em 2em .2em 0}</style><h1>care360-lookup</h1><p><strong>%s</strong>"
		"<table><tr><td>found<td>%" PRIu64 "<tr><td>error events<td>%" PRIu64
		"<tr><td>held<td>%zu<tr><td>under way at the API<td>%u of "
		"%u<tr><td>partitions<td>%zu"
		"</table>\n",
		status->sentence.text, (uint64_t)status->delivery->found, errors,
		status->buffered_events, status->gate.in_flight, status->gate.in_flight_limit,
		status->intake.partitions);
}

bool status_answer(
	const struct status *status, const char *path, bool page, struct status_answer *ret_answer)
{
	struct buffer *out = &ret_answer->body;
	ret_answer->content_type = "text/plain; charset=utf-8";
	if (strcmp(path, "/livez") == 0) {
		ret_answer->status = status->live ? 200 : 503;
		buffer_append_text(out, status->live ? "alive\n" : "a thread makes no progress\n");
	} else if (strcmp(path, "/readyz") == 0) {
		ret_answer->status = status->ready ? 200 : 503;
		buffer_append_format(out, "%s\n", status->sentence.text);
	} else if (strcmp(path, "/metrics") == 0) {
		ret_answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
		put_metrics(status, out);
	} else if (page && strcmp(path, "/") == 0) {
		ret_answer->content_type = "text/html; charset=utf-8";
		put_page(status, out);
	} else {
		return false;
	}
	return true;
}
