#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SECONDS   120
#define KINDS     128
#define KIND_SIZE 64

struct counts {
	int64_t start; /* since when, on the monotonic clock */
	int64_t requests;
	int64_t connections;
	int64_t max_in_flight;
	int64_t seconds[SECONDS]; /* requests of second s of the clock, at s modulo SECONDS */
	int64_t last_second;      /* the newest of them */
	struct {
		char name[KIND_SIZE];
		int64_t count;
	} kinds[KINDS];
	size_t kind_count;
};

struct stats {
	struct counts counts;
	int64_t in_flight;
};

struct stats *stats_new(int64_t now, struct error *err)
{
	struct stats *stats = mem_new(struct stats);
	if (stats == NULL) {
		error_memory(err);
		return NULL;
	}
	stats_reset(stats, now);
	return stats;
}

void stats_free(struct stats *stats)
{
	free(stats);
}

void stats_reset(struct stats *stats, int64_t now)
{
	stats->counts = (struct counts){
		.start = now,
		.last_second = now / NS_PER_S,
		.max_in_flight = stats->in_flight,
	};
}

void stats_connection(struct stats *stats)
{
	stats->counts.connections++;
}

/* Empties the bins between the newest second and this one. */
static void advance(struct counts *counts, int64_t second)
{
	if (second - counts->last_second > SECONDS)
		counts->last_second = second - SECONDS;
	while (counts->last_second < second)
		counts->seconds[++counts->last_second % SECONDS] = 0;
}

int64_t stats_request(struct stats *stats, int64_t now)
{
	struct counts *counts = &stats->counts;

	advance(counts, now / NS_PER_S);
	counts->seconds[counts->last_second % SECONDS]++;
	counts->requests++;
	stats->in_flight++;
	if (stats->in_flight > counts->max_in_flight)
		counts->max_in_flight = stats->in_flight;
	return stats->in_flight;
}

void stats_reply(struct stats *stats, const char *kind)
{
	struct counts *counts = &stats->counts;
	size_t i = 0;

	while (i < counts->kind_count && strcmp(counts->kinds[i].name, kind) != 0)
		i++;
	if (i == KINDS)
		return;
	if (i == counts->kind_count) {
		snprintf(counts->kinds[i].name, KIND_SIZE, "%s", kind);
		counts->kind_count++;
	}
	counts->kinds[i].count++;
}

void stats_end(struct stats *stats)
{
	stats->in_flight--;
}

static json_object *bins_to_json(struct counts *counts, int64_t now)
{
	json_object *bins = json_object_new_object();
	json_object *list = json_object_new_array();

	advance(counts, now / NS_PER_S);
	int64_t first = counts->start / NS_PER_S;
	if (first <= counts->last_second - SECONDS)
		first = counts->last_second - SECONDS + 1;
	for (int64_t second = first; second <= counts->last_second; second++)
		json_object_array_add(
			list, json_object_new_int64(counts->seconds[second % SECONDS]));
	json_object_object_add(bins, "from", json_object_new_int64(first));
	json_object_object_add(bins, "requests", list);
	return bins;
}

json_object *stats_to_json(const struct stats *stats, int64_t now)
{
	struct counts counts = stats->counts;
	json_object *object = json_object_new_object();
	json_object *replies = json_object_new_object();

	for (size_t i = 0; i < counts.kind_count; i++)
		json_object_object_add(replies, counts.kinds[i].name,
			json_object_new_int64(counts.kinds[i].count));
	json_object_object_add(object, "now_ms", json_object_new_int64(now / NS_PER_MS));
	json_object_object_add(object, "since_ms", json_object_new_int64(counts.start / NS_PER_MS));
	json_object_object_add(object, "requests", json_object_new_int64(counts.requests));
	json_object_object_add(object, "replies", replies);
	json_object_object_add(object, "in_flight", json_object_new_int64(stats->in_flight));
	json_object_object_add(
		object, "max_in_flight", json_object_new_int64(counts.max_in_flight));
	json_object_object_add(object, "connections", json_object_new_int64(counts.connections));
	json_object_object_add(object, "per_second", bins_to_json(&counts, now));
	return object;
}
