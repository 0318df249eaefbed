/*
 * Requests to the status server: whatever a client sends, each reply is HTTP with a status that is
 * known; nothing but GET and HEAD is answered; and the server is there for the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "io/status_server.h"
#include "sockets.h"

#define BODY   "this is the body\n"
#define POLICY "Content-Security-Policy: default-src 'none'"

static bool answer(void *context, const char *path, struct status_answer *ret_answer)
{
	(void)context;
	if (strcmp(path, "/livez") != 0 && strcmp(path, "/") != 0)
		return false;
	ret_answer->status = 200;
	ret_answer->content_type = "text/plain";
	buffer_append_text(&ret_answer->body, BODY);
	return true;
}

static bool known_status(int status)
{
	static const int known[] = {100, 200, 400, 404, 405, 411, 413, 414, 431, 501, 505};
	for (size_t i = 0; i < array_length(known); i++)
		if (known[i] == status)
			return true;
	return false;
}

/* The replies up to the last, which follow one another on one connection. */
static void check_replies(const char *replies, bool may_be_answered)
{
	for (const char *at = strstr(replies, "HTTP/1."); at != NULL;
		at = strstr(at + 1, "HTTP/1.")) {
		int status = (int)strtol(at + strlen("HTTP/1.x "), NULL, 10);
		REQUIRE(known_status(status));
		const char *end = strstr(at, "\r\n\r\n");
		REQUIRE(end != NULL);
		const char *policy = strstr(at, POLICY);
		bool own = status == 200 || status == 404 || status == 405;
		REQUIRE(own == (policy != NULL && policy < end));
		if (!may_be_answered)
			REQUIRE(status != 200);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct status_server *server;
	struct error err = {0};
	if (server == NULL)
		server = status_server_new("127.0.0.1:0", answer, NULL, &err);
	REQUIRE(server != NULL);
	struct bytes input = {(const char *)data, size};
	int file = fuzz_connect(status_server_port(server));
	fuzz_send_all(file, input);
	CLEANUP(buffer_fini) struct buffer replies = {0};
	fuzz_receive_all(file, &replies);
	fuzz_close(file);
	/* To libmicrohttpd a method ends at a zero, too. */
	bool asked = memmem(data, size, "GET", 3) != NULL || memmem(data, size, "HEAD", 4) != NULL;
	if (replies.length > 0)
		REQUIRE(bytes_start_with(buffer_bytes(&replies), BYTES("HTTP/1.")));
	check_replies(buffer_text(&replies), asked);
	return 0;
}
