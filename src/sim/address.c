#include "address.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

bool address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_length,
	struct error *err)
{
	const char *colon = strrchr(text, ':');
	bool six = text[0] == '[';

	if (colon == NULL || colon[1] == '\0' || colon == text || (six && colon[-1] != ']'))
		return error_set(err, "\"%s\" is no ADDR:PORT", text);
	CLEANUP(free_pointer)
	char *host = strndup(text + (six ? 1 : 0), (size_t)(colon - text) - (six ? 2 : 0));
	if (host == NULL)
		return error_memory(err);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int failure = getaddrinfo(host, colon + 1, &hints, &found);
	if (failure != 0)
		return error_set(err, "\"%s\" is no ADDR:PORT: %s", text, gai_strerror(failure));
	memcpy(ret_address, found->ai_addr, found->ai_addrlen);
	*ret_length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

bool address_url(int descriptor, const char *scheme, char ret_url[static ADDRESS_URL_SIZE],
	struct error *err)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE] = "";
	char port[8] = "";

	if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0)
		return error_system(err, errno, "the address is not known");
	int failure = getnameinfo((const struct sockaddr *)&address, length, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	if (failure != 0)
		return error_set(err, "the address is not known: %s", gai_strerror(failure));
	bool six = address.ss_family == AF_INET6;
	snprintf(ret_url, ADDRESS_URL_SIZE, "%s://%s%s%s:%s", scheme, six ? "[" : "", host,
		six ? "]" : "", port);
	return true;
}
