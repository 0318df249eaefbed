#include "http_client_fixture.h"

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

static void drops_the_connection_of_a_body_without_end(void **state)
{
	(void)state;
	static const char *const HEADS[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
	};
	for (size_t i = 0; i < array_length(HEADS); i++) {
		struct fixture f;
		const struct step script[] = {
			{.reply = HEADS[i], .endless = "0123456789abcdef", .then = CLOSE}};
		start(&f, script, array_length(script));
		look_up(&f, "a@b.org"); /* the server goes on until nobody reads any more */
		assert_int_equal(f.transport, REPLY_BODY_TOO_LONG);
		assert_int_equal(f.body.length, 0);
		stop(&f);
	}
}

/* A compressed reply was not asked for, and is not JSON: its bytes are what counts. */
static void decodes_nothing(void **state)
{
	(void)state;
	struct fixture f;
	START(&f,
		{.reply = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			  "Content-Length: 4\r\n\r\n\x1f\x8b\x08!"},
		{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
			  "4\r\n\x1f\x8b\x08!\r\n0\r\n\r\n"});
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_string_equal(buffer_text(&f.body), "\x1f\x8b\x08!");
	look_up(&f, "a@b.org");
	assert_true(f.transport == REPLY_OTHER || f.body.length == 4);
	stop(&f);
}

static void reads_a_body_with_trailers(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n"});
	look_up(&f, "a@b.org");
	assert_int_equal(f.transport, REPLY_HTTP);
	assert_string_equal(buffer_text(&f.body), "hello");
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
		{{.reply = "HTTP/1.1 200 OK\r\nContent-Le", .then = CLOSE}, REPLY_CONNECT},
		{{.reply = "HTTP/1.1 200 OK\r\nContent-Le", .then = RESET}, REPLY_CONNECT},
		{{.reply = "HTTP/1.1 100 Continue\r\n\r\n", .then = CLOSE}, REPLY_CONNECT},
		{{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
			 .then = CLOSE},
			REPLY_CONNECT},
		{{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
			 .then = CLOSE},
			REPLY_CONNECT},
		{{.reply = "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello", .then = CLOSE},
			REPLY_OTHER},
		{{.reply = "HTTP/9.9 200 OK\r\nContent-Length: 5\r\n\r\nhello", .then = CLOSE},
			REPLY_OTHER},
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

static void ends_what_never_comes_to_the_body(void **state)
{
	(void)state;
	static const struct step CASES[] = {
		{.reply = "HTTP/1.1 200 OK\r\n", .endless = "X-Flood: aaaaaaaaaaaaaaaa\r\n"},
		{.reply = "HTTP/1.1 200 OK\r\nX-Flood: ", .endless = "aaaaaaaaaaaaaaaa"},
		{.reply = "HTTP/1.1 200 OK\r\nX-Flood: a\r\n", .endless = " folded again\r\n"},
		{.reply = "HTTP/1.1 103 Early Hints\r\n", .endless = "\r\nHTTP/1.1 103 Again\r\n"},
		{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
			.endless = "X-Trailer: aaaaaaaaaaaaaaaa\r\n"},
	};
	for (size_t i = 0; i < array_length(CASES); i++) {
		struct fixture f;
		start(&f, &CASES[i], 1);
		look_up(&f, "a@b.org");
		assert_int_equal(f.transport, REPLY_OTHER);
		stop(&f);
	}
}

/* Each byte is news, and none of them gives the request more time. */
static void gives_up_on_a_drip_after_the_time_out(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
			  .endless = "x",
			  .pause_us = 1000});
	begin(&f, &(struct http_request){.phone = BYTES("1"), .timeout_ms = 100}, NULL);
	await(&f);
	assert_int_equal(f.transport, REPLY_TIMEOUT);
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

/* libcurl 7.88.1 would take it for the reply to the next request: another customer's. */
static void takes_no_reply_for_the_next_request(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND});
	for (int i = 0; i < 3; i++) {
		look_up(&f, "a@b.org");
		assert_int_equal(f.transport, REPLY_HTTP);
		assert_int_equal(f.status, 200);
		assert_string_equal(buffer_text(&f.body), "hello");
		server_interject(f.server, "HTTP/1.1 207 OK\r\nContent-Length: 5\r\n\r\nother");
	}
	assert_int_equal(server_count(f.server), 3);
	assert_int_equal(f.server->connections, 3);
	assert_int_equal(f.resend_asked, 0); /* nothing was sent on the connections in doubt */
	stop(&f);
}

static void takes_no_more_than_one_reply_at_once(void **state)
{
	(void)state;
	struct fixture f;
	START(&f, {.reply = FOUND "HTTP/1.1 207 OK\r\nContent-Length: 5\r\n\r\nother"});
	for (int i = 0; i < 3; i++) {
		look_up(&f, "a@b.org");
		assert_int_equal(f.status, 200);
		assert_string_equal(buffer_text(&f.body), "hello");
	}
	assert_int_equal(f.server->connections, 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_no_redirect),
		cmocka_unit_test(caps_the_body),
		cmocka_unit_test(drops_the_connection_of_a_body_without_end),
		cmocka_unit_test(decodes_nothing),
		cmocka_unit_test(reads_bodies_that_come_byte_by_byte),
		cmocka_unit_test(reads_a_body_with_trailers),
		cmocka_unit_test(tells_how_a_transfer_failed),
		cmocka_unit_test(ends_a_flood_of_headers),
		cmocka_unit_test(ends_what_never_comes_to_the_body),
		cmocka_unit_test(gives_up_after_the_time_out),
		cmocka_unit_test(gives_up_on_a_drip_after_the_time_out),
		cmocka_unit_test(tells_of_a_refused_connection),
		cmocka_unit_test(tells_of_a_server_without_tls),
		cmocka_unit_test(takes_no_reply_for_the_next_request),
		cmocka_unit_test(takes_no_more_than_one_reply_at_once),
		cmocka_unit_test(asks_before_it_sends_again),
		cmocka_unit_test(does_not_send_again_without_leave),
	};
	return cmocka_run_group_tests(tests, set_up_library, end_library);
}
