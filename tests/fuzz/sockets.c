#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int fuzz_listen(unsigned *ret_port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(file >= 0);
	REQUIRE(bind(file, (const struct sockaddr *)&address, sizeof(address)) == 0);
	REQUIRE(listen(file, SOMAXCONN) == 0);
	REQUIRE(getsockname(file, (struct sockaddr *)&address, &length) == 0);
	*ret_port = ntohs(address.sin_port);
	return file;
}

int fuzz_connect(unsigned port)
{
	/* Each from another address of 127.0.0.0/8: a port stays taken for a minute. */
	static uint32_t count;
	static const int on = 1;
	struct sockaddr_in from = loopback(0);
	struct sockaddr_in to = loopback(port);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (1 + count++ % 65000) * 256);
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(file >= 0);
	REQUIRE(setsockopt(file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0);
	REQUIRE(bind(file, (const struct sockaddr *)&from, sizeof(from)) == 0);
	/* libFuzzer's alarm may interrupt it: what is sent waits for the connection then. */
	REQUIRE(connect(file, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINTR);
	return file;
}

void fuzz_send_all(int file, struct bytes bytes)
{
	while (bytes.length > 0) {
		ssize_t sent = send(file, bytes.data, bytes.length, MSG_NOSIGNAL);
		if (sent <= 0)
			break;
		bytes.data += sent;
		bytes.length -= (size_t)sent;
	}
	shutdown(file, SHUT_WR);
}

void fuzz_receive_all(int file, struct buffer *buffer)
{
	char part[4096];
	ssize_t got;
	while ((got = recv(file, part, sizeof(part), 0)) > 0)
		buffer_append(buffer, part, (size_t)got);
}

void fuzz_close(int file)
{
	const struct linger at_once = {.l_onoff = 1};
	setsockopt(file, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(file);
}
