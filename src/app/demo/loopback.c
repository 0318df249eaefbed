#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"

#define REPLY_MAX (1U << 20)

static void close_descriptor(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

static struct sockaddr_in address_of(unsigned port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

unsigned loopback_free_port(struct error *err)
{
	CLEANUP(close_descriptor) int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = address_of(0);
	socklen_t length = sizeof(address);
	if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0 ||
		getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) {
		error_system(err, errno, "no free port on 127.0.0.1");
		return 0;
	}
	return ntohs(address.sin_port);
}

static bool send_all(int descriptor, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(descriptor, data, length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		data += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* Reads until the other end closes. */
static bool receive_all(int descriptor, struct buffer *reply)
{
	char data[4096];
	while (reply->length < REPLY_MAX) {
		ssize_t received = recv(descriptor, data, sizeof(data), 0);
		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return false;
		if (received == 0)
			return !reply->failed;
		buffer_append(reply, data, (size_t)received);
	}
	return false;
}

/* Splits a reply into its status and its body. */
static bool read_reply(struct buffer *reply, int *ret_status, struct buffer *ret_body)
{
	const char *text = buffer_text(reply);
	const char *body = strstr(text, "\r\n\r\n");
	if (strncmp(text, "HTTP/1.", 7) != 0 || body == NULL || strlen(text) < 12)
		return false;
	*ret_status = (int)strtol(text + 9, NULL, 10);
	buffer_append_text(ret_body, body + 4);
	return true;
}

bool loopback_call(unsigned port, const char *method, const char *path, const char *body,
	int timeout_ms, int *ret_status, struct buffer *ret_body, struct error *err)
{
	CLEANUP(close_descriptor) int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = {timeout_ms / 1000, (timeout_ms % 1000) * 1000L};
	struct sockaddr_in address = address_of(port);
	CLEANUP(buffer_fini) struct buffer text = {0};
	buffer_append_format(&text, "%s %s HTTP/1.0\r\nHost: 127.0.0.1\r\n", method, path);
	if (body != NULL)
		buffer_append_format(&text,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	buffer_append_format(&text, "\r\n%s", body == NULL ? "" : body);
	CLEANUP(buffer_fini) struct buffer reply = {0};
	if (descriptor < 0 ||
		setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
		setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
		connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		!send_all(descriptor, text.data, text.length) || !receive_all(descriptor, &reply))
		return error_system(err, errno, "127.0.0.1:%u does not answer", port);
	if (!read_reply(&reply, ret_status, ret_body))
		return error_set(err, "127.0.0.1:%u does not speak HTTP", port);
	return true;
}
