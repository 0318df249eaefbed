/*
 * Tries whether the API can be reached, without a key and without a customer.
 */
#ifndef IO_HTTP_CLIENT_TRIAL_H
#define IO_HTTP_CLIENT_TRIAL_H

#include <stdbool.h>

#include "io/http_client.h"
#include "io/trial.h"

/*
 * Resolves the name, connects, agrees on TLS and sends one request, as far as it comes; each step
 * is a trial. It is fine where the reply is one that the API documents for a request without a key.
 * True where all was fine. After http_client_library_init().
 */
bool http_client_try(const struct http_client_options *options, trial_fn *tried, void *context);

#endif
