#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "page.h"

static const char *const condition_names[CONDITION_COUNT] = {
	[CONDITION_FINE] = "fine",
	[CONDITION_BACKLOG] = "backlog",
	[CONDITION_API_SLOW] = "api_slow",
	[CONDITION_REBALANCING] = "rebalancing",
	[CONDITION_STOPPED] = "stopped",
	[CONDITION_BROKERS_GONE] = "brokers_gone",
	[CONDITION_JOINING] = "joining",
	[CONDITION_STOPPING] = "stopping",
	[CONDITION_ENDING] = "ending",
};

const char *condition_name(enum condition condition)
{
	return condition_names[condition];
}

void status_fini(struct status *status)
{
	free(status->positions);
	status->positions = NULL;
}

uint64_t status_errors(const struct status *status)
{
	uint64_t errors = 0;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		if (i != REASON_CASE_NOT_FOUND)
			errors += status->delivery->errors[i];
	return errors;
}

double status_age(const struct status *status, const struct position *position)
{
	if (position->oldest < 0 || position->oldest_ms > status->wall_ms)
		return 0;
	return (double)(status->wall_ms - position->oldest_ms) / 1000;
}

static void put_page(struct status_answer *answer)
{
	answer->content_type = "text/html; charset=utf-8";
	answer->policy = page_policy;
	buffer_append(&answer->body, page_html, page_html_length);
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
		metrics_write(status, out);
	} else if (page && strcmp(path, "/status.json") == 0) {
		ret_answer->content_type = "application/json";
		status_put_json(status, out);
	} else if (page && strcmp(path, "/") == 0) {
		put_page(ret_answer);
	} else {
		return false;
	}
	return true;
}
