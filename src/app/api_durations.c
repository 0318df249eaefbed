#include "api_durations.h"

#include "base/clock.h"

#define MS(number) ((number)*NS_PER_MS)

const struct histogram_scale api_duration_scale = {
	14,
	{MS(5), MS(10), MS(25), MS(50), MS(75), MS(100), MS(250), MS(500), MS(750), MS(1000),
		MS(2500), MS(5000), MS(7500), MS(10000)},
};

#define FINE(status)                                                                               \
	{                                                                                          \
		REPLY_HTTP, (status), (status), #status, ""                                        \
	}
#define FAILED(status)                                                                             \
	{                                                                                          \
		REPLY_HTTP, (status), (status), #status, #status                                   \
	}

const struct api_ending api_endings[API_ENDING_COUNT] = {
	FINE(200), FINE(201), FINE(202), FINE(204), {REPLY_HTTP, 200, 299, "2xx", ""}, FINE(301),
	FINE(302), FINE(303), FINE(307), FINE(308), {REPLY_HTTP, 300, 399, "3xx", ""}, FAILED(400),
	FAILED(401), FAILED(403), FAILED(404), FAILED(405), FAILED(408), FAILED(410), FAILED(413),
	FAILED(414), FAILED(422), FAILED(425), FAILED(429), FAILED(431),
	{REPLY_HTTP, 400, 499, "4xx", "4xx"}, FAILED(500), FAILED(501), FAILED(502), FAILED(503),
	FAILED(504), {REPLY_HTTP, 500, 599, "5xx", "5xx"}, {REPLY_TIMEOUT, 0, 0, "", "timeout"},
	{REPLY_CONNECT, 0, 0, "", "connect"}, {REPLY_TLS, 0, 0, "", "tls"},
	{REPLY_BODY_TOO_LONG, 0, 0, "", "body_too_long"},
	{REPLY_OTHER, 0, 0, "", "_OTHER"}, /* OpenTelemetry's word for anything else */
};

static bool fits(const struct api_ending *ending, const struct reply *reply)
{
	if (ending->transport != reply->transport)
		return false;
	return reply->transport != REPLY_HTTP ||
	       (reply->status >= ending->from && reply->status <= ending->to);
}

void api_durations_record(
	struct api_durations *durations, const struct reply *reply, int64_t duration_ns)
{
	size_t ending = 0;
	while (ending < API_ENDING_COUNT - 1 && !fits(&api_endings[ending], reply))
		ending++;
	histogram_record(&durations->endings[ending], &api_duration_scale, duration_ns);
}

void api_durations_add(
	struct histogram_sum sums[static API_ENDING_COUNT], const struct api_durations *durations)
{
	for (size_t i = 0; i < API_ENDING_COUNT; i++)
		histogram_add(&sums[i], &durations->endings[i]);
}
