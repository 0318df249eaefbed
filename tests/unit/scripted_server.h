/*
 * An HTTP server on a thread of the test that does what a script says, step by step, and keeps what
 * it was sent.
 */
#ifndef SCRIPTED_SERVER_H
#define SCRIPTED_SERVER_H

/* Its checks are part of the test, in a release build too. */
#undef NDEBUG
#include <arpa/inet.h>
#include <assert.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_CONNECTIONS 512
#define SERVER_REQUESTS    2048
#define SERVER_REQUEST_MAX 16384
#define TLS_HANDSHAKE      0x16 /* how a TLS client begins: it gets an error in plain HTTP */

enum then { KEEP, CLOSE, RESET };

/* What one request gets. The last step of a script is for all that follow, too. */
struct step {
	const char *reply; /* NULL: nothing */
	enum then then;
	bool byte_by_byte;   /* each byte in a packet of its own */
	const char *endless; /* then this, again and again, for as long as it is taken */
	useconds_t pause_us; /* in between */
};

struct server {
	pthread_t thread;
	pthread_mutex_t mutex; /* guards `requests` and `count` */
	int listener;
	int stop;
	int port;
	const struct step *script;
	size_t steps;
	char *requests[SERVER_REQUESTS];
	size_t count;
	_Atomic(int) connections; /* accepted so far */
	_Atomic(int) newest;      /* the socket of the last of them */
	struct {
		int fd;
		size_t length;
		char text[SERVER_REQUEST_MAX];
	} open[SERVER_CONNECTIONS];
	size_t open_count;
};

static inline void server_send(int fd, const struct step *step)
{
	size_t length = step->reply ? strlen(step->reply) : 0;
	size_t piece = step->byte_by_byte ? 1 : length;
	for (size_t sent = 0; sent < length;) {
		ssize_t now = send(fd, step->reply + sent,
			piece < length - sent ? piece : length - sent, MSG_NOSIGNAL);
		if (now <= 0)
			return;
		sent += (size_t)now;
	}
	while (step->endless && send(fd, step->endless, strlen(step->endless), MSG_NOSIGNAL) > 0)
		usleep(step->pause_us);
}

/* Does the next step for a connection. False: it was closed. */
static inline bool server_step(struct server *server, int fd, const char *request)
{
	pthread_mutex_lock(&server->mutex);
	size_t index = server->count < server->steps ? server->count : server->steps - 1;
	assert(server->count < SERVER_REQUESTS);
	server->requests[server->count++] = strdup(request);
	pthread_mutex_unlock(&server->mutex);
	const struct step *step = &server->script[index];
	server_send(fd, step);
	if (step->then == KEEP)
		return true;
	if (step->then == RESET) {
		const struct linger at_once = {.l_onoff = 1};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	}
	close(fd);
	return false;
}

/* Reads what came on a connection. False: it is closed. */
static inline bool server_read(struct server *server, size_t i)
{
	int fd = server->open[i].fd;
	char *text = server->open[i].text;
	size_t *length = &server->open[i].length;
	ssize_t got = recv(fd, text + *length, SERVER_REQUEST_MAX - 1 - *length, 0);
	if (got <= 0) {
		close(fd);
		return false;
	}
	*length += (size_t)got;
	text[*length] = '\0';
	if (text[0] == TLS_HANDSHAKE) {
		server_send(fd, &(struct step){.reply = "HTTP/1.1 400 Bad Request\r\n\r\n"});
		close(fd);
		return false;
	}
	if (!strstr(text, "\r\n\r\n"))
		return true;
	*length = 0;
	return server_step(server, fd, text);
}

static inline void server_accept(struct server *server)
{
	static const int ONE = 1;
	int fd = accept(server->listener, NULL, NULL);
	assert(fd >= 0 && server->open_count < SERVER_CONNECTIONS);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &ONE, sizeof(ONE));
	server->newest = fd;
	server->open[server->open_count].fd = fd;
	server->open[server->open_count++].length = 0;
	server->connections++;
}

static inline void *server_run(void *context)
{
	struct server *server = context;
	struct pollfd polled[SERVER_CONNECTIONS + 2];
	while (true) {
		size_t count = server->open_count;
		for (size_t i = 0; i < count; i++)
			polled[i] = (struct pollfd){.fd = server->open[i].fd, .events = POLLIN};
		polled[count] = (struct pollfd){.fd = server->listener, .events = POLLIN};
		polled[count + 1] = (struct pollfd){.fd = server->stop, .events = POLLIN};
		poll(polled, count + 2, -1);
		if (polled[count + 1].revents)
			return NULL;
		/* From the last to the first, so that the last can take the place of one that
		 * closes. */
		for (size_t i = count; i-- > 0;) {
			if (polled[i].revents && !server_read(server, i))
				server->open[i] = server->open[--server->open_count];
		}
		if (polled[count].revents)
			server_accept(server);
	}
}

/* Starts a server that does what the script says, at an address of this machine's. Port 0: any. */
static inline struct server *server_start_at(
	const char *host, int port, const struct step *script, size_t steps)
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(host),
		.sin_port = htons((uint16_t)port)};
	socklen_t length = sizeof(address);
	assert(server);
	server->script = script;
	server->steps = steps;
	server->stop = eventfd(0, EFD_CLOEXEC);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_mutex_init(&server->mutex, NULL);
	/* A port that is given may have connections of an earlier server that linger. */
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &(int){port != 0}, sizeof(int));
	bool ok = bind(server->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		  listen(server->listener, SERVER_CONNECTIONS) == 0 &&
		  getsockname(server->listener, (struct sockaddr *)&address, &length) == 0;
	server->port = ntohs(address.sin_port);
	ok = ok && pthread_create(&server->thread, NULL, server_run, server) == 0;
	assert(ok);
	return server;
}

static inline struct server *server_start(const struct step *script, size_t steps)
{
	return server_start_at("127.0.0.1", 0, script, steps);
}

/* Says something, unasked, on the connection that was made last. Returns once it has arrived. */
static inline void server_interject(struct server *server, const char *text)
{
	int fd = server->newest;
	int unread = 1;
	assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	while (unread > 0)
		assert(ioctl(fd, SIOCOUTQ, &unread) == 0);
}

static inline void server_stop(struct server *server)
{
	const uint64_t one = 1;
	ssize_t written = write(server->stop, &one, sizeof(one));
	assert(written == sizeof(one));
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < server->open_count; i++)
		close(server->open[i].fd);
	for (size_t i = 0; i < server->count; i++)
		free(server->requests[i]);
	close(server->listener);
	close(server->stop);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

/* How many requests came. */
static inline size_t server_count(struct server *server)
{
	pthread_mutex_lock(&server->mutex);
	size_t count = server->count;
	pthread_mutex_unlock(&server->mutex);
	return count;
}

/* A request that came, line ends and all; it lives as long as the server. */
static const char *server_request(struct server *server, size_t index)
{
	pthread_mutex_lock(&server->mutex);
	const char *request = index < server->count ? server->requests[index] : "";
	pthread_mutex_unlock(&server->mutex);
	return request;
}

#endif
