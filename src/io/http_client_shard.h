/*
 * The shards of the HTTP client: its transfers are spread over several multi handles.
 *
 * With HTTP/1.1 libcurl walks a list of a host's connections to find an idle one, for every
 * request: short lists keep that cheap however many are in flight.
 *
 * HTTP/2 puts many requests on one connection, and so wants them on one multi handle. But libcurl
 * goes on using a connection on which requests time out, however long: where its other end hangs,
 * or a firewall has forgotten it, nothing would ever come again. So a shard on which a request
 * timed out without any reply since it began is retired: what starts from then on goes to a second
 * one, with a fresh connection, and the connection of the first is closed once nobody waits for it.
 */
#ifndef IO_HTTP_CLIENT_SHARD_H
#define IO_HTTP_CLIENT_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/error.h"
#include "http_client_poll.h"

struct shard {
	CURLM *multi;
	int under_way;    /* transfers; counted by whoever starts and ends them */
	int64_t heard_ns; /* when a reply came last; noted by whoever takes it */
	bool retired;
};

struct shards {
	struct http_poll *poll;
	bool http2;
	int size;  /* how many transfers one is meant for */
	int count; /* of `list` */
	struct shard *list;
};

/* Makes them, for so many transfers in all. False and err: shards_fini() is still to be called. */
bool shards_init(struct shards *shards, struct http_poll *poll, int max_connections, bool http2,
	struct error *err);

/* Closes them; no transfer may be under way. Also for shards that are all zeros. */
void shards_fini(struct shards *shards);

/* Where the next transfer goes: the first one with room, so that few in flight keep few
 * connections warm; else the emptiest. */
struct shard *shards_pick(const struct shards *shards);

/* A transfer timed out that had started at that time. May retire its shard. */
void shards_note_timeout(struct shards *shards, struct shard *shard, int64_t started_ns);

/* Has a retired shard serve again, without its connections, where nothing is under way on it. */
void shards_renew(struct shards *shards, struct shard *shard);

#endif
