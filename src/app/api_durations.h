/*
 * API durations: how long requests to the Care360 API took, by how they ended.
 *
 * These are OpenTelemetry's http.client.request.duration, its buckets and its attributes. What an
 * API may answer is without bound and labels must not be: statuses that nobody expects are counted
 * by their class, "5xx". One thread, its worker's, records; any thread may read.
 */
#ifndef APP_API_DURATIONS_H
#define APP_API_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "core/reply.h"

/* OpenTelemetry's. */
extern const struct histogram_scale api_duration_scale;

/* A way in which requests end. The first row that fits a reply is the one that counts it. */
struct api_ending {
	enum reply_transport transport;
	int from, to;       /* HTTP: the statuses that it stands for */
	const char *status; /* the label http_response_status_code; "": no reply came */
	const char *error;  /* the label error_type; "": none */
};

#define API_ENDING_COUNT 36

extern const struct api_ending api_endings[API_ENDING_COUNT];

/* Start one as zeros. */
struct api_durations {
	struct histogram endings[API_ENDING_COUNT];
};

/* Counts one request. */
void api_durations_record(
	struct api_durations *durations, const struct reply *reply, int64_t duration_ns);

/* Adds what was counted so far to sums of each ending. */
void api_durations_add(
	struct histogram_sum sums[static API_ENDING_COUNT], const struct api_durations *durations);

#endif
