#include <pthread.h>
#include <semaphore.h>
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

#define GIVE_UP_S   60 /* a test that hangs ends by SIGALRM */
#define FOUND       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct fixture {
	struct server *server;
	struct http_client *client;
	bool resend_allowed;
	int resend_asked;
	void *resend_tag;
	enum reply_transport transport;
	int status;
	int64_t duration_ns;
	struct buffer body;
	char retry_after[128]; /* "": none */
};

static bool may_resend(void *context, void *tag)
{
	struct fixture *f = context;
	f->resend_asked++;
	f->resend_tag = tag;
	return f->resend_allowed;
}

static void set_key(struct fixture *f, const char *key)
{
	struct error err = {0};
	assert_true(http_client_set_key(f->client, bytes_of_text(key), &err));
}

/* A client for some base URL. */
static void connect_to(struct fixture *f, const char *base_url)
{
	struct error err = {0};
	const struct http_client_options options = {
		.base_url = base_url,
		.connect_timeout_ms = 10000,
		.timeout_ms = 30000,
		.max_connections = 200,
		.may_resend = may_resend,
		.context = f,
	};
	f->client = http_client_new(&options, &err);
	assert_non_null(f->client);
	set_key(f, "first-key");
}

/* A server with a script, and a client of it. */
static void start(struct fixture *f, const struct step *script, size_t steps)
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

static void stop(struct fixture *f)
{
	http_client_free(f->client);
	if (f->server)
		server_stop(f->server);
	buffer_fini(&f->body);
	alarm(0);
}

static void begin(struct fixture *f, const struct http_request *request, void *tag)
{
	struct error err = {0};
	assert_true(http_client_start(f->client, request, tag, &err));
}

/* Waits for the next reply and keeps it. Returns its tag. */
static void *await(struct fixture *f)
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

static void look_up(struct fixture *f, const char *email)
{
	begin(f, &(struct http_request){.email = bytes_of_text(email)}, NULL);
	await(f);
}

/* Whether a request that came has a line, from its line end to the next. */
static bool has_line(struct fixture *f, size_t index, const char *line)
{
	char whole[256];
	(void)snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	return strstr(server_request(f->server, index), whole) != NULL;
}

static void assert_first_line(struct fixture *f, size_t index, const char *line)
{
	const char *request = server_request(f->server, index);
	char first[4096];
	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(request, "\r"), request);
	assert_string_equal(first, line);
}

static void gives_status_body_and_duration(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	int64_t before = clock_monotonic_ns();
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_int_equal(f.status, 200);
	assert_string_equal(buffer_text(&f.body), "hello");
	assert_string_equal(f.retry_after, "");
	assert_true(f.duration_ns > 0 && f.duration_ns <= clock_monotonic_ns() - before);
	stop(&f);
}

static void encodes_all_but_unreserved_characters(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	const struct http_request both = {
		.email = BYTES("Az09-._~ +@&=#%/?\x01\xc3\xa9"), .phone = BYTES("+1 555")};
	begin(&f, &both, NULL);
	await(&f);
	assert_first_line(&f, 0,
		"GET /api/v1/customer-latest-case-id"
		"?email=Az09-._~%20%2B%40%26%3D%23%25%2F%3F%01%C3%A9&phoneNumber=%2B1%20555 "
		"HTTP/1.1");
	begin(&f, &(struct http_request){.phone = BYTES("+15550100")}, NULL);
	await(&f);
	assert_first_line(
		&f, 1, "GET /api/v1/customer-latest-case-id?phoneNumber=%2B15550100 HTTP/1.1");
	stop(&f);
}

static void encodes_long_texts_whole(void **state)
{
	(void)state;
	struct fixture f;
	char email[1024];
	char line[4096] = "GET /api/v1/customer-latest-case-id?email=";
	START(&f, {.reply = FOUND});
	memset(email, '@', sizeof(email));
	for (size_t i = 0; i < sizeof(email); i++)
		memcpy(line + strlen(line), "%40", 4);
	memcpy(line + strlen(line), " HTTP/1.1", sizeof(" HTTP/1.1"));
	begin(&f, &(struct http_request){.email = {email, sizeof(email)}}, NULL);
	await(&f);
	assert_first_line(&f, 0, line);
	stop(&f);
}

static void sends_the_headers_of_the_documentation(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	assert_true(has_line(&f, 0, "Content-Type: application/json"));
	assert_true(has_line(&f, 0, "Accept: application/json"));
	assert_non_null(strstr(server_request(f.server, 0), "\r\nUser-Agent: care360-lookup/"));
	assert_null(strcasestr(server_request(f.server, 0), "accept-encoding"));
	assert_null(strcasestr(server_request(f.server, 0), "traceparent"));
	stop(&f);
}

static void sends_nothing_but_a_valid_traceparent(void **state)
{
	(void)state;
	static const struct bytes INVALID[] = {
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nCV-Api-Key: "
		      "evil"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\r\n"),
		BYTES("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
		BYTES("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
		BYTES("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"),
		BYTES(""),
	};
	struct fixture f;
	START(&f, {.reply = FOUND});
	for (size_t i = 0; i < array_length(INVALID); i++) {
		begin(&f, &(struct http_request){.phone = BYTES("1"), .traceparent = INVALID[i]},
			NULL);
		await(&f);
		assert_null(strcasestr(server_request(f.server, i), "traceparent"));
		assert_null(strstr(server_request(f.server, i), "evil"));
	}
	begin(&f, &(struct http_request){.phone = BYTES("1"), .traceparent = BYTES(TRACEPARENT)},
		NULL);
	await(&f);
	assert_true(has_line(&f, array_length(INVALID), "traceparent: " TRACEPARENT));
	assert_true(has_line(&f, array_length(INVALID), "CV-Api-Key: first-key"));
	stop(&f);
}

static void uses_a_new_key_from_the_next_start_on(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
	set_key(&f, "second-key"); /* the first must live on until its request was sent */
	await(&f);
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	assert_true(has_line(&f, 1, "CV-Api-Key: second-key"));
	stop(&f);
}

static void refuses_keys_that_no_header_may_hold(void **state)
{
	(void)state;
	char longest[4097];
	memset(longest, 'k', sizeof(longest));
	const struct bytes invalid[] = {{0}, BYTES(""), BYTES("a\rb"), BYTES("a\nCV-Api-Key: b"),
		BYTES("a\0b"), BYTES("a b"), BYTES("\xc3\xa9"), BYTES("\x7f"),
		{longest, sizeof(longest)}};
	struct fixture f;
	START(&f, {.reply = FOUND});
	for (size_t i = 0; i < array_length(invalid); i++) {
		struct error err = {0};
		assert_false(http_client_key_valid(invalid[i], &err));
		assert_true(err.text[0] != '\0');
		assert_false(http_client_set_key(f.client, invalid[i], NULL));
	}
	assert_true(http_client_key_valid((struct bytes){longest, sizeof(longest) - 1}, NULL));
	look_up(&f, "a@b.org");
	assert_true(has_line(&f, 0, "CV-Api-Key: first-key"));
	stop(&f);
}

static void follows_no_redirect(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: "
			    "0\r\n\r\n"});
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_int_equal(f.status, 302);
	assert_int_equal(server_count(f.server), 1);
	stop(&f);
}

/* A reply whose body has so many bytes, and no Content-Length where `chunked`. */
static char *long_reply(size_t length, bool chunked)
{
	char *text = calloc(1, length + 256);
	assert_non_null(text);
	int head =
		chunked ? sprintf(text,
				  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
				  length)
			: sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
	memset(text + head, 'x', length);
	if (chunked)
		memcpy(text + head + length, "\r\n0\r\n\r\n", 8);
	return text;
}

static void caps_the_body(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct fixture f;
		bool fits = i % 2 == 0;
		CLEANUP(free_pointer)
		char *reply = long_reply(REPLY_BODY_MAX + (fits ? 0 : 1), i >= 2);
		const struct step script[] = {{.reply = reply}, {.reply = FOUND}};
		start(&f, script, array_length(script));
		look_up(&f, "a@b.org");
		assert_int_equal(f.transport, fits ? REPLY_HTTP : REPLY_BODY_TOO_LONG);
		assert_int_equal(f.status, 200);
		assert_int_equal(f.body.length, fits ? REPLY_BODY_MAX : 0);
		look_up(&f, "a@b.org"); /* nothing of the long one is left */
		assert_string_equal(buffer_text(&f.body), "hello");
		stop(&f);
	}
}

static void reads_bodies_that_come_byte_by_byte(void **state)
{
	(void)state;
	struct fixture f;
	CLEANUP(free_pointer) char *reply = long_reply(2000, true);
	const struct step script[] = {{.reply = reply, .byte_by_byte = true}};
	start(&f, script, array_length(script));
	for (int i = 0; i < 3; i++) {
		look_up(&f, "a@b.org");
		assert_int_equal(f.body.length, 2000);
	}
	stop(&f);
}

static void tells_how_a_transfer_failed(void **state)
{
	(void)state;
	static const struct {
		struct step step;
		enum reply_transport transport;
	} CASES[] = {
		{{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", .then = CLOSE},
			REPLY_CONNECT},
		{{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", .then = RESET},
			REPLY_CONNECT},
		{{.reply = NULL, .then = CLOSE}, REPLY_CONNECT},
		{{.reply = NULL, .then = RESET}, REPLY_CONNECT},
		{{.reply = "SSH-2.0-OpenSSH_9.2\r\n", .then = CLOSE}, REPLY_OTHER},
	};
	for (size_t i = 0; i < array_length(CASES); i++) {
		struct fixture f;
		start(&f, &CASES[i].step, 1);
		look_up(&f, "a@b.org");
		assert_int_equal(f.transport, CASES[i].transport);
		assert_int_equal(f.status, 0);
		assert_int_equal(f.body.length, 0);
		assert_int_equal(server_count(f.server),
			1); /* a fresh connection is no cause to send again */
		stop(&f);
	}
}

static void ends_a_flood_of_headers(void **state)
{
	(void)state;
	struct fixture f;
	static char reply[120000] = "HTTP/1.1 200 OK\r\n";
	size_t length = strlen(reply);
	for (; length < 100000; length += 60)
		(void)snprintf(reply + length, 61, "X-Flood: %049d\r\n", 0);
	(void)snprintf(reply + length, sizeof(reply) - length, "Content-Length: 0\r\n\r\n");
	const struct step script[] = {{.reply = reply}};
	start(&f, script, array_length(script));
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_OTHER);
	stop(&f);
}

static void gives_up_after_the_time_out(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = NULL}, {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"});
	for (int i = 0; i < 2; i++) {
		begin(&f, &(struct http_request){.phone = BYTES("1"), .timeout_ms = 20}, NULL);
		await(&f);
		assert_int_equal(f.transport, REPLY_TIMEOUT);
		assert_true(f.duration_ns >= 20 * NS_PER_MS);
	}
	http_client_set_timeouts(f.client, 10000, 30);
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_TIMEOUT);
	assert_true(f.duration_ns >= 30 * NS_PER_MS);
	stop(&f);
}

static void tells_of_a_refused_connection(void **state)
{
	(void)state;
	struct fixture f = {0};
	alarm(GIVE_UP_S);
	connect_to(&f, "http://127.0.0.1:1");
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_CONNECT);
	stop(&f);
}

static void tells_of_a_server_without_tls(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	char base_url[64];
	http_client_free(f.client);
	(void)snprintf(base_url, sizeof(base_url), "https://127.0.0.1:%d", f.server->port);
	connect_to(&f, base_url);
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_TLS);
	assert_int_equal(server_count(f.server), 0);
	stop(&f);
}

static void asks_before_it_sends_again(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND}, {.then = RESET}, {.reply = FOUND});
	int tag = 0;
	f.resend_allowed = true;
	look_up(&f, "a@b.org");
	assert_int_equal(f.resend_asked, 0);
	begin(&f, &(struct http_request){.phone = BYTES("1")}, &tag);
	assert_ptr_equal(await(&f), &tag);
	assert_int_equal(f.resend_asked, 1);
	assert_ptr_equal(f.resend_tag, &tag);
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_string_equal(buffer_text(&f.body), "hello");
	assert_int_equal(server_count(f.server), 3);
	stop(&f);
}

static void does_not_send_again_without_leave(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND}, {.then = RESET}, {.reply = FOUND});
	look_up(&f, "a@b.org");
	look_up(&f, "a@b.org");
	assert_int_equal(f.resend_asked, 1);
	assert_int_equal(f.transport, REPLY_CONNECT);
	assert_int_equal(server_count(f.server), 2);
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	stop(&f);
}

static void gives_retry_after(void **state)
{
	(void)state;
	struct fixture f;
	START(&f,
		{.reply = "HTTP/1.1 429 Too Many Requests\r\nretry-AFTER:  120 \r\nContent-Length: "
			  "0\r\n\r\n"},
		{.reply = "HTTP/1.1 503 Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 "
			  "GMT\r\n"
			  "Content-Length: 0\r\n\r\n"},
		{.reply = "HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\n" FOUND});
	look_up(&f, "a@b.org");
	assert_int_equal(f.status, 429);
	assert_string_equal(f.retry_after, "120");
	look_up(&f, "a@b.org");
	assert_string_equal(f.retry_after, "Fri, 31 Dec 1999 23:59:59 GMT");
	look_up(&f, "a@b.org");
	assert_int_equal(f.status, 200);
	assert_string_equal(f.retry_after, "");
	stop(&f);
}

static void ignores_the_proxies_of_the_environment(void **state)
{
	(void)state;
	struct fixture f;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	START(&f, {.reply = FOUND});
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	stop(&f);
}

static void uses_the_proxy_of_the_options_whatever_no_proxy_says(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	char proxy[64];
	http_client_free(f.client);
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f.server->port);
	setenv("no_proxy", "*", 1);
	const struct http_client_options options = {.base_url = "http://api.invalid",
		.proxy = proxy,
		.connect_timeout_ms = 10000,
		.timeout_ms = 30000,
		.max_connections = 1};
	f.client = http_client_new(&options, NULL);
	look_up(&f, "a");
	unsetenv("no_proxy");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_first_line(
		&f, 0, "GET http://api.invalid/api/v1/customer-latest-case-id?email=a HTTP/1.1");
	stop(&f);
}

static void keeps_many_in_flight_and_their_connections(void **state)
{
	(void)state;
	enum { COUNT = 200 };
	struct fixture f;
	int tags[COUNT] = {0};
	START(&f, {.reply = FOUND});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < COUNT; i++)
			begin(&f, &(struct http_request){.phone = BYTES("1")}, &tags[i]);
		for (int i = 0; i < COUNT; i++) {
			int *tag = await(&f);
			assert_int_equal(f.transport, REPLY_HTTP);
			assert_int_equal(++*tag, round + 1);
		}
	}
	assert_int_equal(server_count(f.server), 3 * COUNT);
	assert_true(f.server->connections <= COUNT);
	stop(&f);
}

static void serves_new_connections_on_the_descriptors_of_old_ones(void **state)
{
	(void)state;
	enum { COUNT = 8 };
	struct fixture f;
	START(&f,
		{.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
			.then = CLOSE});
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < COUNT; i++)
			begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
		for (int i = 0; i < COUNT; i++) {
			await(&f);
			assert_int_equal(f.transport, REPLY_HTTP);
		}
	}
	assert_int_equal(f.server->connections, 4 * COUNT);
	stop(&f);
}

static void forgets_what_is_under_way_at_its_end(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = NULL});
	for (int i = 0; i < 10; i++)
		begin(&f, &(struct http_request){.phone = BYTES("1")}, NULL);
	while (server_count(f.server) < 10)
		http_client_wait(f.client, clock_monotonic_ns() + NS_PER_MS);
	stop(&f);
}

static void waits_until_its_time(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	int64_t until = clock_monotonic_ns() + 5 * NS_PER_MS;
	while (clock_monotonic_ns() < until)
		http_client_wait(f.client, until);
	http_client_wait(f.client, 0); /* must not sleep: SIGALRM would tell */
	stop(&f);
}

struct waker {
	struct http_client *client;
	sem_t seen;
};

#define WAKES 2000

static void *wake_often(void *context)
{
	struct waker *waker = context;
	for (int i = 0; i < WAKES; i++) {
		http_client_wake(waker->client);
		sem_wait(&waker->seen);
	}
	return NULL;
}

static void wakes_from_another_thread(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	struct waker waker = {.client = f.client};
	pthread_t thread;
	sem_init(&waker.seen, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_often, &waker), 0);
	for (int i = 0; i < WAKES; i++) {
		http_client_wait(f.client, TIME_NEVER); /* a wake that is lost hangs here */
		sem_post(&waker.seen);
	}
	pthread_join(thread, NULL);
	sem_destroy(&waker.seen);
	stop(&f);
}

static void a_wake_before_the_wait_counts(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	http_client_wake(f.client);
	http_client_wake(f.client);
	http_client_wait(f.client, TIME_NEVER);
	stop(&f);
}

static void refuses_a_ca_file_that_cannot_be_read(void **state)
{
	(void)state;
	struct error err = {0};
	const struct http_client_options options = {.base_url = "https://localhost",
		.ca_file = "/nonexistent/ca.pem",
		.connect_timeout_ms = 1,
		.timeout_ms = 1,
		.max_connections = 1};
	assert_null(http_client_new(&options, &err));
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
	http_client_free(NULL);
}

static void refuses_a_base_url_that_is_none(void **state)
{
	(void)state;
	struct error err = {0};
	const struct http_client_options options = {.base_url = "http://a b",
		.connect_timeout_ms = 1,
		.timeout_ms = 1,
		.max_connections = 1};
	assert_null(http_client_new(&options, &err));
	assert_non_null(strstr(err.text, "http://a b"));
}

static void names_the_libraries_at_work(void **state)
{
	(void)state;
	const char *version = http_client_version();
	char *end = NULL;
	long major = strtol(version, &end, 10);
	assert_int_equal(*end, '.');
	assert_true(major > 7 || strtol(end + 1, NULL, 10) >= 88);
	assert_non_null(strstr(version, "SSL"));
}

static int set_up_library(void **state)
{
	(void)state;
	struct error err = {0};
	return http_client_library_init(&err) ? 0 : -1;
}

static int end_library(void **state)
{
	(void)state;
	http_client_library_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_status_body_and_duration),
		cmocka_unit_test(encodes_all_but_unreserved_characters),
		cmocka_unit_test(encodes_long_texts_whole),
		cmocka_unit_test(sends_the_headers_of_the_documentation),
		cmocka_unit_test(sends_nothing_but_a_valid_traceparent),
		cmocka_unit_test(uses_a_new_key_from_the_next_start_on),
		cmocka_unit_test(refuses_keys_that_no_header_may_hold),
		cmocka_unit_test(follows_no_redirect),
		cmocka_unit_test(caps_the_body),
		cmocka_unit_test(reads_bodies_that_come_byte_by_byte),
		cmocka_unit_test(tells_how_a_transfer_failed),
		cmocka_unit_test(ends_a_flood_of_headers),
		cmocka_unit_test(gives_up_after_the_time_out),
		cmocka_unit_test(tells_of_a_refused_connection),
		cmocka_unit_test(tells_of_a_server_without_tls),
		cmocka_unit_test(asks_before_it_sends_again),
		cmocka_unit_test(does_not_send_again_without_leave),
		cmocka_unit_test(gives_retry_after),
		cmocka_unit_test(ignores_the_proxies_of_the_environment),
		cmocka_unit_test(uses_the_proxy_of_the_options_whatever_no_proxy_says),
		cmocka_unit_test(keeps_many_in_flight_and_their_connections),
		cmocka_unit_test(serves_new_connections_on_the_descriptors_of_old_ones),
		cmocka_unit_test(forgets_what_is_under_way_at_its_end),
		cmocka_unit_test(waits_until_its_time),
		cmocka_unit_test(wakes_from_another_thread),
		cmocka_unit_test(a_wake_before_the_wait_counts),
		cmocka_unit_test(refuses_a_ca_file_that_cannot_be_read),
		cmocka_unit_test(refuses_a_base_url_that_is_none),
		cmocka_unit_test(names_the_libraries_at_work),
	};
	return cmocka_run_group_tests(tests, set_up_library, end_library);
}
