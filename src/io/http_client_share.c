#include "http_client_share.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

struct http_share {
	CURLSH *handle;
	pthread_mutex_t locks[CURL_LOCK_DATA_LAST]; /* libcurl asks for one a kind of data */
};

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's signature */
static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *context)
{
	(void)easy;
	(void)access;
	struct http_share *share = context;
	pthread_mutex_lock(&share->locks[data]);
}

static void unlock(CURL *easy, curl_lock_data data, void *context)
{
	(void)easy;
	struct http_share *share = context;
	pthread_mutex_unlock(&share->locks[data]);
}

static bool set_up(struct http_share *share)
{
	CURLSH *handle = share->handle;
	return handle && curl_share_setopt(handle, CURLSHOPT_LOCKFUNC, lock) == CURLSHE_OK &&
	       curl_share_setopt(handle, CURLSHOPT_UNLOCKFUNC, unlock) == CURLSHE_OK &&
	       curl_share_setopt(handle, CURLSHOPT_USERDATA, share) == CURLSHE_OK &&
	       curl_share_setopt(handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
	       curl_share_setopt(handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

struct http_share *http_share_new(struct error *err)
{
	struct http_share *share = mem_new(struct http_share);
	if (!share) {
		error_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < array_length(share->locks); i++)
		pthread_mutex_init(&share->locks[i], NULL);
	share->handle = curl_share_init();
	if (!set_up(share)) {
		http_share_free(share);
		error_set(err, "libcurl cannot share addresses and sessions");
		return NULL;
	}
	return share;
}

void http_share_free(struct http_share *share)
{
	if (!share)
		return;
	curl_share_cleanup(share->handle);
	for (size_t i = 0; i < array_length(share->locks); i++)
		pthread_mutex_destroy(&share->locks[i]);
	free(share);
}

CURLSH *http_share_handle(const struct http_share *share)
{
	return share->handle;
}
