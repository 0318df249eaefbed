#include "io/status_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

#define IDLE 500 /* many times what is let in, and within what a process may open anywhere */

static struct status_server *server;
static char address[64];

/* Answers /page, with a policy of its own, and nothing else. */
static bool answer_page(void *context, const char *path, struct status_answer *ret_answer)
{
	(void)context;
	if (strcmp(path, "/page") != 0)
		return false;
	ret_answer->content_type = "text/plain";
	ret_answer->policy = "default-src 'self'";
	buffer_append_text(&ret_answer->body, "the page\n");
	return true;
}

static int set_up(void **state)
{
	(void)state;
	struct error err = {0};
	server = status_server_new("127.0.0.1:0", answer_page, NULL, &err);
	if (server == NULL)
		return -1;
	snprintf(address, sizeof(address), "127.0.0.1:%u", status_server_port(server));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	status_server_free(server);
	return 0;
}

static int connected(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)status_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* All that comes back for these bytes until the server ends the connection. */
static void talk(const char *request, char *ret_reply, size_t size)
{
	int fd = connected();
	size_t length = strlen(request);
	assert_int_equal(send(fd, request, length, MSG_NOSIGNAL), length);
	size_t got = 0;
	ssize_t part;
	while (got + 1 < size && (part = recv(fd, ret_reply + got, size - 1 - got, 0)) > 0)
		got += (size_t)part;
	ret_reply[got] = '\0';
	close(fd);
}

static bool ends_with(const char *text, const char *end)
{
	return bytes_end_with(bytes_of_text(text), bytes_of_text(end));
}

static void expect_status(const char *reply, int status)
{
	char line[32];
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(reply, line, strlen(line)) != 0)
		fail_msg("not %d: %s", status, reply);
}

static void a_page_is_answered_and_may_neither_be_kept_nor_guessed_at(void **state)
{
	(void)state;
	char reply[2048];
	talk("GET /page?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", reply,
		sizeof(reply));
	expect_status(reply, 200);
	assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
	assert_non_null(strstr(reply, "X-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(reply, "Content-Security-Policy: default-src 'self'\r\n"));
	assert_true(ends_with(reply, "\r\n\r\nthe page\n"));
}

static void head_brings_the_same_without_a_body(void **state)
{
	(void)state;
	char reply[2048];
	talk("HEAD /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", reply, sizeof(reply));
	expect_status(reply, 200);
	assert_non_null(strstr(reply, "Content-Length: 9\r\n"));
	assert_true(ends_with(reply, "\r\n\r\n"));
}

static void what_is_not_there_is_not_found_and_may_load_nothing(void **state)
{
	(void)state;
	char reply[2048];
	talk("GET /other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", reply, sizeof(reply));
	expect_status(reply, 404);
	assert_non_null(strstr(reply, "Content-Security-Policy: default-src 'none'"));
}

static void other_methods_are_refused_without_reading_what_they_send(void **state)
{
	(void)state;
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"};
	for (size_t i = 0; i < array_length(methods); i++) {
		char request[256];
		char reply[2048];
		/* A body that never comes: only an answer to the head can come back. */
		snprintf(request, sizeof(request),
			"%s /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
			"Content-Length: 1000000000\r\n\r\n",
			methods[i]);
		talk(request, reply, sizeof(reply));
		expect_status(reply, 405);
		assert_non_null(strstr(reply, "Allow: GET, HEAD\r\n"));
	}
}

static void a_body_that_nobody_asked_for_ends_the_connection(void **state)
{
	(void)state;
	char reply[2048];
	talk("GET /page HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nmore", reply,
		sizeof(reply));
	assert_null(strstr(reply, "the page"));
}

static void a_request_that_is_too_large_is_refused(void **state)
{
	(void)state;
	char request[40000] = "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: ";
	size_t length = strlen(request);
	memset(request + length, 'x', sizeof(request) - length - 1);
	char reply[2048];
	int fd = connected();
	/* It may be cut off while it is still being sent. */
	ssize_t sent = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	ssize_t got = sent > 0 ? recv(fd, reply, sizeof(reply) - 1, 0) : 0;
	reply[got > 0 ? got : 0] = '\0';
	assert_null(strstr(reply, "HTTP/1.1 200"));
	close(fd);
}

/* The server lets go of those that have asked nothing; none of the later ones is turned away. */
static void idle_connections_make_room_for_whoever_asks(void **state)
{
	(void)state;
	int idle[IDLE];
	for (size_t i = 0; i < IDLE; i++) {
		idle[i] = connected();
		if (i % 2 == 0)
			assert_int_equal(send(idle[i], "GET /pa", 7, MSG_NOSIGNAL), 7);
	}
	for (int i = 0; i < 20; i++) {
		CLEANUP(buffer_fini) struct buffer body = {0};
		int status = 0;
		struct error err = {0};
		/* Sooner than the silent ones would end by themselves. */
		if (!status_ask(address, "/page", 9000, &status, &body, &err))
			fail_msg("%s", err.text);
		assert_int_equal(status, 200);
	}
	/* The first of them is gone. */
	char byte;
	ssize_t got = recv(idle[0], &byte, 1, MSG_DONTWAIT);
	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	for (size_t i = 0; i < IDLE; i++)
		close(idle[i]);
}

/* Asks on a connection that stays open, and reads the answer. */
static void ask_again(int fd)
{
	static const char request[] = "GET /page HTTP/1.1\r\nHost: h\r\n\r\n";
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	char reply[2048] = "";
	size_t got = 0;
	while (!ends_with(reply, "the page\n")) {
		ssize_t part = recv(fd, reply + got, sizeof(reply) - 1 - got, 0);
		assert_true(part > 0);
		got += (size_t)part;
		reply[got] = '\0';
	}
}

static void a_connection_that_is_used_is_kept(void **state)
{
	(void)state;
	int used = connected();
	int idle[IDLE];
	for (size_t i = 0; i < IDLE; i++) {
		if (i % 100 == 0)
			ask_again(used);
		idle[i] = connected();
	}
	ask_again(used);
	for (size_t i = 0; i < IDLE; i++)
		close(idle[i]);
	close(used);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_answered_and_may_neither_be_kept_nor_guessed_at),
		TEST(head_brings_the_same_without_a_body),
		TEST(what_is_not_there_is_not_found_and_may_load_nothing),
		TEST(other_methods_are_refused_without_reading_what_they_send),
		TEST(a_body_that_nobody_asked_for_ends_the_connection),
		TEST(a_request_that_is_too_large_is_refused),
		TEST(idle_connections_make_room_for_whoever_asks),
		TEST(a_connection_that_is_used_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
