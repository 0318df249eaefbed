#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/kafka.h"
#include "process.h"
#include "service.h"

/* As many open files as are allowed: each request under way needs a socket. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

static void free_log(struct log **log)
{
	log_free(*log);
}

/* Runs the service until it has stopped. True where it finished all that it had begun. */
static bool serve(
	const struct settings *settings, const struct settings_sources *sources, struct log *log)
{
	struct error err = {0};
	struct service *service = NULL;
	bool usable = http_client_library_init(&err) && kafka_library_check(&err);
	log_info(log, "starts", LOG_TEXT("version", CARE360_VERSION),
		LOG_TEXT("librdkafka", kafka_library_version()),
		LOG_TEXT("libcurl", http_client_version()), LOG_INT("pid", getpid()));
	if (usable)
		service = service_new(settings, sources, log, &err);
	if (service == NULL)
		log_error(log, "cannot start", LOG_TEXT("reason", err.text));
	bool clean = service != NULL && service_run(service);
	service_free(service);
	http_client_library_fini();
	return clean;
}

int command_run(const struct command_line *line)
{
	service_block_signals();
	CLEANUP(free_settings) struct settings *settings = command_settings(line);
	if (settings == NULL)
		return EXIT_WRONG_USAGE;
	struct error err = {0};
	CLEANUP(free_log)
	struct log *log = log_new(STDERR_FILENO, (enum log_level)settings->log.level,
		(enum log_format)settings->log.format, &err);
	if (log == NULL) {
		fprintf(stderr, "care360-lookup: %s\n", err.text);
		return EXIT_FAILED;
	}
	process_keep_memory_private();
	raise_file_limit();
	/* A peer that is gone is an error of the write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	struct settings_sources sources = command_sources(line);
	/* A file that was there and is gone at a reload must not pass for one with all defaults. */
	sources.file_may_be_missing =
		sources.file_may_be_missing && access(sources.file, F_OK) != 0;
	return serve(settings, &sources, log) ? EXIT_FINE : EXIT_FAILED;
}
