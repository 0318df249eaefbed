/*
 * N requests at K in flight through io/http_client, to compare with curl_loop, which is libcurl
 * alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench.h"
#include "io/http_client.h"

/* Starts requests until K are under way or N were started. */
static bool fill(struct http_client *client, const struct bench_options *options, long *started,
	long under_way, struct error *err)
{
	char email[64];
	while (under_way < options->in_flight && *started < options->requests) {
		int length =
			snprintf(email, sizeof(email), "patient%ld@carevalidate.com", *started);
		struct http_request request = {.email = {email, (size_t)length}};
		if (!http_client_start(client, &request, NULL, err))
			return false;
		++*started;
		++under_way;
	}
	return true;
}

static bool run(struct http_client *client, const struct bench_options *options, struct error *err)
{
	struct bench_span start = bench_now();
	long started = 0;
	long ended = 0;
	long failures = 0;
	long unmeasured = 0;
	while (ended < options->requests) {
		if (!fill(client, options, &started, started - ended, err))
			return false;
		http_client_wait(client, TIME_NEVER);
		void *tag = NULL;
		struct reply reply = {0};
		int64_t duration_ns = 0;
		while (http_client_take(client, &tag, &reply, &duration_ns)) {
			ended++;
			failures += reply.transport != REPLY_HTTP || reply.status != 200;
		}
		if (unmeasured < options->warm_up) {
			start = bench_now();
			unmeasured = ended;
		}
	}
	bench_report("http_client", options, start, ended - unmeasured, failures);
	return true;
}

int main(int argc, char **argv)
{
	struct bench_options options;
	struct error err = {0};
	if (!bench_options_read(&options, argc, argv))
		return 2;
	bool ok = http_client_library_init(&err);
	struct http_client *client = NULL;
	if (ok) {
		client = http_client_new(
			&(struct http_client_options){
				.base_url = options.url,
				.ca_file = options.ca_file,
				.connect_timeout_ms = 2000,
				.timeout_ms = 10000,
				.max_connections = options.in_flight,
				.http2 = options.http2,
			},
			&err);
	}
	ok = client && http_client_set_key(client, bytes_of_text(options.key), &err) &&
	     run(client, &options, &err);
	if (!ok)
		(void)fprintf(stderr, "http_client_loop: %s\n", err.text);
	http_client_free(client);
	http_client_library_fini();
	return ok ? 0 : 1;
}
