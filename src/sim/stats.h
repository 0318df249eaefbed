/*
 * Stats: how many requests came, how they were answered, and how many were under way at once.
 */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include <json-c/json.h>
#include <stdint.h>

#include "base/error.h"

struct stats;

/* Empty counters. `now` is the monotonic clock, here and below. NULL and err when out of memory. */
struct stats *stats_new(int64_t now, struct error *err);
void stats_free(struct stats *stats);

/* Counts from nothing again; what is under way stays under way. */
void stats_reset(struct stats *stats, int64_t now);

/* A connection was accepted. */
void stats_connection(struct stats *stats);

/* A request came. Returns how many are under way, with this one. */
int64_t stats_request(struct stats *stats, int64_t now);

/* A request got a reply of this kind, or will; what cannot be kept of too many kinds is dropped. */
void stats_reply(struct stats *stats, const char *kind);

/* A request is over: its reply is in the socket, or its connection has ended. */
void stats_end(struct stats *stats);

/* Everything counted. The caller puts it. */
json_object *stats_to_json(const struct stats *stats, int64_t now);

#endif
