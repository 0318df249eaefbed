/*
 * What the tests of the HTTP client share: a client, the scripted server it talks to, and the reply
 * that came last.
 */
#ifndef HTTP_CLIENT_FIXTURE_H
#define HTTP_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "scripted_server.h"

#define GIVE_UP_S 60 /* a test that hangs ends by SIGALRM */
#define FOUND     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct fixture {
	struct server *server;
	struct http_client *client;
	struct http_share *share; /* NULL: none */
	bool resend_allowed;
	int resend_asked;
	void *resend_tag;
	enum reply_transport transport;
	int status;
	int64_t duration_ns;
	struct buffer body;
	char retry_after[128]; /* "": none */
};

static inline bool may_resend(void *context, void *tag)
{
	struct fixture *f = context;
	f->resend_asked++;
	f->resend_tag = tag;
	return f->resend_allowed;
}

static inline void set_key(struct fixture *f, const char *key)
{
	struct error err = {0};
	assert_true(http_client_set_key(f->client, bytes_of_text(key), &err));
}

/* A client for some base URL. */
static inline void connect_to(struct fixture *f, const char *base_url)
{
	struct error err = {0};
	const struct http_client_options options = {
		.base_url = base_url,
		.connect_timeout_ms = 10000,
		.timeout_ms = 30000,
		.max_connections = 200,
		.share = f->share,
		.may_resend = may_resend,
		.context = f,
	};
	f->client = http_client_new(&options, &err);
	assert_non_null(f->client);
	set_key(f, "first-key");
}

/* A server with a script, and a client of it. */
static inline void start(struct fixture *f, const struct step *script, size_t steps)
{
	char base_url[64];
	alarm(GIVE_UP_S);
	*f = (struct fixture){.server = server_start(script, steps)};
	(void)snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", f->server->port);
	connect_to(f, base_url);
}

#define START(f, ...)                                                                              \
	static const struct step script_[] = {__VA_ARGS__};                                        \
	start((f), script_, array_length(script_))

static inline void stop(struct fixture *f)
{
	http_client_free(f->client);
	if (f->server)
		server_stop(f->server);
	buffer_fini(&f->body);
	alarm(0);
}

static inline void begin(struct fixture *f, const struct http_request *request, void *tag)
{
	struct error err = {0};
	assert_true(http_client_start(f->client, request, tag, &err));
}

/* Waits for the next reply and keeps it. Returns its tag. */
static inline void *await(struct fixture *f)
{
	void *tag = NULL;
	struct reply reply = {0};
	while (!http_client_take(f->client, &tag, &reply, &f->duration_ns))
		http_client_wait(f->client, TIME_NEVER);
	f->transport = reply.transport;
	f->status = reply.status;
	buffer_clear(&f->body);
	buffer_append_bytes(&f->body, reply.body);
	(void)snprintf(f->retry_after, sizeof(f->retry_after), "%.*s",
		(int)reply.retry_after.length,
		reply.retry_after.data ? reply.retry_after.data : "");
	return tag;
}

static inline void look_up(struct fixture *f, const char *email)
{
	begin(f, &(struct http_request){.email = bytes_of_text(email)}, NULL);
	await(f);
}

/* Whether a request that came has a line, from its line end to the next. */
static inline bool has_line(struct fixture *f, size_t index, const char *line)
{
	char whole[256];
	(void)snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	return strstr(server_request(f->server, index), whole) != NULL;
}

static inline void assert_first_line(struct fixture *f, size_t index, const char *line)
{
	const char *request = server_request(f->server, index);
	char first[4096];
	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(request, "\r"), request);
	assert_string_equal(first, line);
}

static inline int set_up_library(void **state)
{
	(void)state;
	struct error err = {0};
	return http_client_library_init(&err) ? 0 : -1;
}

static inline int end_library(void **state)
{
	(void)state;
	http_client_library_fini();
	return 0;
}

#endif
