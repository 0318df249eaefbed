/*
 * The HTTP client: many requests to the Care360 API under way at once, on one thread.
 *
 * It is the only module that knows libcurl. A worker owns one client and runs it:
 *
 *	http_client_start(client, &request, tag, &err)      as often as it has something to send
 *	http_client_wait(client, until_ns)                  sleeps; moves every transfer along
 *	while (http_client_take(client, &tag, &reply)) ...  the replies that came
 *
 * Every function is for the one thread that uses the client, but http_client_wake(), which any
 * thread may call. The request's form is that of the API's documentation,
 * "customer-latest-case-id".
 */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/reply.h"

/*
 * What the clients of several threads know together: the API's addresses, so that one that finds a
 * new address finds it for all, and the TLS sessions that make a new connection cheaper.
 */
struct http_share;

/* NULL and err where libcurl cannot share, or memory is out. */
struct http_share *http_share_new(struct error *err);

/* After the last client that has it. NULL is fine. */
void http_share_free(struct http_share *share);

/* How to reach the API. Texts are copied; NULL or "" stands for none. */
struct http_client_options {
	const char *base_url;   /* such as https://api.example.com, no slash at its end */
	const char *ca_file;    /* authorities to trust instead of the system's */
	const char *proxy;      /* the environment's proxies are never used */
	int connect_timeout_ms; /* at least 1 */
	int timeout_ms;         /* of a whole request, at least 1 */
	int max_connections;    /* connections kept; as many as may be in flight */
	bool http2; /* over TLS offered; over plain HTTP spoken, where libcurl is 8.12.1 or later */
	struct http_share *share; /* stays the caller's; NULL: it knows for itself alone */

	/*
	 * Asked, on the client's thread, each time libcurl is about to send a request again by
	 * itself, because a kept connection was closed under it. False: it must not, and the
	 * transfer ends as REPLY_CONNECT.
	 */
	bool (*may_resend)(void *context, void *tag);
	void *context;
};

/* One look-up. What it points to may go as soon as http_client_start() returns. */
struct http_request {
	struct bytes email;       /* absent: left out */
	struct bytes phone;       /* absent: left out */
	struct bytes traceparent; /* sent only where it fits W3C Trace Context; absent: none */
	int timeout_ms;           /* 0: the options'; shorter for a probe */
};

struct http_client;

/* NULL and err where libcurl lacks what is needed, a file cannot be read, or memory is out. */
struct http_client *http_client_new(const struct http_client_options *options, struct error *err);

/* Drops what is under way. NULL is fine. */
void http_client_free(struct http_client *client);

/*
 * The API key for the requests that start from now on. It is copied, and wiped when it is replaced.
 * False and err where it has characters that a header may not hold: the former key stays.
 */
bool http_client_set_key(struct http_client *client, struct bytes key, struct error *err);

/* Whether a text may be sent as the key: 1 to 4,096 visible ASCII characters. For any thread. */
bool http_client_key_valid(struct bytes key, struct error *err);

/* How long a request may take from now on, as in the options. */
void http_client_set_timeouts(struct http_client *client, int connect_timeout_ms, int timeout_ms);

/*
 * Starts a look-up. `tag` comes back with its reply. False and err only when out of memory:
 * whatever goes wrong on the wire comes as a reply.
 */
bool http_client_start(struct http_client *client, const struct http_request *request, void *tag,
	struct error *err);

/* Appends what such a request sends, a line for each part, with the key masked: for a person to
 * read. */
void http_client_describe(
	const struct http_client *client, const struct http_request *request, struct buffer *text);

/*
 * Sleeps until something happens, another thread wakes it, or the monotonic clock reaches until_ns
 * (TIME_NEVER: no such time; one that is past: looks and does not sleep), and moves every transfer
 * along.
 */
void http_client_wait(struct http_client *client, int64_t until_ns);

/* Ends the sleep of http_client_wait(), now or the next time. For any thread; costs one write. */
void http_client_wake(struct http_client *client);

/*
 * The next look-up that ended, in the order of their ends; false where there is none. What the
 * reply points to is valid until the next call of any function of this client. duration_ns: from
 * start to end.
 */
bool http_client_take(struct http_client *client, void **ret_tag, struct reply *ret_reply,
	int64_t *ret_duration_ns);

/* The host and port that a base URL names, the scheme's own port where it names none. */
struct http_origin {
	char host[256];
	unsigned port;
};

/* False and err where the text is no URL. For any thread. */
bool http_client_origin(const char *base_url, struct http_origin *ret_origin, struct error *err);

/* "7.88.1 OpenSSL/3.0.17 nghttp2/1.52.0": what is at work, for logs and metrics. For any thread. */
const char *http_client_version(void);

/*
 * Sets libcurl up for this process, and has SIGPIPE ignored; before any thread starts, once.
 * http_client_library_fini() ends it.
 */
bool http_client_library_init(struct error *err);
void http_client_library_fini(void);

#endif
