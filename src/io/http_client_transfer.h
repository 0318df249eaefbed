/*
 * One transfer of the HTTP client: an easy handle that is used again and again, and what came of
 * it.
 */
#ifndef IO_HTTP_CLIENT_TRANSFER_H
#define IO_HTTP_CLIENT_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/bytes.h"
#include "core/reply.h"
#include "http_client_poll.h"
#include "http_client_request.h"
#include "io/http_client.h"

#define RETRY_AFTER_MAX 64 /* a date has 29 characters; a longer value is taken for none */

/* What all transfers of a client have in common. */
struct transfer_setup {
	struct http_poll *poll;
	CURLSH *share;
	bool http2;
	bool tls;
	const char *ca_file; /* "": the system's authorities */
	const char *proxy;   /* "": none */
	bool (*may_resend)(void *context, void *tag);
	void *context;
};

struct transfer_limits {
	int connect_timeout_ms;
	int timeout_ms;
	bool api_doubted; /* the address found for the API may be wrong by now, or whom we trust */
};

/* Why our own callbacks ended a transfer. */
enum transfer_stop { STOP_NONE, STOP_BODY, STOP_HEADERS, STOP_RESEND };

struct transfer {
	CURL *easy;
	CURLU *parsed; /* the URL as libcurl takes it: cheaper than as text, which it would parse
			  twice */
	struct transfer *next;
	struct shard *shard; /* where it is under way; NULL: it is not */
	void *tag;
	struct buffer url;
	struct buffer body;
	struct http_headers *headers; /* held while under way */
	struct curl_slist trace;
	char trace_line[TRACE_LINE_SIZE];
	const struct transfer_setup *setup;
	struct transfer_limits limits; /* in force; all 0: none yet */
	size_t header_bytes;
	unsigned sends;
	enum transfer_stop stop;
	bool headers_ended; /* by an empty line, as they must */
	bool has_retry_after;
	unsigned char retry_after_length;
	char retry_after[RETRY_AFTER_MAX];
	int64_t started_ns;
	int64_t overdue_ns; /* later than this libcurl has lost it */
	int64_t duration_ns;
	enum reply_transport transport;
	int status;
};

/* What a request may do on the network: for every easy handle there is. False where libcurl lacks
 * an option. */
bool transfer_set_rules(CURL *easy, const struct transfer_setup *setup);

/* What the result of a transfer is to us. */
enum reply_transport transfer_transport(CURL *easy, CURLcode result);

/* NULL when out of memory, or where libcurl lacks an option. `setup` must outlive it. */
struct transfer *transfer_new(const struct transfer_setup *setup);

/* The transfer must not be with a multi handle. NULL is fine. */
void transfer_free(struct transfer *transfer);

/* Makes it ready for a request. False when out of memory. */
bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
	struct bytes base, struct http_headers *headers, const struct transfer_limits *limits);

/* Notes how it ended. */
void transfer_finish(struct transfer *transfer, CURLcode result, int64_t now);

/* What came. It points into the transfer. */
struct reply transfer_reply(const struct transfer *transfer);

#endif
