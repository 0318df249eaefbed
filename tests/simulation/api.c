/* The model of the Care360 API: it knows the truth of each customer, and has its own bad days. */
#include <stdio.h>
#include <string.h>

#include "world.h"

static const char *const truth_names[TRUTH_COUNT] = {
	[TRUTH_FOUND] = "found",
	[TRUTH_NOT_FOUND] = "not found",
	[TRUTH_EMAIL_MISSING] = "e-mail missing",
	[TRUTH_FORBIDDEN] = "403",
	[TRUTH_GONE] = "404",
	[TRUTH_CRASHES] = "500",
	[TRUTH_HANGS] = "hangs",
	[TRUTH_GARBLED] = "garbled",
	[TRUTH_UNKNOWN_TEXT] = "unknown text",
};

static const char *const weather_names[WEATHER_COUNT] = {
	[WEATHER_FINE] = "fine",
	[WEATHER_FLAKY] = "flaky",
	[WEATHER_ERRORS] = "errors",
	[WEATHER_NO_CONNECTION] = "no connection",
	[WEATHER_HANGS] = "hangs",
	[WEATHER_MAINTENANCE_PAGE] = "maintenance page",
	[WEATHER_WRONG_ENDPOINT] = "wrong endpoint",
	[WEATHER_KEY_REFUSED] = "key refused",
	[WEATHER_UNKNOWN_TEXT] = "unknown text",
	[WEATHER_BUSY] = "busy",
};

bool truth_is_poison(enum truth truth)
{
	return truth >= TRUTH_POISON;
}

const char *truth_name(enum truth truth)
{
	return truth_names[truth];
}

const char *weather_name(enum weather_kind kind)
{
	return weather_names[kind];
}

static void failure(struct answer *answer, int status, enum reason reason, const char *body)
{
	answer->meaning = MEANS_FAILURE;
	answer->status = status;
	answer->reason = reason;
	snprintf(answer->body, sizeof(answer->body), "%s", body);
}

static void no_reply(struct answer *answer, enum reply_transport transport)
{
	failure(answer, 0, REASON_API_UNAVAILABLE, "");
	answer->transport = transport;
}

static void hang(struct world *world, const struct call *call, struct answer *answer)
{
	no_reply(answer, REPLY_TIMEOUT);
	int64_t timeout = world->plan.timeout;
	if (call->probe && world->plan.flow.probe_timeout_ns < timeout)
		timeout = world->plan.flow.probe_timeout_ns;
	answer->latency = timeout;
}

static void unknown_text(struct answer *answer)
{
	failure(answer, 400, REASON_REJECTED,
		"{\"error\": \"What now?\", \"code\": \"CASE_ERROR\"}");
	answer->unclassified = true;
}

static void wrong_endpoint(struct answer *answer, int status)
{
	failure(answer, status, REASON_REJECTED, "nothing here");
	answer->meaning = MEANS_WRONG_ENDPOINT;
}

static void garbled(struct answer *answer)
{
	failure(answer, 200, REASON_BAD_REPLY, "<html>We are working on it</html>");
}

static void documented_error(struct answer *answer, enum meaning meaning, const char *text)
{
	answer->meaning = meaning;
	answer->status = 400;
	snprintf(answer->body, sizeof(answer->body),
		"{\"error\": \"%s\", \"code\": \"CASE_ERROR\"}", text);
}

static void bad_key(struct world *world, struct answer *answer)
{
	documented_error(answer, MEANS_BAD_KEY, "Organization with 12ab not found!");
	if (chance(&world->random, 30))
		answer->status = 401;
}

static void busy(struct world *world, struct answer *answer)
{
	answer->meaning = MEANS_REFUSAL;
	bool asks_for_time = chance(&world->random, world->plan.retry_after_percent);
	answer->status = asks_for_time && chance(&world->random, 50) ? 503 : 429;
	if (!asks_for_time)
		return;
	int seconds = (int)dice(&world->random, 6);
	snprintf(answer->retry_after, sizeof(answer->retry_after), "%d", seconds);
	answer->retry_after_ns = seconds * NS_PER_S;
}

static void tell_truth(struct world *world, const struct call *call, struct answer *answer)
{
	enum truth truth = world->plan.truths[call->inquiry->customer];
	if (truth_is_poison(truth))
		answer->latency =
			(int64_t)dice(&world->random, (uint64_t)world->plan.poison_latency * 2);
	switch (truth) {
	case TRUTH_FOUND:
		answer->meaning = MEANS_ANSWER;
		answer->status = 200;
		snprintf(answer->body, sizeof(answer->body),
			"{\"success\": true, \"case\": {\"id\": \"case-%d-%llu\"}}",
			call->inquiry->customer, (unsigned long long)call->number);
		break;
	case TRUTH_NOT_FOUND:
		documented_error(answer, MEANS_ANSWER, "No Case found for provided details!");
		break;
	case TRUTH_EMAIL_MISSING:
		documented_error(answer, MEANS_ANSWER, "Email id not provided!");
		break;
	case TRUTH_FORBIDDEN:
		wrong_endpoint(answer, 403);
		break;
	case TRUTH_GONE:
		wrong_endpoint(answer, 404);
		break;
	case TRUTH_CRASHES:
		failure(answer, 500, REASON_API_UNAVAILABLE, "oops");
		break;
	case TRUTH_HANGS:
		hang(world, call, answer);
		break;
	case TRUTH_GARBLED:
		garbled(answer);
		break;
	case TRUTH_UNKNOWN_TEXT:
	case TRUTH_COUNT:
		unknown_text(answer);
		break;
	}
}

static enum weather_kind weather_now(const struct world *world)
{
	for (size_t i = 0; i < world->plan.weather_count; i++) {
		const struct weather *weather = &world->plan.weathers[i];
		if (weather->from <= world->now && world->now < weather->until)
			return weather->kind;
	}
	return WEATHER_FINE;
}

/* The weather's own reply; false where it lets the truth come through. */
static bool tell_weather(struct world *world, const struct call *call, struct answer *answer)
{
	enum weather_kind kind = weather_now(world);
	if (kind == WEATHER_FLAKY) {
		if (!chance(&world->random, world->plan.flaky_percent))
			return false;
		do
			kind = (enum weather_kind)(
				WEATHER_FLAKY + 1 +
				dice(&world->random, WEATHER_COUNT - WEATHER_FLAKY - 1));
		while (kind == WEATHER_KEY_REFUSED);
	}
	switch (kind) {
	case WEATHER_FINE:
	case WEATHER_FLAKY:
	case WEATHER_COUNT:
		return false;
	case WEATHER_ERRORS:
		failure(answer, chance(&world->random, 50) ? 503 : 408, REASON_API_UNAVAILABLE, "");
		break;
	case WEATHER_NO_CONNECTION:
		no_reply(answer, chance(&world->random, 50) ? REPLY_CONNECT : REPLY_TLS);
		break;
	case WEATHER_HANGS:
		hang(world, call, answer);
		break;
	case WEATHER_MAINTENANCE_PAGE:
		garbled(answer);
		break;
	case WEATHER_WRONG_ENDPOINT:
		wrong_endpoint(answer, chance(&world->random, 50) ? 404 : 302);
		break;
	case WEATHER_KEY_REFUSED:
		bad_key(world, answer);
		break;
	case WEATHER_UNKNOWN_TEXT:
		unknown_text(answer);
		break;
	case WEATHER_BUSY:
		if (chance(&world->random, 20))
			return false;
		busy(world, answer);
		break;
	}
	return true;
}

void api_answer(struct world *world, const struct call *call, struct answer *ret_answer)
{
	*ret_answer = (struct answer){
		.transport = REPLY_HTTP,
		.latency = world->plan.latency / 2 +
			   (int64_t)dice(&world->random, (uint64_t)world->plan.latency),
	};
	if (!tell_weather(world, call, ret_answer))
		tell_truth(world, call, ret_answer);
}
