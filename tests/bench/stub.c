/*
 * A stand-in for the Care360 API that costs next to nothing: every request gets the documented
 * reply of a found case, after a fixed latency. It must never be what a benchmark measures, so it
 * does nothing that HTTP asks for beyond finding where a request ends.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define CONNECTIONS_MAX 16384
#define REQUEST_MAX     4096
#define EVENTS_MAX      512
#define END_OF_HEADERS  "\r\n\r\n"

static const char REPLY[] = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: application/json\r\n"
			    "Content-Length: 88\r\n"
			    "\r\n"
			    "{\"status\": 200, \"success\": true, \"case\": {\"id\": "
			    "\"e1e3f5c1-6f12-4e0d-a442-7a9ff31319da\"}}";

struct connection {
	uint32_t generation; /* a reply that waits for a connection gone by is dropped */
	size_t length;
	char request[REQUEST_MAX]; /* what came of the next request */
};

struct waiting {
	int64_t due_ns;
	uint32_t generation;
	int fd;
};

struct stub {
	int listener;
	int epoll;
	int64_t latency_ns;
	struct connection *connections; /* by descriptor */
	struct waiting *waiting;        /* a ring: a fixed latency keeps them in order */
	size_t first;
	size_t count;
};

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static void send_reply(int fd)
{
	/* A client that reads nothing is its own problem. */
	ssize_t sent = send(fd, REPLY, sizeof(REPLY) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent;
}

static void answer(struct stub *stub, int fd, int64_t now)
{
	if (stub->latency_ns == 0) {
		send_reply(fd);
		return;
	}
	if (stub->count == CONNECTIONS_MAX)
		return;
	stub->waiting[(stub->first + stub->count++) % CONNECTIONS_MAX] =
		(struct waiting){now + stub->latency_ns, stub->connections[fd].generation, fd};
}

static void accept_all(struct stub *stub)
{
	static const int ONE = 1;
	int fd = -1;
	while ((fd = accept4(stub->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		if (fd >= CONNECTIONS_MAX ||
			epoll_ctl(stub->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &ONE, sizeof(ONE));
		stub->connections[fd].length = 0;
	}
}

static void hang_up(struct stub *stub, int fd)
{
	stub->connections[fd].generation++;
	close(fd);
}

static void receive(struct stub *stub, int fd, int64_t now)
{
	struct connection *connection = &stub->connections[fd];
	char *begin = connection->request;
	ssize_t got = recv(fd, begin + connection->length, REQUEST_MAX - connection->length, 0);
	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			hang_up(stub, fd);
		return;
	}
	connection->length += (size_t)got;
	char *end = NULL;
	size_t left = connection->length;
	while ((end = memmem(begin, left, END_OF_HEADERS, sizeof(END_OF_HEADERS) - 1))) {
		end += sizeof(END_OF_HEADERS) - 1;
		left -= (size_t)(end - begin);
		begin = end;
		answer(stub, fd, now);
	}
	if (left == REQUEST_MAX) {
		hang_up(stub, fd);
		return;
	}
	memmove(connection->request, begin, left);
	connection->length = left;
}

/* Sends the replies that are due. Returns the nanoseconds until the next one. */
static int64_t send_due(struct stub *stub, int64_t now)
{
	while (stub->count > 0) {
		const struct waiting *next = &stub->waiting[stub->first];
		if (next->due_ns > now)
			return next->due_ns - now;
		if (next->generation == stub->connections[next->fd].generation)
			send_reply(next->fd);
		stub->first = (stub->first + 1) % CONNECTIONS_MAX;
		stub->count--;
	}
	return NS_PER_S;
}

static void serve(struct stub *stub)
{
	struct epoll_event events[EVENTS_MAX];
	while (!stopped) {
		int64_t span_ns = send_due(stub, clock_monotonic_ns());
		struct timespec span = {
			.tv_sec = span_ns / NS_PER_S, .tv_nsec = span_ns % NS_PER_S};
		int count = epoll_pwait2(stub->epoll, events, EVENTS_MAX, &span, NULL);
		int64_t now = clock_monotonic_ns();
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == stub->listener)
				accept_all(stub);
			else
				receive(stub, events[i].data.fd, now);
		}
	}
}

static bool start_listening(struct stub *stub, uint16_t port)
{
	static const int ONE = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	stub->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	stub->epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = stub->listener};
	if (stub->listener < 0 || stub->epoll < 0 ||
		setsockopt(stub->listener, SOL_SOCKET, SO_REUSEADDR, &ONE, sizeof(ONE)) != 0 ||
		bind(stub->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(stub->listener, SOMAXCONN) != 0 ||
		epoll_ctl(stub->epoll, EPOLL_CTL_ADD, stub->listener, &event) != 0 ||
		getsockname(stub->listener, (struct sockaddr *)&address, &length) != 0) {
		perror("stub");
		return false;
	}
	printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	static const struct option OPTIONS[] = {{"port", required_argument, NULL, 'p'},
		{"latency", required_argument, NULL, 'l'}, {0}};
	struct stub stub = {0};
	uint16_t port = 0;
	for (int c = 0; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) >= 0;) {
		if (c == 'p') {
			port = (uint16_t)strtoul(optarg, NULL, 10);
		} else if (c == 'l') {
			stub.latency_ns = strtoll(optarg, NULL, 10) * NS_PER_MS;
		} else {
			(void)fprintf(stderr, "usage: %s [--port PORT] [--latency MS]\n", argv[0]);
			return 2;
		}
	}
	const struct sigaction action = {.sa_handler = on_stop};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	CLEANUP(free_pointer)
	struct connection *connections = mem_new_array(struct connection, CONNECTIONS_MAX);
	CLEANUP(free_pointer)
	struct waiting *waiting = mem_new_array(struct waiting, CONNECTIONS_MAX);
	stub.connections = connections;
	stub.waiting = waiting;
	if (!connections || !waiting || !start_listening(&stub, port))
		return 1;
	serve(&stub);
	return 0;
}
