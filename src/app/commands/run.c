#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/kafka.h"
#include "process.h"
#include "service.h"

#define FREE_S 5 /* how long the service may take to be freed once it has stopped */

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

/* What a thread needs to end the process where freeing the service does not come to an end. */
struct farewell {
	sem_t over;
	struct log *log;
	int status;
};

static void *watch_farewell(void *context)
{
	struct farewell *farewell = context;
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += FREE_S;
	if (sem_clockwait(&farewell->over, CLOCK_MONOTONIC, &deadline) == 0)
		return NULL;
	log_warn(farewell->log, "a Kafka client does not end: leaves it as it is");
	process_end_now(farewell->log, farewell->status);
}

/*
 * Frees the service, which has done all it had to. librdkafka may wait in there for ever: before
 * 2.1.0 it does where a topic was deleted and made again.
 */
static void say_farewell(struct service *service, struct log *log, bool clean)
{
	struct farewell farewell = {.log = log, .status = clean ? EXIT_FINE : EXIT_FAILED};
	pthread_t watch;
	sem_init(&farewell.over, 0, 0);
	bool watched = pthread_create(&watch, NULL, watch_farewell, &farewell) == 0;
	service_free(service);
	sem_post(&farewell.over);
	if (watched)
		pthread_join(watch, NULL);
	sem_destroy(&farewell.over);
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
	say_farewell(service, log, clean);
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
