#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SEND_TIMEOUT_US INT64_C(500000) /* how long a manager that takes nothing is waited for */
#define STATUS_EVERY_NS NS_PER_S

struct notify {
	int descriptor;
	struct sockaddr_un address;
	socklen_t address_length;
	int64_t feed_every_ns; /* 0: no watchdog */
	int64_t fed_at;
	int64_t status_at;
	struct error status; /* the one told last */
};

/* An address such as /run/systemd/notify, or @name in the abstract namespace. */
static bool read_address(struct notify *notify, const char *text, struct error *err)
{
	size_t length = strlen(text);
	if ((text[0] != '/' && text[0] != '@') || length < 2 ||
		length >= sizeof(notify->address.sun_path))
		return error_set(err, "NOTIFY_SOCKET: only unix sockets can be notified");
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, text, length);
	if (text[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_length =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
	return true;
}

/* Twice in the time after which the manager would end us. */
static int64_t read_watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC");   // NOLINT(concurrency-mt-unsafe)
	const char *process = getenv("WATCHDOG_PID"); // NOLINT(concurrency-mt-unsafe)
	if (time == NULL || (process != NULL && strtoll(process, NULL, 10) != getpid()))
		return 0;
	long long limit_us = strtoll(time, NULL, 10);
	return limit_us > 0 && limit_us < INT64_MAX / NS_PER_US ? limit_us * NS_PER_US / 2 : 0;
}

struct notify *notify_new(struct error *err)
{
	const char *text = getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe)
	if (text == NULL || text[0] == '\0')
		return NULL;
	struct notify *notify = mem_new(struct notify);
	if (notify == NULL) {
		error_memory(err);
		return NULL;
	}
	struct timeval limit = {.tv_usec = SEND_TIMEOUT_US};
	notify->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->descriptor < 0) {
		error_system(err, errno, "NOTIFY_SOCKET cannot be used");
	} else if (read_address(notify, text, err)) {
		setsockopt(notify->descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		notify->feed_every_ns = read_watchdog();
		return notify;
	}
	notify_free(notify);
	return NULL;
}

void notify_free(struct notify *notify)
{
	if (notify == NULL)
		return;
	if (notify->descriptor >= 0)
		close(notify->descriptor);
	free(notify);
}

/* Tells it. False where the manager does not listen: it misses something, and that is all. */
static bool tell(const struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool tell(const struct notify *notify, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE + 32];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length <= 0 || (size_t)length >= sizeof(text))
		return false;
	ssize_t sent = 0;
	do {
		sent = sendto(notify->descriptor, text, (size_t)length, MSG_NOSIGNAL,
			(const struct sockaddr *)&notify->address, notify->address_length);
	} while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

void notify_ready(const struct notify *notify)
{
	if (notify != NULL)
		tell(notify, "READY=1");
}

void notify_reloading(const struct notify *notify)
{
	if (notify != NULL)
		tell(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
			clock_monotonic_ns() / NS_PER_US);
}

void notify_stopping(const struct notify *notify, int64_t timeout_ns)
{
	if (notify != NULL)
		tell(notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, timeout_ns / NS_PER_US);
}

void notify_alive(struct notify *notify, int64_t now)
{
	if (notify == NULL || notify->feed_every_ns == 0 ||
		now - notify->fed_at < notify->feed_every_ns)
		return;
	notify->fed_at = now;
	tell(notify, "WATCHDOG=1");
}

void notify_status(struct notify *notify, const char *sentence, int64_t now)
{
	if (notify == NULL || now - notify->status_at < STATUS_EVERY_NS)
		return;
	struct error status = {0};
	error_set(&status, "%s", sentence);
	/* A line of its own would be another variable. */
	for (char *c = status.text; *c != '\0'; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	if (strcmp(notify->status.text, status.text) == 0)
		return;
	notify->status_at = now;
	if (tell(notify, "STATUS=%s", status.text))
		notify->status = status;
}
