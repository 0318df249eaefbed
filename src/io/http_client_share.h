/*
 * What several HTTP clients share, as libcurl has it.
 */
#ifndef IO_HTTP_CLIENT_SHARE_H
#define IO_HTTP_CLIENT_SHARE_H

#include <curl/curl.h>

#include "io/http_client.h"

/* libcurl's handle, which stays the share's. Its locks make it fit for any thread. */
CURLSH *http_share_handle(const struct http_share *share);

#endif
