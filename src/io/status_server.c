#include "io/status_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"

#define GUESTS_MAX        256
#define CONNECTIONS_MAX   (2 * GUESTS_MAX) /* those that were shown out and still have to leave */
#define SILENCE_SECONDS   10              /* a connection on which nothing comes for so long ends */
#define REQUEST_NS        (30 * NS_PER_S) /* how long a request may take to come whole */
#define REQUEST_BYTES_MAX 16384
#define ANSWER_BYTES_MAX  1048576 /* of an answer to status_ask() */

/* A connection. */
struct guest {
	int fd;
	int64_t asked_at;          /* when its last request came; or it did itself */
	struct guest *next, *prev; /* in the list; NULL once it was shown out */
};

/*
 * One thread, libmicrohttpd's, runs all callbacks, so the list needs no lock. It is in the order of
 * `asked_at`: at its head are those that occupy a place and do not use it.
 */
struct status_server {
	struct MHD_Daemon *daemon;
	status_answer_fn *answer;
	void *context;
	struct guest *guests;
	size_t guest_count;
};

static void leave_list(struct status_server *server, struct guest *guest)
{
	if (guest->prev == NULL)
		return;
	DL_DELETE(server->guests, guest);
	guest->prev = NULL;
	server->guest_count--;
}

static void join_list(struct status_server *server, struct guest *guest)
{
	guest->asked_at = clock_monotonic_ns();
	DL_APPEND(server->guests, guest);
	server->guest_count++;
}

/* Ends a connection: libmicrohttpd sees the end, and closes it. */
static void show_out(struct status_server *server, struct guest *guest)
{
	shutdown(guest->fd, SHUT_RDWR);
	leave_list(server, guest);
}

static void welcome(struct status_server *server, int fd, void **place)
{
	struct guest *guest = mem_new(struct guest);
	if (guest == NULL) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	*place = guest;
	guest->fd = fd;
	join_list(server, guest);
	struct guest *first;
	while ((first = server->guests) != NULL &&
		(server->guest_count > GUESTS_MAX ||
			guest->asked_at - first->asked_at > REQUEST_NS))
		show_out(server, first);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **place,
	enum MHD_ConnectionNotificationCode what)
{
	struct status_server *server = context;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		welcome(server,
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd,
			place);
	} else if (*place != NULL) {
		leave_list(server, *place);
		free(*place);
		*place = NULL;
	}
}

/* A request came: its connection is in use. */
static void note_request(struct status_server *server, struct MHD_Connection *connection)
{
	struct guest *guest =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;
	if (guest == NULL || guest->prev == NULL)
		return;
	leave_list(server, guest);
	join_list(server, guest);
}

static const char *const headers[][2] = {
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
};

static enum MHD_Result respond(struct MHD_Connection *connection, struct status_answer *answer)
{
	struct bytes body = buffer_bytes(&answer->body);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.length, (void *)body.data, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	MHD_add_response_header(response, "Content-Security-Policy",
		answer->policy != NULL ? answer->policy
				       : "default-src 'none'; frame-ancestors 'none'");
	for (size_t i = 0; i < array_length(headers); i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, (unsigned)answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static void set_text(struct status_answer *answer, int status, const char *text)
{
	answer->status = status;
	answer->content_type = "text/plain; charset=utf-8";
	buffer_clear(&answer->body);
	buffer_append_text(&answer->body, text);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_size, // NOLINT(readability-non-const-parameter): libmicrohttpd's type
	void **state)
{
	(void)version;
	(void)upload;
	struct status_server *server = context;
	struct status_answer answer = {.status = MHD_HTTP_OK};
	bool read_only = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
			 strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	/* It is called with the headers, and again for a body and at the end of the request. What
	 * is not answered in any case is refused at once, without reading its body. */
	static char seen;
	if (*state == NULL && read_only) {
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size != 0)
		return MHD_NO; /* nobody asked for a body */
	note_request(server, connection);
	if (!read_only)
		set_text(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
	else if (!server->answer(server->context, path, &answer))
		set_text(&answer, MHD_HTTP_NOT_FOUND, "there is no such page\n");
	enum MHD_Result result = answer.body.failed ? MHD_NO : respond(connection, &answer);
	buffer_fini(&answer.body);
	return result;
}

/* Resolves "ADDRESS:PORT". The caller ends it with freeaddrinfo(). */
static struct addrinfo *resolve(const char *listen, struct error *err)
{
	const char *colon = strrchr(listen, ':');
	if (colon == NULL) {
		error_set(err, "%s: not an address and a port, such as 127.0.0.1:8080", listen);
		return NULL;
	}
	bool bracketed = listen[0] == '[' && colon > listen + 1 && colon[-1] == ']';
	CLEANUP(free_pointer)
	char *host = bracketed ? strndup(listen + 1, (size_t)(colon - listen - 2))
			       : strndup(listen, (size_t)(colon - listen));
	if (host == NULL) {
		error_memory(err);
		return NULL;
	}
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int failed = getaddrinfo(host, colon + 1, &hints, &found);
	if (failed != 0) {
		error_set(err, "%s: %s", listen, gai_strerror(failed));
		return NULL;
	}
	return found;
}

struct status_server *status_server_new(
	const char *listen, status_answer_fn *answer, void *context, struct error *err)
{
	struct addrinfo *address = resolve(listen, err);
	if (address == NULL)
		return NULL;
	struct status_server *server = mem_new(struct status_server);
	if (server == NULL) {
		freeaddrinfo(address);
		error_memory(err);
		return NULL;
	}
	server->answer = answer;
	server->context = context;
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD;
	if (address->ai_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	errno = 0;
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
		MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MAX,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
	int reason = errno;
	freeaddrinfo(address);
	if (server->daemon == NULL) {
		error_system(err, reason, "cannot listen at %s", listen);
		free(server);
		return NULL;
	}
	return server;
}

void status_server_free(struct status_server *server)
{
	if (server == NULL)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}

unsigned status_server_port(const struct status_server *server)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info == NULL ? 0 : info->port;
}

/* A socket connected to one address; -1 and err. */
static int connect_once(const char *listen, int timeout_ms, struct error *err)
{
	struct addrinfo *address = resolve(listen, err);
	if (address == NULL)
		return -1;
	struct timeval limit = {
		.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	}
	if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		error_system(err, errno, "nobody answers at %s", listen);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(address);
	return fd;
}

/*
 * A socket connected to the server. An address such as [::] means this machine; where that has no
 * IPv6, as many containers have none, the server at [::] is there by IPv4. -1 and err.
 */
static int connect_to(const char *listen, int timeout_ms, struct error *err)
{
	static const char any[] = "[::]:";
	const char *port = strrchr(listen, ':');
	if (port != NULL && strcmp(port, ":0") == 0) {
		error_set(err, "%s means any free port: which one, only the service's log tells",
			listen);
		return -1;
	}
	int fd = connect_once(listen, timeout_ms, err);
	if (fd < 0 && strncmp(listen, any, strlen(any)) == 0) {
		char ipv4[32];
		snprintf(ipv4, sizeof(ipv4), "127.0.0.1%s", port);
		fd = connect_once(ipv4, timeout_ms, NULL);
	}
	return fd;
}

/* Sends a request and appends all that comes back to `reply`. */
static bool exchange(int fd, const char *path, struct buffer *reply, struct error *err)
{
	char request[256];
	int length = snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		return error_system(err, errno, "cannot ask");
	char part[4096];
	ssize_t got;
	while ((got = recv(fd, part, sizeof(part), 0)) > 0 && reply->length < ANSWER_BYTES_MAX)
		buffer_append(reply, part, (size_t)got);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return error_set(err, "no answer in time");
	if (got < 0)
		return error_system(err, errno, "the answer breaks off");
	return !reply->failed || error_memory(err);
}

/* The status of an answer; 0 where it is none. */
static int status_of(const char *answer)
{
	static const char version[] = "HTTP/1.1 ";
	const char *digits = answer + strlen(version);
	if (strncmp(answer, version, strlen(version)) != 0 || *digits == '0' ||
		strspn(digits, "0123456789") != 3)
		return 0;
	return (int)strtol(digits, NULL, 10);
}

bool status_ask(const char *listen, const char *path, int timeout_ms, int *ret_status,
	struct buffer *body, struct error *err)
{
	int fd = connect_to(listen, timeout_ms, err);
	if (fd < 0)
		return false;
	CLEANUP(buffer_fini) struct buffer reply = {0};
	bool answered = exchange(fd, path, &reply, err);
	close(fd);
	if (!answered)
		return error_prefix(err, "%s", listen);
	const char *text = buffer_text(&reply);
	const char *blank = strstr(text, "\r\n\r\n");
	int status = status_of(text);
	if (blank == NULL || status == 0)
		return error_set(err, "what answers at %s is not this service", listen);
	*ret_status = status;
	buffer_append_text(body, blank + 4);
	return true;
}
