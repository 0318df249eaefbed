#include "http_client_shard.h"

#include <stdlib.h>

#include "base/mem.h"

#define SHARD_SIZE   64 /* HTTP/1.1: connections of one shard */
#define HTTP2_SHARDS 2  /* the one in use, and one for when it is retired */

static bool open_shard(const struct shards *shards, struct shard *shard, struct error *err)
{
	*shard = (struct shard){.multi = curl_multi_init()};
	if (!shard->multi)
		return error_memory(err);
	bool ok = curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)shards->size) ==
			  CURLM_OK &&
		  curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING,
			  shards->http2 ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING) == CURLM_OK;
	if (!ok)
		return error_set(err, "libcurl lacks an option");
	return http_poll_attach(shards->poll, shard->multi, err);
}

static void close_shard(const struct shards *shards, struct shard *shard)
{
	curl_multi_cleanup(shard->multi);
	http_poll_detach(shards->poll, shard->multi);
}

bool shards_init(struct shards *shards, struct http_poll *poll, int max_connections, bool http2,
	struct error *err)
{
	bool one = http2 || max_connections <= SHARD_SIZE;
	*shards = (struct shards){
		.poll = poll, .http2 = http2, .size = one ? max_connections : SHARD_SIZE};
	shards->count = http2 ? HTTP2_SHARDS : (max_connections + shards->size - 1) / shards->size;
	shards->list = mem_new_array(struct shard, (size_t)shards->count);
	if (!shards->list)
		return error_memory(err);
	for (int i = 0; i < shards->count; i++) {
		if (!open_shard(shards, &shards->list[i], err))
			return false;
	}
	return true;
}

void shards_fini(struct shards *shards)
{
	for (int i = 0; shards->list && i < shards->count; i++)
		close_shard(shards, &shards->list[i]);
	free(shards->list);
	shards->list = NULL;
}

struct shard *shards_pick(const struct shards *shards)
{
	struct shard *best = NULL;
	for (int i = 0; i < shards->count; i++) {
		struct shard *shard = &shards->list[i];
		if (shard->retired)
			continue;
		if (shard->under_way < shards->size)
			return shard;
		if (!best || shard->under_way < best->under_way)
			best = shard;
	}
	return best;
}

void shards_note_timeout(struct shards *shards, struct shard *shard, int64_t started_ns)
{
	/* With HTTP/1.1 libcurl closes the connection of what timed out. */
	if (!shards->http2 || shard->heard_ns >= started_ns)
		return;
	/* One at a time: when the other one is silent as well, the first is soon done with. */
	for (int i = 0; i < shards->count; i++) {
		if (shards->list[i].retired)
			return;
	}
	shard->retired = true;
}

void shards_renew(struct shards *shards, struct shard *shard)
{
	struct shard fresh;
	if (!shard->retired || shard->under_way > 0)
		return;
	if (open_shard(shards, &fresh, NULL)) {
		close_shard(shards, shard);
		*shard = fresh;
	} else { /* no memory: a connection in doubt is better than none */
		close_shard(shards, &fresh);
		shard->retired = false;
	}
}
