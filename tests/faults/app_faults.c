/* Each allocation on the way to a running service fails in turn, libcurl's among them. */
#include "faults.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "app/api_key.h"
#include "app/commands.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/settings.h"
#include "io/status_server.h"
#include "service.h"

static const char *const assignments[] = {"kafka.brokers=127.0.0.1:1",
	"kafka.client.socket.keepalive.enable=true", "lookup.workers=1",
	"server.listen=127.0.0.1:0", "care360.base_url=http://127.0.0.1:1",
	"care360.api_key_file=/nonexistent/key"};

static const char *const environment[] = {"CARE360_LOOKUP_KAFKA_REQUEST_TOPICS=a,b",
	"CARE360_LOOKUP_KAFKA_CONSUMER_FETCH_WAIT_MAX_MS=50", "CARE360_LOOKUP_UNKNOWN=1", NULL};

static const struct settings_sources sources = {
	.file = "config/care360-lookup.cfg",
	.environment = environment,
	.assignments = assignments,
	.assignment_count = array_length(assignments),
};

/* Settings are as they were given, or there are none. */
static bool load_settings(void *context, struct error *err)
{
	(void)context;
	struct settings_report report;
	struct settings *settings = settings_load(&sources, &report, err);
	settings_report_fini(&report);
	if (settings == NULL)
		return false;
	assert_string_equal(settings->kafka.brokers, "127.0.0.1:1");
	assert_int_equal(settings->kafka.request_topics.count, 2);
	assert_int_equal(settings->kafka.client.count, 1);
	assert_int_equal(settings->lookup.forward_headers.count, 2);
	settings_free(settings);
	return true;
}

static void want_of_memory_leaves_no_setting_out(void **state)
{
	(void)state;
	faults_each(load_settings, NULL);
}

static int do_nothing(const struct command_line *line)
{
	(void)line;
	return EXIT_FINE;
}

static bool read_command_line(void *context, struct error *err)
{
	(void)context;
	static const struct command_option options[] = {{"email", "E", "help"}, {0}};
	static const struct command commands[] = {{"look", "looks", do_nothing, options}, {0}};
	char *arguments[] = {
		"care360-lookup", "--set", "a=b", "--set=c=d", "look", "--email", "e", NULL};
	struct command_line line;
	bool good = command_line_read(&line, commands, 7, arguments, err);
	if (good) {
		assert_int_equal(line.assignment_count, 2);
		assert_string_equal(command_value(&line, "email"), "e");
	}
	command_line_fini(&line);
	return good;
}

static void want_of_memory_leaves_no_option_out(void **state)
{
	(void)state;
	faults_each(read_command_line, NULL);
}

static bool write_log(void *context, struct error *err)
{
	const int *null = context;
	struct log *log = log_new(*null, LOG_LEVEL_INFO, LOG_FORMAT_JSON, err);
	if (log == NULL)
		return false;
	log_info(log, "hello", LOG_TEXT("to", "you"));
	bool dropped = log_dropped(log) > 0;
	log_free(log);
	return !dropped || error_memory(err);
}

static void want_of_memory_drops_a_log_line_and_counts_it(void **state)
{
	faults_each(write_log, *state);
}

static bool read_key(void *context, struct error *err)
{
	(void)context;
	struct api_key *key = api_key_new("/dev/null", err);
	bool changed = false;
	struct error unusable = {0};
	if (key == NULL)
		return false;
	assert_false(api_key_refresh(key, &changed, &unusable));
	api_key_free(key);
	return true;
}

static void want_of_memory_makes_no_key(void **state)
{
	(void)state;
	faults_each(read_key, NULL);
}

/* A look-up ends with a reply or was never started; here nobody answers. */
static bool look_up(void *context, struct error *err)
{
	(void)context;
	const struct http_client_options options = {.base_url = "http://127.0.0.1:1",
		.connect_timeout_ms = 1000,
		.timeout_ms = 1000,
		.max_connections = 4};
	const struct http_request request = {.email = BYTES("a@b.org"),
		.traceparent = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")};
	struct http_client *client = http_client_new(&options, err);
	bool good = client != NULL && http_client_set_key(client, BYTES("key"), err) &&
		    http_client_start(client, &request, &client, err);
	void *tag = NULL;
	struct reply reply = {0};
	int64_t duration = 0;
	for (int i = 0; good && i < 100 && !http_client_take(client, &tag, &reply, &duration); i++)
		http_client_wait(client, INT64_MAX);
	if (good) {
		assert_ptr_equal(tag, &client);
		assert_int_not_equal(reply.transport, REPLY_HTTP);
	}
	http_client_free(client);
	return good;
}

static void want_of_memory_loses_no_look_up(void **state)
{
	(void)state;
	faults_each(look_up, NULL);
}

static bool answer(void *context, const char *path, struct status_answer *ret_answer)
{
	(void)context;
	(void)path;
	ret_answer->status = 200;
	ret_answer->content_type = "text/plain";
	buffer_append_text(&ret_answer->body, "fine\n");
	return true;
}

static bool serve_status(void *context, struct error *err)
{
	(void)context;
	struct status_server *server = status_server_new("127.0.0.1:0", answer, NULL, err);
	if (server == NULL)
		return false;
	char listen[32];
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", status_server_port(server));
	CLEANUP(buffer_fini) struct buffer body = {0};
	int status = 0;
	bool good = status_ask(listen, "/livez", 10000, &status, &body, err);
	if (good && !body.failed)
		assert_string_equal(buffer_text(&body), "fine\n");
	status_server_free(server);
	return good && (!body.failed || error_memory(err));
}

static void want_of_memory_answers_nothing_wrong(void **state)
{
	(void)state;
	faults_each(serve_status, NULL);
}

struct to_serve {
	struct settings *settings;
	struct log *log;
};

static bool serve(void *context, struct error *err)
{
	const struct to_serve *with = context;
	struct service *service = service_new(with->settings, &sources, with->log, err);
	faults_over();
	service_free(service);
	return service != NULL;
}

static void want_of_memory_lets_the_service_not_start(void **state)
{
	const int *null = *state;
	struct settings_report report;
	struct to_serve with = {
		.settings = settings_load(&sources, &report, NULL),
		.log = log_new(*null, LOG_LEVEL_ERROR, LOG_FORMAT_JSON, NULL),
	};
	settings_report_fini(&report);
	assert_non_null(with.settings);
	assert_non_null(with.log);
	service_block_signals();
	faults_each(serve, &with);
	log_free(with.log);
	settings_free(with.settings);
}

static int start(void **state)
{
	static int null = -1;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	*state = &null;
	/* The first to set libcurl up chooses the allocator for all. */
	bool set_up = curl_global_init_mem(CURL_GLOBAL_ALL, faults_malloc, faults_free,
			      faults_realloc, faults_strdup, faults_calloc) == CURLE_OK;
	return null >= 0 && set_up && http_client_library_init(NULL) ? 0 : -1;
}

static int stop(void **state)
{
	http_client_library_fini();
	curl_global_cleanup();
	return close(*(int *)*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_leaves_no_setting_out),
		cmocka_unit_test(want_of_memory_leaves_no_option_out),
		cmocka_unit_test(want_of_memory_drops_a_log_line_and_counts_it),
		cmocka_unit_test(want_of_memory_makes_no_key),
		cmocka_unit_test(want_of_memory_loses_no_look_up),
		cmocka_unit_test(want_of_memory_answers_nothing_wrong),
		cmocka_unit_test(want_of_memory_lets_the_service_not_start),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
