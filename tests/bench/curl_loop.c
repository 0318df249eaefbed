/*
 * N requests at K in flight with libcurl alone: its multi interface on epoll, as its documentation
 * has it, with the same headers, callbacks and options as io/http_client. What a service adds is
 * measured against this. --sticky registers each socket once, edge-triggered, instead of following
 * libcurl.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench.h"

#define EVENTS_MAX 256
#define FD_MAX     16384

struct slot {
	int want;
	int ready;
	uint32_t registered; /* the events; 0: none */
};

struct request {
	CURL *easy;
	CURLU *url;
	size_t body_length;
	char body[512];
};

struct loop {
	const struct bench_options *options;
	CURLM *multi;
	int epoll;
	int64_t timer_ns;
	struct slot *slots;
	struct curl_slist *headers;
	struct request *requests;
	long started;
	long ended;
	long failures;
};

static void slot_register(struct loop *loop, int fd, uint32_t events)
{
	struct slot *slot = &loop->slots[fd];
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (events == slot->registered)
		return;
	int operation = !events ? EPOLL_CTL_DEL : slot->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	epoll_ctl(loop->epoll, operation, fd, &event);
	slot->registered = events;
}

static int on_want(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	(void)easy;
	(void)unused;
	struct loop *loop = context;
	struct slot *slot = &loop->slots[fd];
	slot->want = what == CURL_POLL_REMOVE ? 0 : what;
	if (!loop->options->sticky)
		slot_register(loop, fd,
			(slot->want & CURL_POLL_IN ? EPOLLIN : 0U) |
				(slot->want & CURL_POLL_OUT ? EPOLLOUT : 0U));
	else if (slot->want)
		slot_register(loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
	(void)multi;
	struct loop *loop = context;
	loop->timer_ns = timeout_ms < 0    ? TIME_NEVER
			 : timeout_ms == 0 ? 0
					   : clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	return 0;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	struct loop *loop = context;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		address->protocol);
	if (fd >= 0 && fd < FD_MAX)
		loop->slots[fd] = (struct slot){0};
	return fd;
}

static int on_close(void *context, curl_socket_t fd)
{
	struct loop *loop = context;
	loop->slots[fd] = (struct slot){0};
	return close(fd);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct request *request = context;
	size_t length = size * count;
	if (length > sizeof(request->body) - request->body_length)
		return CURL_WRITEFUNC_ERROR;
	memcpy(request->body + request->body_length, data, length);
	request->body_length += length;
	return length;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's signature */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	(void)data;
	(void)context;
	return size * count;
}

static bool set_up_request(struct loop *loop, struct request *request)
{
	const struct bench_options *options = loop->options;
	bool tls = strncmp(options->url, "https:", 6) == 0;
	CURL *easy = curl_easy_init();
	request->easy = easy;
	request->url = curl_url();
	if (!easy || !request->url)
		return false;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, loop->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, options->http2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		(long)(!options->http2 ? CURL_HTTP_VERSION_1_1
			: tls          ? CURL_HTTP_VERSION_2TLS
				       : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
	if (options->ca_file[0])
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
	return true;
}

static void start_request(struct loop *loop, struct request *request)
{
	char url[512];
	(void)snprintf(url, sizeof(url),
		"%s/api/v1/customer-latest-case-id?email=patient%ld%%40carevalidate.com",
		loop->options->url, loop->started++);
	request->body_length = 0;
	if (loop->options->curlu) {
		curl_url_set(request->url, CURLUPART_URL, url, 0);
		curl_easy_setopt(request->easy, CURLOPT_CURLU, request->url);
	} else {
		curl_easy_setopt(request->easy, CURLOPT_URL, url);
	}
	curl_multi_add_handle(loop->multi, request->easy);
}

static void deliver(struct loop *loop, int fd)
{
	struct slot *slot = &loop->slots[fd];
	int running = 0;
	for (int bits = 0; (bits = slot->ready & slot->want);) {
		slot->ready &= ~bits;
		curl_multi_socket_action(loop->multi, fd, bits, &running);
		/* Bodies here fit one read: a body that does not would need a look at the socket.
		 */
	}
}

static void take_event(struct loop *loop, const struct epoll_event *event)
{
	int fd = event->data.fd;
	int bits = (event->events & ~(unsigned)EPOLLOUT ? CURL_CSELECT_IN : 0) |
		   (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_OUT : 0);
	int running = 0;
	if (!loop->options->sticky) {
		curl_multi_socket_action(loop->multi, fd, bits, &running);
		return;
	}
	loop->slots[fd].ready |= bits;
	deliver(loop, fd);
}

static void run_timer(struct loop *loop, int64_t now)
{
	int running = 0;
	if (loop->timer_ns > now)
		return;
	loop->timer_ns = TIME_NEVER;
	curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void collect(struct loop *loop)
{
	const CURLMsg *message = NULL;
	int left = 0;
	while ((message = curl_multi_info_read(loop->multi, &left))) {
		struct request *request = NULL;
		long status = 0;
		CURLcode result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_multi_remove_handle(loop->multi, request->easy);
		loop->ended++;
		loop->failures += result != CURLE_OK || status != 200;
		if (loop->started < loop->options->requests)
			start_request(loop, request);
	}
}

static void run(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	struct bench_span start = bench_now();
	long unmeasured = 0;
	for (int i = 0; i < loop->options->in_flight && loop->started < loop->options->requests;
		i++)
		start_request(loop, &loop->requests[i]);
	while (loop->ended < loop->options->requests) {
		run_timer(loop, clock_monotonic_ns());
		collect(loop); /* what ended at once: no event tells of it */
		if (loop->ended == loop->options->requests)
			break;
		int64_t span_ns = loop->timer_ns - clock_monotonic_ns();
		int span_ms = loop->timer_ns == TIME_NEVER ? -1
			      : span_ns <= 0               ? 0
							   : (int)(span_ns / NS_PER_MS + 1);
		int count = epoll_wait(loop->epoll, events, EVENTS_MAX, span_ms);
		for (int i = 0; i < count; i++)
			take_event(loop, &events[i]);
		run_timer(loop, clock_monotonic_ns());
		collect(loop);
		if (unmeasured < loop->options->warm_up) {
			start = bench_now();
			unmeasured = loop->ended;
		}
	}
	bench_report(loop->options->sticky ? "libcurl sticky" : "libcurl", loop->options, start,
		loop->ended - unmeasured, loop->failures);
}

static bool set_up(struct loop *loop)
{
	char key[256];
	(void)snprintf(key, sizeof(key), "CV-Api-Key: %s", loop->options->key);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->multi = curl_multi_init();
	loop->slots = mem_new_array(struct slot, FD_MAX);
	loop->requests = mem_new_array(struct request, (size_t)loop->options->in_flight);
	loop->headers = curl_slist_append(NULL, "Content-Type: application/json");
	loop->headers = curl_slist_append(loop->headers, "Accept: application/json");
	loop->headers = curl_slist_append(loop->headers, "User-Agent: care360-lookup/0");
	loop->headers = curl_slist_append(loop->headers, key);
	if (loop->epoll < 0 || !loop->multi || !loop->slots || !loop->requests || !loop->headers)
		return false;
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_want);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)loop->options->in_flight);
	for (int i = 0; i < loop->options->in_flight; i++) {
		if (!set_up_request(loop, &loop->requests[i]))
			return false;
	}
	return true;
}

static void tear_down(struct loop *loop)
{
	for (int i = 0; loop->requests && i < loop->options->in_flight; i++) {
		curl_easy_cleanup(loop->requests[i].easy);
		curl_url_cleanup(loop->requests[i].url);
	}
	curl_multi_cleanup(loop->multi);
	curl_slist_free_all(loop->headers);
	free(loop->requests);
	free(loop->slots);
	close(loop->epoll);
}

int main(int argc, char **argv)
{
	struct bench_options options;
	if (!bench_options_read(&options, argc, argv))
		return 2;
	struct loop loop = {.options = &options, .timer_ns = TIME_NEVER};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	bool ok = set_up(&loop);
	if (ok)
		run(&loop);
	else
		(void)fprintf(stderr, "curl_loop: cannot be set up\n");
	tear_down(&loop);
	curl_global_cleanup();
	return ok ? 0 : 1;
}
