/* What libcurl does unless it is told not to, and an API or a network that means harm. */
#include <setjmp.h>
#include <signal.h>
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

static struct http_client *client_of(
	const char *base_url, int connect_timeout_ms, struct error *err)
{
	const struct http_client_options options = {.base_url = base_url,
		.connect_timeout_ms = connect_timeout_ms,
		.timeout_ms = GIVE_UP_S * 2 * 1000,
		.max_connections = 4};
	return http_client_new(&options, err);
}

/* Looks somebody up, and copies the body of what came. */
static void look_up(struct http_client *client, struct reply *ret_reply, struct buffer *body)
{
	const struct http_request request = {.email = BYTES("a@b.org")};
	void *tag = NULL;
	int64_t duration = 0;
	alarm(GIVE_UP_S);
	assert_true(http_client_start(client, &request, NULL, NULL));
	while (!http_client_take(client, &tag, ret_reply, &duration))
		http_client_wait(client, TIME_NEVER);
	buffer_append_bytes(body, ret_reply->body);
	alarm(0);
}

static void what_comes_packed_is_not_unpacked(void **state)
{
	(void)state;
	/* Twenty bytes in gzip's format: an empty text, which might be gigabytes as well. */
	static const struct step script[] = {
		{.reply = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
			  "4\r\n\r\n\x1f\x8b\x08\x01"}};
	struct server *server = server_start(script, array_length(script));
	char base_url[64];
	(void)snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", server->port);
	struct http_client *client = client_of(base_url, 10000, NULL);
	assert_non_null(client);
	struct reply reply = {0};
	CLEANUP(buffer_fini) struct buffer body = {0};
	look_up(client, &reply, &body);
	assert_int_equal(reply.transport, REPLY_HTTP);
	assert_true(bytes_equal(buffer_bytes(&body), BYTES("\x1f\x8b\x08\x01")));
	assert_int_equal(server_count(server), 1);
	assert_null(strcasestr(server_request(server, 0), "accept-encoding"));
	http_client_free(client);
	server_stop(server);
}

/* Whatever a setting or a redirect may name, no file is read and no other server spoken to. */
static void no_protocol_but_http_is_spoken(void **state)
{
	(void)state;
	static const char *const urls[] = {"file:///etc/passwd?", "ftp://127.0.0.1:1",
		"gopher://127.0.0.1:1", "dict://127.0.0.1:1"};
	for (size_t i = 0; i < array_length(urls); i++) {
		struct error err = {0};
		struct http_client *client = client_of(urls[i], 10000, &err);
		if (client == NULL) {
			assert_non_null(strstr(err.text, urls[i]));
			continue;
		}
		struct reply reply = {0};
		CLEANUP(buffer_fini) struct buffer body = {0};
		look_up(client, &reply, &body);
		assert_int_equal(reply.transport, REPLY_OTHER);
		assert_int_equal(body.length, 0);
		http_client_free(client);
	}
}

/* A listener whose queue of connections is full: the kernel drops what else wants to connect. */
static int full_listener(int ret_fillers[static 4], int *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	for (int i = 0; i < 4; i++) {
		ret_fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(ret_fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
	*ret_port = ntohs(address.sin_port);
	return listener;
}

static void connecting_has_a_limit_of_its_own(void **state)
{
	(void)state;
	int fillers[4];
	int port = 0;
	int listener = full_listener(fillers, &port);
	char base_url[64];
	(void)snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", port);
	struct http_client *client = client_of(base_url, 50, NULL);
	assert_non_null(client);
	struct reply reply = {0};
	CLEANUP(buffer_fini) struct buffer body = {0};
	look_up(client, &reply, &body); /* the whole request may take longer than this test */
	assert_int_not_equal(reply.transport, REPLY_HTTP);
	http_client_free(client);
	for (size_t i = 0; i < array_length(fillers); i++)
		close(fillers[i]);
	close(listener);
}

static void a_peer_that_is_gone_does_not_end_the_process(void **state)
{
	(void)state;
	struct sigaction action = {0};
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_IGN);
}

static int set_up_library(void **state)
{
	(void)state;
	return http_client_library_init(NULL) ? 0 : -1;
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
		cmocka_unit_test(what_comes_packed_is_not_unpacked),
		cmocka_unit_test(no_protocol_but_http_is_spoken),
		cmocka_unit_test(connecting_has_a_limit_of_its_own),
		cmocka_unit_test(a_peer_that_is_gone_does_not_end_the_process),
	};
	return cmocka_run_group_tests(tests, set_up_library, end_library);
}
