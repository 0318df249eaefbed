/*
 * What `care360-lookup health` takes for an answer of the service: nothing but HTTP with a status,
 * and no more of it than its body.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuzz.h"
#include "io/status_server.h"
#include "sockets.h"

#define INPUTS_A_PORT  5000
#define ASKED_WITHIN_S 5

struct answerer {
	int listener;
	unsigned port;
	struct bytes answer;
};

/* Takes a connection that asks something, reads a little of it, and answers with the input. */
static void *answer_once(void *context)
{
	const struct answerer *answerer = context;
	char request[512];
	int file = accept(answerer->listener, NULL, NULL);
	while (recv(file, request, sizeof(request), 0) <= 0) {
		fuzz_close(file); /* somebody else on this machine, who tries ports */
		file = accept(answerer->listener, NULL, NULL);
		REQUIRE(file >= 0);
	}
	fuzz_send_all(file, answerer->answer);
	fuzz_receive_all(file, &(struct buffer){.failed = true});
	fuzz_close(file);
	return NULL;
}

/* Waits for the end of the answer. One that was asked for by nobody, because libFuzzer's alarm came
 * in the middle of the connection, is asked for here. */
static void join(const struct answerer *answerer, pthread_t thread)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ASKED_WITHIN_S;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		return;
	int file = fuzz_connect(answerer->port);
	fuzz_send_all(file, BYTES("x"));
	pthread_join(thread, NULL);
	fuzz_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answerer answerer = {.listener = -1};
	static char listen[32];
	static unsigned long inputs;
	/* Now and then at another port: two ends' ports may stay taken for a minute. */
	if (inputs++ % INPUTS_A_PORT == 0) {
		if (answerer.listener >= 0)
			close(answerer.listener);
		answerer.listener = fuzz_listen(&answerer.port);
		snprintf(listen, sizeof(listen), "127.0.0.1:%u", answerer.port);
	}
	answerer.answer = (struct bytes){(const char *)data, size};
	pthread_t thread;
	REQUIRE(pthread_create(&thread, NULL, answer_once, &answerer) == 0);

	int status = -1;
	struct error err = {0};
	CLEANUP(buffer_fini) struct buffer body = {0};
	bool answered = status_ask(listen, "/livez", 60000, &status, &body, &err);
	join(&answerer, thread);
	REQUIRE(answered == (err.text[0] == '\0'));
	if (!answered) {
		REQUIRE(status == -1 && body.length == 0);
		return 0;
	}
	REQUIRE(status >= 100 && status <= 999);
	REQUIRE(bytes_start_with(answerer.answer, BYTES("HTTP/1.1 ")));
	REQUIRE(bytes_end_with(answerer.answer, buffer_bytes(&body)) ||
		memchr(data, '\0', size) != NULL);
	return 0;
}
