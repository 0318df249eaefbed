#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "misbehave.h"

#define PATH "/api/v1/customer-latest-case-id"

struct api {
	const struct cases *cases;
	struct settings *settings;
	uint64_t random;
	double tokens;     /* requests that the limit lets through now */
	int64_t filled_at; /* when tokens were last added */
};

void verdict_fini(struct verdict *verdict)
{
	answer_fini(&verdict->answer);
	wire_script_fini(&verdict->script);
}

struct api *api_new(
	const struct cases *cases, struct settings *settings, uint64_t seed, struct error *err)
{
	struct api *api = mem_new(struct api);
	if (api == NULL) {
		error_memory(err);
		return NULL;
	}
	api->cases = cases;
	api->settings = settings;
	api->random = seed;
	return api;
}

void api_free(struct api *api)
{
	free(api);
}

/* A random number in [0, 1): splitmix64. */
static double draw(struct api *api)
{
	uint64_t z = api->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) * 0x1.0p-53;
}

/* Whether the limit lets one more request through; a refused one costs nothing. */
static bool within_limit(struct api *api, int64_t now)
{
	const struct settings *settings = api->settings;
	double burst = (double)settings->limit_burst;

	if (settings->limit == 0)
		return true;
	if (burst < 1)
		burst = (double)settings->limit / 10;
	if (burst < 1)
		burst = 1;
	api->tokens += (double)(now - api->filled_at) / (double)NS_PER_S * (double)settings->limit;
	api->filled_at = now;
	if (api->tokens > burst)
		api->tokens = burst;
	if (api->tokens < 1)
		return false;
	api->tokens -= 1;
	return true;
}

static void set_kind(struct verdict *verdict, const char *kind)
{
	snprintf(verdict->kind, sizeof(verdict->kind), "%s", kind);
}

static void case_error(struct verdict *verdict, const char *kind, const char *text)
{
	set_kind(verdict, kind);
	answer_case_error(&verdict->answer, text);
}

/* What the documentation says, and nothing else. The key is checked before the details. */
static void documented(
	const struct api *api, const struct api_request *request, struct verdict *verdict)
{
	CLEANUP(buffer_fini) struct buffer id = {0};
	const struct identity *identity = request->identity;
	bool phone_is_enough = identity->phone.data != NULL && !api->settings->require_email;

	if (request->api_key == NULL || request->api_key[0] == '\0') {
		case_error(verdict, "key_missing", "Secret key not provided!");
	} else if (strcmp(request->api_key, api->settings->api_key) != 0) {
		set_kind(verdict, "key_invalid");
		answer_key_invalid(&verdict->answer, request->api_key);
	} else if (identity->email.data == NULL && !phone_is_enough) {
		case_error(verdict, "email_missing", "Email id not provided!");
	} else if (!cases_find(api->cases, identity, &id)) {
		case_error(verdict, "no_case", "No Case found for provided details!");
	} else {
		set_kind(verdict, "found");
		answer_found(&verdict->answer, buffer_bytes(&id));
	}
}

/* Refusals that have nothing to do with the customer. False where there is none. */
static bool refused(struct api *api, const struct api_request *request, struct verdict *verdict)
{
	if (strcmp(request->path, PATH) != 0) {
		set_kind(verdict, "not_found");
		answer_status(&verdict->answer, 404, false);
		return true;
	}
	if (strcmp(request->method, "GET") != 0) {
		set_kind(verdict, "bad_method");
		answer_status(&verdict->answer, 405, false);
		verdict->answer.allow = "GET";
		return true;
	}
	if (!within_limit(api, request->now)) {
		set_kind(verdict, "limited");
		answer_status(&verdict->answer, 429, false);
		if (api->settings->limit_retry_after != NULL)
			verdict->answer.retry_after = strdup(api->settings->limit_retry_after);
		return true;
	}
	return false;
}

static void misbehave(const struct fault *fault, const char *api_key, struct verdict *verdict)
{
	static const char prefix[] = "fault:";

	snprintf(verdict->kind, sizeof(verdict->kind), "%s%s", prefix, fault->name);
	verdict->fault = verdict->kind + sizeof(prefix) - 1;
	misbehave_answer(fault, api_key == NULL ? "" : api_key, &verdict->answer);
	verdict->scripted = misbehave_script(fault, &verdict->answer, &verdict->script);
	if (fault->kind == FAULT_SLOW)
		verdict->delay_ms += fault->ms;
}

void api_decide(struct api *api, const struct api_request *request, struct verdict *verdict)
{
	const struct settings *settings = api->settings;

	if (refused(api, request, verdict)) {
		verdict->status = verdict->answer.status;
		return;
	}
	verdict->delay_ms = settings->latency_ms;
	if (settings->latency_jitter_ms > 0)
		verdict->delay_ms += (int64_t)(draw(api) * (double)settings->latency_jitter_ms);
	documented(api, request, verdict);
	const struct fault *fault =
		faults_pick(settings->faults, request->identity, draw(api) * 100);
	if (fault != NULL)
		misbehave(fault, request->api_key, verdict);
	verdict->status =
		verdict->scripted && verdict->script.head.length == 0 ? 0 : verdict->answer.status;
}
