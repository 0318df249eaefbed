/*
 * care360-sim: the Care360 API for tests and demonstrations, as it is documented and as it might
 * fail.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "api.h"
#include "base/clock.h"
#include "base/mem.h"
#include "options.h"
#include "server.h"
#include "tls.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Everything that is made at the start, in this order, and freed in the reverse one. */
struct program {
	struct cases *cases;
	struct api *api;
	struct stats *stats;
	struct record *record;
	SSL_CTX *tls;
	struct server *server;
};

static void program_fini(struct program *program)
{
	server_free(program->server);
	tls_free(program->tls);
	record_close(program->record);
	stats_free(program->stats);
	api_free(program->api);
	cases_free(program->cases);
}

static bool program_init(struct program *program, const struct options *options, struct error *err)
{
	program->cases = cases_new(options->cases, err);
	if (program->cases == NULL)
		return false;
	program->api = api_new(program->cases, options->settings, options->seed, err);
	program->stats = stats_new(clock_monotonic_ns(), err);
	if (program->api == NULL || program->stats == NULL)
		return false;
	if (options->record != NULL) {
		program->record = record_open(options->record, err);
		if (program->record == NULL)
			return false;
	}
	if (options->tls_certificate != NULL) {
		program->tls = tls_new(options->tls_certificate, options->tls_key, err);
		if (program->tls == NULL)
			return false;
	}
	program->server =
		server_new(&(struct server_parts){options->listen, program->tls, program->api,
				   options->settings, program->stats, program->record},
			err);
	return program->server != NULL;
}

/* Thousands of connections need as many descriptors as the system allows. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct options *options)
{
	CLEANUP(program_fini) struct program program = {0};
	struct error err = {0};

	raise_limits();
	signal(SIGPIPE, SIG_IGN);
	bool ready = program_init(&program, options, &err);
	if (ready) {
		printf("listening on %s\n", server_url(program.server));
		fflush(stdout);
	}
	if (ready && server_run(program.server, &err))
		return EXIT_FINE;
	fprintf(stderr, "care360-sim: %s\n", err.text);
	return EXIT_FAILED;
}

int main(int count, char **arguments)
{
	CLEANUP(options_fini) struct options options = {0};
	struct error err = {0};

	if (!options_read(&options, count, arguments, &err)) {
		fprintf(stderr, "care360-sim: %s (--help shows all options)\n", err.text);
		return EXIT_USAGE;
	}
	if (options.help && !options_help(&options, &err)) {
		fprintf(stderr, "care360-sim: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (options.help)
		return EXIT_FINE;
	if (options.version) {
		puts("care360-sim " CARE360_VERSION);
		return EXIT_FINE;
	}
	return run(&options);
}
