#include "server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control.h"
#include "wire.h"

#define BACKLOG         4096
#define RECORD_FLUSH_US 200000

struct server {
	struct server_parts parts;
	struct control control;
	struct event_base *base;
	struct evhttp *http;
	struct event *flush;
	struct event *signals[2];
	char url[ADDRESS_URL_SIZE];
};

/* A request from when it came until its reply is in the socket or its connection has ended. */
struct exchange {
	struct server *server;
	struct evhttp_request *request;
	struct verdict verdict;
	struct event *delay; /* NULL: answered at once */
	struct wire *wire;   /* NULL: a well-formed reply */
};

static void exchange_free(struct exchange *exchange)
{
	if (exchange->delay != NULL)
		event_free(exchange->delay);
	wire_free(exchange->wire);
	verdict_fini(&exchange->verdict);
	stats_end(exchange->server->parts.stats);
	free(exchange);
}

static void on_connection_closed(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	exchange_free(arg);
}

static void add_header(struct evkeyvalq *headers, const char *name, const char *value)
{
	if (value != NULL)
		evhttp_add_header(headers, name, value);
}

static void send_answer(struct exchange *exchange)
{
	struct evhttp_request *request = exchange->request;
	const struct answer *answer = &exchange->verdict.answer;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	add_header(headers, "Content-Type", answer->content_type);
	add_header(headers, "Retry-After", answer->retry_after);
	add_header(headers, "Location", answer->location);
	add_header(headers, "Allow", answer->allow);
	evbuffer_add(
		evhttp_request_get_output_buffer(request), answer->body.data, answer->body.length);
	evhttp_send_reply(request, answer->status, answer_reason(answer->status), NULL);
	exchange_free(exchange);
}

static void send_script(struct exchange *exchange)
{
	struct error err = {0};

	if (!wire_start(exchange->server->base, exchange->request, &exchange->verdict.script,
		    &exchange->wire, &err)) {
		fprintf(stderr, "care360-sim: a fault is left out: %s\n", err.text);
		send_answer(exchange);
	}
}

static void on_delay_over(evutil_socket_t descriptor, short events, void *arg)
{
	struct exchange *exchange = arg;

	(void)descriptor;
	(void)events;
	if (exchange->verdict.scripted)
		send_script(exchange);
	else
		send_answer(exchange);
}

/* A script goes through the timer, too: it may end the connection under the HTTP server's feet. */
static void send_later(struct exchange *exchange)
{
	int64_t ms = exchange->verdict.delay_ms;
	struct timeval delay = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};

	if (ms == 0 && !exchange->verdict.scripted) {
		send_answer(exchange);
		return;
	}
	exchange->delay = evtimer_new(exchange->server->base, on_delay_over, exchange);
	if (exchange->delay == NULL || event_add(exchange->delay, &delay) != 0)
		send_answer(exchange);
}

static const char *method_name(struct evhttp_request *request)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	default:
		return "OPTIONS";
	}
}

static void keep_record(struct exchange *exchange, const struct api_request *asked,
	const char *query, int64_t concurrent)
{
	struct evhttp_request *request = exchange->request;
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const struct verdict *verdict = &exchange->verdict;
	char *peer = NULL;
	ev_uint16_t port = 0;

	evhttp_connection_get_peer(evhttp_request_get_connection(request), &peer, &port);
	record_add(exchange->server->parts.record,
		&(struct record_line){
			.now = asked->now,
			.method = asked->method,
			.path = asked->path,
			.query = query,
			.identity = asked->identity,
			.host = evhttp_find_header(headers, "Host"),
			.api_key = asked->api_key,
			.content_type = evhttp_find_header(headers, "Content-Type"),
			.traceparent = evhttp_find_header(headers, "traceparent"),
			.status = verdict->status,
			.reply = verdict->kind,
			.fault = verdict->fault,
			.concurrent = concurrent,
			.peer_port = port,
		});
}

static void start_exchange(
	struct server *server, struct evhttp_request *request, const struct evhttp_uri *uri)
{
	CLEANUP(identity_fini) struct identity identity = {0};
	const char *query = evhttp_uri_get_query(uri);
	struct exchange *exchange = mem_new(struct exchange);

	if (exchange == NULL || !identity_read(&identity, query)) {
		free(exchange);
		evhttp_send_error(request, 500, "Out of Memory");
		return;
	}
	struct api_request asked = {
		.now = clock_monotonic_ns(),
		.method = method_name(request),
		.path = evhttp_uri_get_path(uri),
		.identity = &identity,
		.api_key =
			evhttp_find_header(evhttp_request_get_input_headers(request), "CV-Api-Key"),
	};
	exchange->server = server;
	exchange->request = request;
	int64_t concurrent = stats_request(server->parts.stats, asked.now);
	api_decide(server->parts.api, &asked, &exchange->verdict);
	stats_reply(server->parts.stats, exchange->verdict.kind);
	if (server->parts.record != NULL)
		keep_record(exchange, &asked, query, concurrent);
	evhttp_connection_set_closecb(
		evhttp_request_get_connection(request), on_connection_closed, exchange);
	send_later(exchange);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct server *server = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);

	if (path == NULL)
		evhttp_send_error(request, HTTP_BADREQUEST, NULL);
	else if (control_owns(path))
		control_handle(&server->control, request);
	else
		start_exchange(server, request, uri);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct server *server = arg;

	stats_connection(server->parts.stats);
	if (server->parts.tls == NULL)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	SSL *tls = SSL_new(server->parts.tls);
	if (tls == NULL)
		return NULL;
	struct bufferevent *stream = bufferevent_openssl_socket_new(
		base, -1, tls, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (stream == NULL)
		SSL_free(tls);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	return stream;
}

static void on_flush(evutil_socket_t descriptor, short events, void *arg)
{
	struct server *server = arg;

	(void)descriptor;
	(void)events;
	record_flush(server->parts.record);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
	struct server *server = arg;

	(void)number;
	(void)events;
	event_base_loopbreak(server->base);
}

static bool set_up_events(struct server *server, struct error *err)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	struct timeval interval = {0, RECORD_FLUSH_US};

	for (size_t i = 0; i < array_length(numbers); i++) {
		server->signals[i] = evsignal_new(server->base, numbers[i], on_signal, server);
		if (server->signals[i] == NULL || event_add(server->signals[i], NULL) != 0)
			return error_set(err, "signals cannot be watched");
	}
	if (server->parts.record == NULL)
		return true;
	server->flush = event_new(server->base, -1, EV_PERSIST, on_flush, server);
	if (server->flush == NULL || event_add(server->flush, &interval) != 0)
		return error_memory(err);
	return true;
}

static bool set_up_http(struct server *server, struct error *err)
{
	server->http = evhttp_new(server->base);
	if (server->http == NULL)
		return error_memory(err);
	/* Unknown places and methods are for the API to refuse, as well. */
	evhttp_set_allowed_methods(
		server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
				      EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_default_content_type(server->http, NULL);
	evhttp_set_bevcb(server->http, on_connection, server);
	evhttp_set_gencb(server->http, on_request, server);
	return true;
}

static bool start_listening(struct server *server, struct error *err)
{
	struct sockaddr_storage address = {0};
	socklen_t length = 0;
	int one = 1;

	if (!address_parse(server->parts.listen, &address, &length, err))
		return false;
	struct evconnlistener *listener = evconnlistener_new_bind(server->base, NULL, NULL,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
		(struct sockaddr *)&address, (int)length);
	if (listener == NULL)
		return error_system(err, errno, "cannot listen on %s", server->parts.listen);
	if (evhttp_bind_listener(server->http, listener) == NULL) {
		evconnlistener_free(listener);
		return error_memory(err);
	}
	/* What is accepted takes the option from the socket that listens. */
	evutil_socket_t descriptor = evconnlistener_get_fd(listener);
	if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
		return error_system(err, errno, "TCP_NODELAY cannot be set");
	const char *scheme = server->parts.tls == NULL ? "http" : "https";
	return address_url(descriptor, scheme, server->url, err);
}

/* Without the flag, timers go by a clock that moves in steps of 4 ms. */
static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct server *server_new(const struct server_parts *parts, struct error *err)
{
	struct server *server = mem_new(struct server);
	if (server == NULL) {
		error_memory(err);
		return NULL;
	}
	server->parts = *parts;
	server->control = (struct control){parts->settings, parts->stats, parts->record};
	server->base = base_new();
	if (server->base == NULL)
		error_set(err, "an event loop cannot be made");
	if (server->base == NULL || !set_up_events(server, err) || !set_up_http(server, err) ||
		!start_listening(server, err)) {
		server_free(server);
		return NULL;
	}
	return server;
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	/* Ends all connections, whose close callbacks end all exchanges. */
	if (server->http != NULL)
		evhttp_free(server->http);
	if (server->flush != NULL)
		event_free(server->flush);
	for (size_t i = 0; i < array_length(server->signals); i++) {
		if (server->signals[i] != NULL)
			event_free(server->signals[i]);
	}
	if (server->base != NULL)
		event_base_free(server->base);
	free(server);
}

const char *server_url(const struct server *server)
{
	return server->url;
}

bool server_run(struct server *server, struct error *err)
{
	if (event_base_dispatch(server->base) != 0)
		return error_set(err, "the event loop failed");
	return true;
}
