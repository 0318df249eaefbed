/*
 * TLS: the certificate that the simulator shows.
 */
#ifndef SIM_TLS_H
#define SIM_TLS_H

#include <openssl/ssl.h>

#include "base/error.h"

/* A server's context from a certificate (with its chain) and its key, both PEM. NULL and err. */
SSL_CTX *tls_new(const char *certificate, const char *key, struct error *err);
void tls_free(SSL_CTX *tls);

#endif
