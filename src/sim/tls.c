#include "tls.h"

#include <openssl/err.h>

static void complain(struct error *err, const char *what, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	error_set(err, "the %s %s cannot be used: %s", what, path,
		reason == NULL ? "no reason is known" : reason);
	ERR_clear_error();
}

SSL_CTX *tls_new(const char *certificate, const char *key, struct error *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL) {
		error_memory(err);
		return NULL;
	}
	if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1) {
		complain(err, "certificate", certificate);
		SSL_CTX_free(tls);
		return NULL;
	}
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
		complain(err, "key", key);
		SSL_CTX_free(tls);
		return NULL;
	}
	return tls;
}

void tls_free(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}
