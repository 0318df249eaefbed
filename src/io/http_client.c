#include "io/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_client_poll.h"
#include "http_client_request.h"
#include "http_client_shard.h"
#include "http_client_share.h"
#include "http_client_transfer.h"

#define KEY_MAX        4096
#define LIBCURL_OLDEST 0x075801 /* 7.88.1 */

/*
 * HTTP/2 without TLS: libcurl 7.88.1 never ends a second request on a connection, not even by its
 * time-out. It is sure to be right from here on; before, plain HTTP means HTTP/1.1.
 */
#define LIBCURL_PLAIN_HTTP2 0x080c01 /* 8.12.1 */

/* libcurl ends every transfer by its time-out. Where it should fail to, we do, this much later. */
#define OVERDUE_NS       (1 * NS_PER_S)
#define OVERDUE_CHECK_NS (1 * NS_PER_S)

struct http_client {
	struct transfer_setup setup;
	char *base_url;
	char *ca_file;
	char *proxy;
	int connect_timeout_ms;
	int timeout_ms;
	struct http_headers *headers; /* with the present key */
	struct shards shards;
	struct http_share *own_share; /* NULL: it was given one */
	struct transfer **all;        /* every transfer there is */
	size_t count;
	size_t capacity;
	size_t under_way;
	int64_t check_ns; /* when to look for overdue transfers */
	/* Since the last reply something failed that a new look at the API's address, or at the
	 * authorities to trust, may mend. */
	bool api_doubted;
	struct transfer *idle;
	struct transfer *ended; /* oldest first */
	struct transfer *ended_last;
};

static char version_text[128];

bool http_client_library_init(struct error *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, "libcurl cannot be set up");
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	(void)snprintf(version_text, sizeof(version_text), "%s%s%s%s%s", info->version,
		info->ssl_version ? " " : "", info->ssl_version ? info->ssl_version : "",
		info->nghttp2_version ? " nghttp2/" : "",
		info->nghttp2_version ? info->nghttp2_version : "");
	if (info->version_num < LIBCURL_OLDEST || !(info->features & CURL_VERSION_SSL)) {
		curl_global_cleanup();
		return error_set(err,
			"libcurl %s will not do: it must be 7.88.1 or later, with TLS",
			info->version);
	}
	/* A connection closed under OpenSSL's write must be an error, not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	return true;
}

void http_client_library_fini(void)
{
	curl_global_cleanup();
}

const char *http_client_version(void)
{
	return version_text;
}

bool http_client_key_valid(struct bytes key, struct error *err)
{
	if (!key.data || key.length == 0)
		return error_set(err, "the API key is empty");
	if (key.length > KEY_MAX)
		return error_set(err, "the API key is longer than %d bytes", KEY_MAX);
	for (size_t i = 0; i < key.length; i++) {
		if (key.data[i] < '!' || key.data[i] > '~')
			return error_set(
				err, "the API key has a character that is not visible ASCII");
	}
	return true;
}

static bool copy_options(
	struct http_client *client, const struct http_client_options *options, struct error *err)
{
	client->base_url = strdup(options->base_url);
	client->ca_file = strdup(options->ca_file ? options->ca_file : "");
	client->proxy = strdup(options->proxy ? options->proxy : "");
	if (!client->base_url || !client->ca_file || !client->proxy)
		return error_memory(err);
	client->connect_timeout_ms = options->connect_timeout_ms;
	client->timeout_ms = options->timeout_ms;
	bool tls = strncasecmp(client->base_url, "https:", 6) == 0;
	client->setup = (struct transfer_setup){
		.http2 =
			options->http2 && (tls || curl_version_info(CURLVERSION_NOW)->version_num >=
							  LIBCURL_PLAIN_HTTP2),
		.tls = tls,
		.ca_file = client->ca_file,
		.proxy = client->proxy,
		.may_resend = options->may_resend,
		.context = options->context,
	};
	return true;
}

/* Says now what libcurl would say of every request. */
static bool check_options(const struct http_client *client, struct error *err)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	if (client->setup.http2 && !(info->features & CURL_VERSION_HTTP2))
		return error_set(err, "libcurl %s lacks HTTP/2", info->version);
	CURLU *url = curl_url();
	CURLUcode code =
		url ? curl_url_set(url, CURLUPART_URL, client->base_url, 0) : CURLUE_OUT_OF_MEMORY;
	curl_url_cleanup(url);
	if (code != CURLUE_OK)
		return error_set(
			err, "%s is not a URL: %s", client->base_url, curl_url_strerror(code));
	if (!client->ca_file[0])
		return true;
	int fd = open(client->ca_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_system(err, errno, "cannot read the CA file %s", client->ca_file);
	close(fd);
	return true;
}

/* What the multi handles share, and other clients with them where the options say so. */
static bool take_share(struct http_client *client, struct http_share *share, struct error *err)
{
	if (!share)
		share = client->own_share = http_share_new(err);
	if (share)
		client->setup.share = http_share_handle(share);
	return share != NULL;
}

static bool set_up(
	struct http_client *client, const struct http_client_options *options, struct error *err)
{
	if (!copy_options(client, options, err) || !check_options(client, err))
		return false;
	client->setup.poll = http_poll_new(err);
	if (!client->setup.poll || !take_share(client, options->share, err) ||
		!shards_init(&client->shards, client->setup.poll, options->max_connections,
			client->setup.http2, err))
		return false;
	client->headers = http_headers_new((struct bytes){0});
	return client->headers || error_memory(err);
}

struct http_client *http_client_new(const struct http_client_options *options, struct error *err)
{
	struct http_client *client = mem_new(struct http_client);
	if (!client) {
		error_memory(err);
		return NULL;
	}
	if (!set_up(client, options, err)) {
		http_client_free(client);
		return NULL;
	}
	return client;
}

/* The order matters: the sockets close with the multi handles, and tell the poll. */
void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < client->count; i++) {
		if (client->all[i]->shard)
			curl_multi_remove_handle(
				client->all[i]->shard->multi, client->all[i]->easy);
		transfer_free(client->all[i]);
	}
	shards_fini(&client->shards);
	http_share_free(client->own_share);
	http_poll_free(client->setup.poll);
	http_headers_release(client->headers);
	free(client->all);
	free(client->base_url);
	free(client->ca_file);
	free(client->proxy);
	free(client);
}

bool http_client_set_key(struct http_client *client, struct bytes key, struct error *err)
{
	if (!http_client_key_valid(key, err))
		return false;
	struct http_headers *headers = http_headers_new(key);
	if (!headers)
		return error_memory(err);
	http_headers_release(client->headers);
	client->headers = headers;
	return true;
}

void http_client_set_timeouts(struct http_client *client, int connect_timeout_ms, int timeout_ms)
{
	client->connect_timeout_ms = connect_timeout_ms;
	client->timeout_ms = timeout_ms;
}

/* A transfer that is not under way, in front of the idle ones; NULL when out of memory. */
static struct transfer *idle_transfer(struct http_client *client)
{
	if (client->idle)
		return client->idle;
	if (client->count == client->capacity) {
		size_t capacity = client->capacity ? client->capacity * 2 : 64;
		struct transfer **all =
			reallocarray(client->all, capacity, sizeof(struct transfer *));
		if (!all)
			return NULL;
		client->all = all;
		client->capacity = capacity;
	}
	struct transfer *transfer = transfer_new(&client->setup);
	if (!transfer)
		return NULL;
	client->all[client->count++] = transfer;
	client->idle = transfer;
	return transfer;
}

void http_client_describe(
	const struct http_client *client, const struct http_request *request, struct buffer *text)
{
	buffer_append_text(text, "GET ");
	http_url_append(text, bytes_of_text(client->base_url), request->email, request->phone);
	buffer_append_text(text, "\n");
	if (client->headers)
		http_headers_describe(client->headers, text);
	if (http_traceparent_valid(request->traceparent)) {
		buffer_append_text(text, "traceparent: ");
		buffer_append_bytes(text, request->traceparent);
		buffer_append_text(text, "\n");
	}
}

bool http_client_start(struct http_client *client, const struct http_request *request, void *tag,
	struct error *err)
{
	struct transfer *transfer = idle_transfer(client);
	const struct transfer_limits limits = {
		.connect_timeout_ms = client->connect_timeout_ms,
		.timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : client->timeout_ms,
		.api_doubted = client->api_doubted,
	};
	if (!transfer || !transfer_prepare(transfer, request, bytes_of_text(client->base_url),
				 client->headers, &limits))
		return error_memory(err);
	struct shard *shard = shards_pick(&client->shards);
	transfer->tag = tag;
	transfer->started_ns = clock_monotonic_ns();
	transfer->overdue_ns = transfer->started_ns + limits.timeout_ms * NS_PER_MS + OVERDUE_NS;
	if (curl_multi_add_handle(shard->multi, transfer->easy) != CURLM_OK) {
		http_headers_release(take_pointer(transfer->headers));
		return error_memory(err);
	}
	client->idle = transfer->next;
	transfer->next = NULL;
	transfer->shard = shard;
	shard->under_way++;
	client->under_way++;
	return true;
}

/* Draws conclusions about connections and addresses from how a transfer ended. */
static void learn(struct http_client *client, struct shard *shard, const struct transfer *transfer,
	int64_t now)
{
	switch (transfer->transport) {
	case REPLY_HTTP:
	case REPLY_BODY_TOO_LONG:
		shard->heard_ns = now;
		client->api_doubted = false;
		break;
	case REPLY_TIMEOUT:
		shards_note_timeout(&client->shards, shard, transfer->started_ns);
		client->api_doubted = true;
		break;
	default:
		client->api_doubted = true;
		break;
	}
}

/* Puts a transfer that ended behind those that ended before. */
static void note_end(
	struct http_client *client, struct transfer *transfer, CURLcode result, int64_t now)
{
	struct shard *shard = transfer->shard;
	curl_multi_remove_handle(shard->multi, transfer->easy);
	shard->under_way--;
	client->under_way--;
	transfer->shard = NULL;
	transfer_finish(transfer, result, now);
	learn(client, shard, transfer, now);
	transfer->next = NULL;
	if (client->ended)
		client->ended_last->next = transfer;
	else
		client->ended = transfer;
	client->ended_last = transfer;
}

static void collect_shard(struct http_client *client, CURLM *multi, int64_t now)
{
	const CURLMsg *message = NULL;
	int left = 0;
	while ((message = curl_multi_info_read(multi, &left))) {
		struct transfer *transfer = NULL;
		CURLcode result = message->data.result; /* the message goes with its handle */
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		note_end(client, transfer, result, now);
	}
}

static void collect(struct http_client *client, int64_t now)
{
	for (int i = 0; i < client->shards.count; i++) {
		struct shard *shard = &client->shards.list[i];
		collect_shard(client, shard->multi, now);
		shards_renew(&client->shards, shard);
	}
}

/* Ends what libcurl has lost, so that every look-up is answered. */
static void end_overdue(struct http_client *client, int64_t now)
{
	client->check_ns = now + OVERDUE_CHECK_NS;
	for (size_t i = 0; i < client->count; i++) {
		if (client->all[i]->shard && client->all[i]->overdue_ns < now)
			note_end(client, client->all[i], CURLE_OPERATION_TIMEDOUT, now);
	}
}

void http_client_wait(struct http_client *client, int64_t until_ns)
{
	http_poll_run_timers(client->setup.poll);
	collect(client, clock_monotonic_ns());
	if (client->ended) /* replies that nobody took yet are reason enough not to sleep */
		until_ns = 0;
	else if (client->under_way && client->check_ns < until_ns)
		until_ns = client->check_ns;
	http_poll_wait(client->setup.poll, until_ns);
	int64_t now = clock_monotonic_ns();
	collect(client, now);
	if (now >= client->check_ns)
		end_overdue(client, now);
}

void http_client_wake(struct http_client *client)
{
	http_poll_wake(client->setup.poll);
}

bool http_client_take(struct http_client *client, void **ret_tag, struct reply *ret_reply,
	int64_t *ret_duration_ns)
{
	struct transfer *transfer = client->ended;
	if (!transfer)
		return false;
	client->ended = transfer->next;
	*ret_tag = transfer->tag;
	*ret_reply = transfer_reply(transfer);
	*ret_duration_ns = transfer->duration_ns;
	/* What the reply points to stays as it is until the next start. */
	transfer->next = client->idle;
	client->idle = transfer;
	return true;
}
