#include "wire.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

struct wire {
	struct wire_script script;
	struct evhttp_connection *connection;
	struct bufferevent *stream;
	struct event *timer; /* the next byte, or the end */
	size_t tail_sent;
	bool ending; /* the timer means the end */
};

void wire_script_fini(struct wire_script *script)
{
	buffer_fini(&script->head);
	buffer_fini(&script->pattern);
	buffer_fini(&script->tail);
	*script = (struct wire_script){0};
}

/* Ends the connection, and with it, through the close callback, the wire. */
static void finish(struct wire *wire)
{
	SSL *tls = bufferevent_openssl_get_ssl(wire->stream);
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	/*
	 * Freeing would shut the sending side down first, so that SO_LINGER came too late: the
	 * client would see an orderly end before the reset. Connecting to nobody resets at once.
	 */
	if (wire->script.end == WIRE_RESET)
		(void)connect(bufferevent_getfd(wire->stream), &nobody, sizeof(nobody));
	else if (wire->script.end == WIRE_CLOSE && tls != NULL)
		(void)SSL_shutdown(tls);
	evhttp_connection_free(wire->connection);
}

static void wait_for(struct wire *wire, int64_t ms)
{
	struct timeval delay = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};
	event_add(wire->timer, &delay);
}

static void send_tail(struct wire *wire)
{
	struct buffer *tail = &wire->script.tail;
	size_t count = wire->script.drip_ms > 0 ? 1 : tail->length - wire->tail_sent;

	bufferevent_write(wire->stream, tail->data + wire->tail_sent, count);
	wire->tail_sent += count;
	if (wire->tail_sent < tail->length)
		wait_for(wire, wire->script.drip_ms);
}

/* Goes on once the client has taken what was written. */
static void step(struct wire *wire)
{
	struct wire_script *script = &wire->script;

	if (script->fill > 0) {
		size_t count = script->pattern.length;
		if (count > script->fill)
			count = (size_t)script->fill;
		script->fill -= count;
		/* Nothing is copied: the stream sends no more once the wire and its pattern are
		 * gone. */
		evbuffer_add_reference(bufferevent_get_output(wire->stream), script->pattern.data,
			count, NULL, NULL);
	} else if (wire->tail_sent < script->tail.length) {
		if (!event_pending(wire->timer, EV_TIMEOUT, NULL))
			send_tail(wire);
	} else if (script->end != WIRE_HOLD && !wire->ending) {
		wire->ending = true;
		if (script->end_ms > 0)
			wait_for(wire, script->end_ms);
		else
			finish(wire);
	}
}

static void on_timer(evutil_socket_t descriptor, short events, void *arg)
{
	struct wire *wire = arg;

	(void)descriptor;
	(void)events;
	if (wire->ending)
		finish(wire);
	else
		send_tail(wire);
}

static void on_written(struct bufferevent *stream, void *arg)
{
	if (evbuffer_get_length(bufferevent_get_output(stream)) == 0)
		step(arg);
}

/* Whatever else the client says goes unheard. */
static void on_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(stream);

	(void)arg;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_event(struct bufferevent *stream, short events, void *arg)
{
	struct wire *wire = arg;

	(void)stream;
	if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	wire->script.end = WIRE_CLOSE;
	finish(wire);
}

bool wire_start(struct event_base *base, struct evhttp_request *request, struct wire_script *script,
	struct wire **ret_wire, struct error *err)
{
	CLEANUP(free_pointer) struct wire *wire = mem_new(struct wire);
	if (wire == NULL)
		return error_memory(err);
	wire->timer = evtimer_new(base, on_timer, wire);
	if (wire->timer == NULL)
		return error_memory(err);
	wire->script = *script;
	*script = (struct wire_script){0};
	wire->connection = evhttp_request_get_connection(request);
	wire->stream = evhttp_connection_get_bufferevent(wire->connection);
	*ret_wire = wire;

	bufferevent_setcb(wire->stream, on_read, on_written, on_event, wire);
	bufferevent_set_timeouts(wire->stream, NULL, NULL);
	bufferevent_enable(wire->stream, EV_READ | EV_WRITE);
	struct wire *started = take_pointer(wire);
	if (started->script.head.length > 0)
		bufferevent_write(
			started->stream, started->script.head.data, started->script.head.length);
	else
		step(started);
	return true;
}

void wire_free(struct wire *wire)
{
	if (wire == NULL)
		return;
	event_free(wire->timer);
	wire_script_fini(&wire->script);
	free(wire);
}
