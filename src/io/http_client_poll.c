#include "http_client_poll.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"

#define EVENTS_MAX 256
#define WANT_IN    1U
#define WANT_OUT   2U

/* What is known of one descriptor, found by its number. */
struct slot {
	uint32_t generation; /* counts the sockets that had this number: an event of an older one is
				void */
	uint32_t events;     /* what a socket that is not sticky is registered for */
	struct loop *loop;   /* whose socket it is, as libcurl last said */
	unsigned char want;  /* what libcurl waits for */
	unsigned char ready; /* what came and was not delivered */
	bool sticky;         /* opened through us, so that its end is seen: registered once */
	bool registered;
	bool queued; /* on the list of what is to be delivered */
};

/* One multi handle. */
struct loop {
	struct http_poll *poll;
	CURLM *multi;
	struct loop *next;
	int64_t timer_ns; /* when libcurl wants to be called; TIME_NEVER: not */
};

struct http_poll {
	int epoll;
	int wake;
	atomic_bool sleeping;
	atomic_bool woken;
	bool no_pwait2; /* an old kernel, or a sandbox that forbids the call */
	struct loop *loops;
	struct slot *slots;
	int slot_count;
	in_port_t *ports; /* of our ends, by descriptor, in network byte order; 0: not sticky. They
			     are searched for each request, and so stand side by side. */
	int *queue;       /* descriptors with something to deliver; as long as `slots` */
	int *batch;       /* the queue of the round before, being delivered */
	int queued;
};

struct http_poll *http_poll_new(struct error *err)
{
	struct http_poll *poll = mem_new(struct http_poll);
	if (!poll) {
		error_memory(err);
		return NULL;
	}
	poll->epoll = epoll_create1(EPOLL_CLOEXEC);
	poll->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Edge-triggered: every write is one event, and nobody need read the counter. */
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = UINT64_MAX};
	if (poll->epoll < 0 || poll->wake < 0 ||
		epoll_ctl(poll->epoll, EPOLL_CTL_ADD, poll->wake, &event) != 0) {
		error_system(err, errno, "cannot set up epoll");
		http_poll_free(poll);
		return NULL;
	}
	return poll;
}

void http_poll_free(struct http_poll *poll)
{
	if (!poll)
		return;
	while (poll->loops) {
		struct loop *loop = poll->loops;
		poll->loops = loop->next;
		free(loop);
	}
	if (poll->epoll >= 0)
		close(poll->epoll);
	if (poll->wake >= 0)
		close(poll->wake);
	free(poll->slots);
	free(poll->ports);
	free(poll->queue);
	free(poll->batch);
	free(poll);
}

/* Room for another number of elements; false, and all as it was, when out of memory. */
static bool grow(int **array, int count)
{
	int *grown = reallocarray(*array, (size_t)count, sizeof(**array));
	if (grown)
		*array = grown;
	return grown != NULL;
}

/* The slot of a descriptor, or NULL when out of memory. Valid until the next call. */
static struct slot *slot_of(struct http_poll *poll, int fd)
{
	if (fd < poll->slot_count)
		return &poll->slots[fd];
	int count = poll->slot_count ? poll->slot_count : 64;
	while (count <= fd)
		count *= 2;
	if (!grow(&poll->queue, count) || !grow(&poll->batch, count))
		return NULL;
	in_port_t *ports = reallocarray(poll->ports, (size_t)count, sizeof(*ports));
	if (!ports)
		return NULL;
	poll->ports = ports;
	struct slot *slots = reallocarray(poll->slots, (size_t)count, sizeof(*slots));
	if (!slots)
		return NULL;
	for (int i = poll->slot_count; i < count; i++) {
		slots[i] = (struct slot){0};
		ports[i] = 0;
	}
	poll->slots = slots;
	poll->slot_count = count;
	return &slots[fd];
}

/* Forgets what was known of a descriptor but that it had a life before. */
static void slot_renew(struct http_poll *poll, int fd, bool sticky)
{
	struct slot *slot = &poll->slots[fd];
	*slot = (struct slot){
		.generation = slot->generation + 1, .queued = slot->queued, .sticky = sticky};
	poll->ports[fd] = 0;
}

/* Has a descriptor delivered in this round or the next, where libcurl wants what is ready. */
static void slot_queue(struct http_poll *poll, int fd)
{
	struct slot *slot = &poll->slots[fd];
	if (slot->queued || !(slot->ready & slot->want))
		return;
	slot->queued = true;
	poll->queue[poll->queued++] = fd;
}

static void slot_register(struct http_poll *poll, int fd, uint32_t events)
{
	struct slot *slot = &poll->slots[fd];
	struct epoll_event event = {
		.events = events, .data.u64 = (uint64_t)slot->generation << 32 | (uint32_t)fd};
	int operation = slot->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	/* Where this fails, the transfer ends by its time-out. */
	slot->registered = epoll_ctl(poll->epoll, operation, fd, &event) == 0;
	slot->events = events;
}

/*
 * A socket that libcurl opened by itself, such as the resolver thread's: it may be closed without a
 * word to us, so it is registered while it is wanted, and level-triggered.
 */
static void slot_follow(struct http_poll *poll, int fd)
{
	struct slot *slot = &poll->slots[fd];
	uint32_t events =
		(slot->want & WANT_IN ? EPOLLIN : 0U) | (slot->want & WANT_OUT ? EPOLLOUT : 0U);
	if (events && events != slot->events) {
		slot_register(poll, fd, events);
	} else if (!events) {
		epoll_ctl(poll->epoll, EPOLL_CTL_DEL, fd, NULL);
		slot_renew(poll, fd, false);
	}
}

/* The port of our end of a socket. IPv4 and IPv6 have it in the same place. */
static in_port_t local_port_of(int fd)
{
	struct sockaddr_in6 address = {0};
	socklen_t length = sizeof(address);
	return getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? address.sin6_port : 0;
}

/* libcurl says what it waits for. */
static int on_want(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	(void)easy;
	(void)unused;
	struct loop *loop = context;
	struct slot *slot = slot_of(loop->poll, fd);
	if (!slot)
		return 0;
	slot->loop = loop;
	slot->want = what == CURL_POLL_REMOVE ? 0 : (unsigned char)what;
	if (!slot->sticky) {
		slot_follow(loop->poll, fd);
	} else if (!slot->registered && slot->want) {
		loop->poll->ports[fd] = local_port_of(fd);
		slot_register(loop->poll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	}
	slot_queue(loop->poll, fd);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
	(void)multi;
	struct loop *loop = context;
	if (timeout_ms < 0)
		loop->timer_ns = TIME_NEVER;
	else
		loop->timer_ns =
			timeout_ms == 0 ? 0 : clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	return 0;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	struct http_poll *poll = context;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	struct slot *slot = slot_of(poll, fd);
	if (!slot) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	slot_renew(poll, fd, true);
	return fd;
}

static int on_close(void *context, curl_socket_t fd)
{
	struct http_poll *poll = context;
	if (fd < poll->slot_count)
		slot_renew(poll, fd, false);
	return close(fd);
}

bool http_poll_attach(struct http_poll *poll, CURLM *multi, struct error *err)
{
	_Static_assert(WANT_IN == CURL_POLL_IN && WANT_OUT == CURL_POLL_OUT, "as libcurl has them");
	_Static_assert(
		WANT_IN == CURL_CSELECT_IN && WANT_OUT == CURL_CSELECT_OUT, "as libcurl has them");
	struct loop *loop = mem_new(struct loop);
	if (!loop)
		return error_memory(err);
	*loop = (struct loop){
		.poll = poll, .multi = multi, .next = poll->loops, .timer_ns = TIME_NEVER};
	poll->loops = loop;
	bool ok = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_want) == CURLM_OK &&
		  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
		  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
		  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK;
	return ok || error_set(err, "libcurl lacks the multi-socket interface");
}

void http_poll_detach(struct http_poll *poll, const CURLM *multi)
{
	struct loop *loop;
	struct loop *next;
	LL_FOREACH_SAFE (poll->loops, loop, next) {
		if (loop->multi != multi)
			continue;
		LL_DELETE(poll->loops, loop);
		free(loop);
	}
}

bool http_poll_adopt(struct http_poll *poll, CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, poll) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, poll) == CURLE_OK;
}

/* What a socket can do at this moment, of what is wanted. */
static unsigned char ready_now(int fd, unsigned char want)
{
	struct pollfd state = {.fd = fd};
	state.events = (short)((want & WANT_IN ? POLLIN : 0) | (want & WANT_OUT ? POLLOUT : 0));
	if (poll(&state, 1, 0) <= 0)
		return 0;
	if (state.revents & (POLLERR | POLLHUP))
		return want;
	return (unsigned char)((state.revents & POLLIN ? WANT_IN : 0) |
			       (state.revents & POLLOUT ? WANT_OUT : 0));
}

/* Tells libcurl of what is ready and wanted. */
static void deliver(struct http_poll *poll, int fd)
{
	struct slot *slot = &poll->slots[fd];
	unsigned char bits = slot->ready & slot->want;
	if (!bits)
		return;
	uint32_t generation = slot->generation;
	bool sticky = slot->sticky;
	slot->ready = (unsigned char)(slot->ready & ~bits);
	int running = 0;
	curl_multi_socket_action(slot->loop->multi, fd, bits, &running);
	slot = &poll->slots[fd]; /* the table may have grown */
	if (!sticky || slot->generation != generation || !(slot->want & bits))
		return;
	/* libcurl may have left something for the next look, and no edge will tell of it. */
	slot->ready |= ready_now(fd, slot->want & bits);
	slot_queue(poll, fd);
}

/* Delivers what was queued so far; what is queued meanwhile waits for the next round. */
static void deliver_queue(struct http_poll *poll)
{
	int *batch = poll->queue;
	int count = poll->queued;
	poll->queue = poll->batch;
	poll->batch = batch;
	poll->queued = 0;
	for (int i = 0; i < count; i++) {
		int fd = poll->batch[i]; /* read anew: the arrays may have moved */
		poll->slots[fd].queued = false;
		deliver(poll, fd);
	}
}

/* Shuts a socket down and drops what it had to read: what comes from now on, the kernel refuses. */
static void silence(int fd)
{
	char dropped[4096];
	shutdown(fd, SHUT_RDWR);
	while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
		;
}

bool http_poll_spoil(struct http_poll *poll, int local_port)
{
	bool spoilt = false;
	char first = 0;
	in_port_t port = htons((in_port_t)local_port);
	/* Connections to several addresses may have the same port. */
	for (int fd = 0; fd < poll->slot_count; fd++) {
		if (poll->ports[fd] != port || poll->slots[fd].want ||
			recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			continue;
		silence(fd);
		spoilt = true;
	}
	return spoilt;
}

void http_poll_run_timers(struct http_poll *poll)
{
	int64_t now = clock_monotonic_ns();
	for (struct loop *loop = poll->loops; loop; loop = loop->next) {
		if (loop->timer_ns > now)
			continue;
		int running = 0;
		loop->timer_ns = TIME_NEVER; /* libcurl sets it anew */
		curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

/* Notes an event of epoll's. */
static void take_event(struct http_poll *poll, const struct epoll_event *event)
{
	if (event->data.u64 == UINT64_MAX)
		return;
	int fd = (int)(uint32_t)event->data.u64;
	struct slot *slot = &poll->slots[fd];
	if (slot->generation != (uint32_t)(event->data.u64 >> 32))
		return;
	unsigned bits = 0;
	if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		bits |= WANT_IN;
	if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		bits |= WANT_OUT;
	slot->ready = (unsigned char)(slot->ready | bits);
	slot_queue(poll, fd);
}

/* epoll_wait() in nanoseconds where the kernel has that, else in milliseconds, never too early. */
static int wait_events(struct http_poll *poll, struct epoll_event *events, int64_t span_ns)
{
	if (span_ns <= 0)
		return epoll_wait(poll->epoll, events, EVENTS_MAX, 0);
	if (!poll->no_pwait2) {
		struct timespec span = {
			.tv_sec = span_ns / NS_PER_S, .tv_nsec = span_ns % NS_PER_S};
		int count = epoll_pwait2(poll->epoll, events, EVENTS_MAX, &span, NULL);
		if (count >= 0 || (errno != ENOSYS && errno != EPERM))
			return count;
		poll->no_pwait2 = true;
	}
	int64_t span_ms = span_ns / NS_PER_MS + 1;
	return epoll_wait(poll->epoll, events, EVENTS_MAX, span_ms > 60000 ? 60000 : (int)span_ms);
}

/* Sleeps for events, no longer than until `until_ns`. Returns their number. */
static int sleep_for_events(struct http_poll *poll, struct epoll_event *events, int64_t until_ns)
{
	int64_t span_ns = until_ns == TIME_NEVER ? 60 * NS_PER_S : until_ns - clock_monotonic_ns();
	if (until_ns <= 0 || poll->queued)
		span_ns = 0;
	/* Whoever sets `woken` after this line sees the sleeper; whoever did before is seen by it.
	 */
	atomic_store(&poll->sleeping, true);
	if (atomic_load(&poll->woken))
		span_ns = 0;
	int count = wait_events(poll, events, span_ns);
	atomic_store(&poll->sleeping, false);
	atomic_store(&poll->woken, false);
	return count;
}

void http_poll_wait(struct http_poll *poll, int64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	for (const struct loop *loop = poll->loops; loop; loop = loop->next)
		until_ns = loop->timer_ns < until_ns ? loop->timer_ns : until_ns;
	int count = sleep_for_events(poll, events, until_ns);
	for (int i = 0; i < count; i++)
		take_event(poll, &events[i]);
	deliver_queue(poll);
	http_poll_run_timers(poll);
}

void http_poll_wake(struct http_poll *poll)
{
	if (atomic_exchange(&poll->woken, true) || !atomic_load(&poll->sleeping))
		return;
	uint64_t one = 1;
	ssize_t written = write(poll->wake, &one, sizeof(one));
	(void)written;
}
