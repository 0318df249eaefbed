/*
 * How the API is reached: the HTTP client's options, as the settings have them.
 */
#ifndef APP_API_CLIENT_H
#define APP_API_CLIENT_H

#include "io/http_client.h"
#include "io/settings.h"

/* The options without a may_resend. What they point to is the settings'. */
struct http_client_options api_client_options(const struct settings *settings, int max_connections);

#endif
