#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/http_client.h"

static void free_url(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void free_part(char **part)
{
	curl_free(*part);
}

bool http_client_origin(const char *base_url, struct http_origin *ret_origin, struct error *err)
{
	CLEANUP(free_url) CURLU *url = curl_url();
	CLEANUP(free_part) char *host = NULL;
	CLEANUP(free_part) char *port = NULL;
	if (url == NULL)
		return error_memory(err);
	CURLUcode code = curl_url_set(url, CURLUPART_URL, base_url, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_HOST, &host, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (code != CURLUE_OK)
		return error_set(err, "%s: %s", base_url, curl_url_strerror(code));
	snprintf(ret_origin->host, sizeof(ret_origin->host), "%s", host);
	ret_origin->port = (unsigned)strtoul(port, NULL, 10);
	return true;
}
