/*
 * Server: the sockets. One thread waits for everything, so a slow reply costs a timer and no more.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <openssl/ssl.h>

#include "api.h"
#include "base/error.h"
#include "record.h"
#include "settings.h"
#include "stats.h"

struct server;

struct server_parts {
	const char *listen; /* ADDR:PORT; port 0 is any that is free */
	SSL_CTX *tls;       /* NULL: none */
	struct api *api;
	struct settings *settings;
	struct stats *stats;
	struct record *record; /* NULL: none is kept */
};

/*
 * Listens; nothing is answered before server_run(). The parts stay the caller's and must outlive
 * it. NULL and err where it cannot listen.
 */
struct server *server_new(const struct server_parts *parts, struct error *err);
void server_free(struct server *server);

/* Where it listens: "http://127.0.0.1:8080". */
const char *server_url(const struct server *server);

/* Answers until SIGTERM or SIGINT. */
bool server_run(struct server *server, struct error *err);

#endif
