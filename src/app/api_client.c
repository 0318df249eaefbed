#include "api_client.h"

struct http_client_options api_client_options(const struct settings *settings, int max_connections)
{
	return (struct http_client_options){
		.base_url = settings_base_url(settings),
		.ca_file = settings->care360.ca_file,
		.proxy = settings->care360.proxy,
		.connect_timeout_ms = settings->care360.connect_timeout_ms,
		.timeout_ms = settings->care360.timeout_ms,
		.max_connections = max_connections,
		.http2 = settings->care360.http_version == HTTP_VERSION_2,
	};
}
