/*
 * Address: where to listen, from text and as a URL.
 */
#ifndef SIM_ADDRESS_H
#define SIM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

#define ADDRESS_URL_SIZE 128

/* Reads ADDR:PORT, an IPv6 address standing in brackets; a name may stand for an address. */
bool address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_length,
	struct error *err);

/* Writes where a socket listens, such as "http://127.0.0.1:8080". */
bool address_url(int descriptor, const char *scheme, char ret_url[static ADDRESS_URL_SIZE],
	struct error *err);

#endif
