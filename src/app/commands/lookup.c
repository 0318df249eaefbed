/* `lookup`: one look-up from the terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_client.h"
#include "app/api_key.h"
#include "app/commands.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/event.h"
#include "core/json.h"
#include "core/reply.h"
#include "core/request.h"
#include "core/result.h"
#include "core/retry.h"
#include "io/http_client.h"
#include "process.h"

#define PROGRAM "care360-lookup: "

/* Nobody waits longer at a terminal because a Retry-After asks for it. */
#define LONGEST_WAIT_NS (30 * NS_PER_S)

const struct command_option command_lookup_options[] = {
	{"email", "ADDRESS", "the customer's e-mail address; - reads it from standard input"},
	{"phone", "NUMBER", "the customer's phone number; - reads it from standard input"},
	{"verbose", NULL, "show requests, with the key masked, and replies on standard error"},
	{0},
};

/* What a look-up works with, all of it owned. */
struct job {
	const struct command_line *line;
	struct buffer email; /* empty: none */
	struct buffer phone;
	struct settings *settings;
	struct api_key *key;
	struct http_client *client;
	struct json_reader *reader;
	struct random random;
	bool library;
	unsigned attempts;
};

static void job_fini(struct job *job)
{
	buffer_fini(&job->email);
	buffer_fini(&job->phone);
	json_reader_free(job->reader);
	http_client_free(job->client);
	api_key_free(job->key);
	settings_free(job->settings);
	if (job->library)
		http_client_library_fini();
}

/* Whom to look for */

static bool read_line(struct buffer *text, struct error *err)
{
	char part[256];
	bool ended = false;
	while (!ended && text->length <= REQUEST_IDENTITY_MAX &&
		fgets(part, sizeof(part), stdin) != NULL) {
		size_t length = strcspn(part, "\r\n");
		ended = part[length] != '\0';
		buffer_append(text, part, length);
	}
	if (ferror(stdin) != 0)
		return error_system(err, errno, "standard input cannot be read");
	return true;
}

static bool read_identity(
	const struct command_line *line, const char *name, struct buffer *text, struct error *err)
{
	const char *value = command_value(line, name);
	if (value == NULL)
		return true;
	if (strcmp(value, "-") != 0)
		buffer_append_text(text, value);
	else if (!read_line(text, err))
		return false;
	if (text->failed)
		return error_memory(err);
	struct bytes bytes = buffer_bytes(text);
	if (bytes.length == 0)
		return error_set(err, "--%s: is empty", name);
	if (bytes.length > REQUEST_IDENTITY_MAX)
		return error_set(err, "--%s: is longer than %d bytes", name, REQUEST_IDENTITY_MAX);
	if (!json_is_utf8(bytes) || json_has_control(bytes))
		return error_set(err, "--%s: must be UTF-8 text without control characters", name);
	return true;
}

static bool is_standard_input(const char *value)
{
	return value != NULL && strcmp(value, "-") == 0;
}

static bool read_customer(struct job *job, struct error *err)
{
	const char *email = command_value(job->line, "email");
	const char *phone = command_value(job->line, "phone");
	if (email == NULL && phone == NULL)
		return error_set(err, "--email ADDRESS, --phone NUMBER or both are needed");
	if (is_standard_input(email) && is_standard_input(phone))
		return error_set(
			err, "only one of --email and --phone can come from standard input");
	return read_identity(job->line, "email", &job->email, err) &&
	       read_identity(job->line, "phone", &job->phone, err);
}

/* Asking */

static bool prepare(struct job *job, struct error *err)
{
	const struct settings *settings = job->settings;
	bool changed = false;
	job->library = http_client_library_init(err);
	if (!job->library)
		return false;
	struct http_client_options options = api_client_options(settings, 1);
	job->client = http_client_new(&options, err);
	if (job->client == NULL)
		return false;
	job->reader = json_reader_new(REPLY_JSON_DEPTH, err);
	job->key = api_key_new(settings->care360.api_key_file, err);
	job->random.state = (uint64_t)clock_monotonic_ns();
	return job->reader != NULL && job->key != NULL &&
	       api_key_refresh(job->key, &changed, err) &&
	       http_client_set_key(job->client, api_key_bytes(job->key), err);
}

static void show_request(const struct job *job, const struct http_request *request)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	http_client_describe(job->client, request, &text);
	fputs(buffer_text(&text), stderr);
}

/* Sends one request and waits for its reply, which is valid until the client is used again. */
static bool ask(struct job *job, struct reply *ret_reply, struct error *err)
{
	bool verbose = command_flag(job->line, "verbose");
	struct http_request request = {0};
	if (job->email.length > 0)
		request.email = buffer_bytes(&job->email);
	if (job->phone.length > 0)
		request.phone = buffer_bytes(&job->phone);
	if (verbose)
		show_request(job, &request);
	if (!http_client_start(job->client, &request, job, err))
		return false;
	void *tag = NULL;
	int64_t duration_ns = 0;
	while (!http_client_take(job->client, &tag, ret_reply, &duration_ns))
		http_client_wait(job->client, TIME_NEVER);
	if (verbose) {
		char text[64];
		reply_describe(ret_reply, text, sizeof(text));
		fprintf(stderr, "after %lld ms: ", (long long)(duration_ns / NS_PER_MS));
		if (ret_reply->transport == REPLY_HTTP)
			fprintf(stderr, "HTTP %d\n", ret_reply->status);
		else
			fprintf(stderr, "%s\n", text);
	}
	return true;
}

/* Waits before the next attempt. False where there is none. */
static bool wait_for_next(struct job *job, unsigned tries, const struct reply *reply,
	const struct verdict *verdict, struct error *err)
{
	const struct settings *settings = job->settings;
	char text[64];
	reply_describe(reply, text, sizeof(text));
	int64_t asked_ns = verdict->kind == VERDICT_REFUSED
				   ? retry_after_parse(reply->retry_after, clock_wall_ms())
				   : 0;
	int64_t wait_ns =
		retry_backoff(&job->random, tries, settings->retry.initial_backoff_ms * NS_PER_MS,
			settings->retry.max_backoff_ms * NS_PER_MS);
	if (asked_ns > LONGEST_WAIT_NS)
		return error_set(err, "the API asks to wait for %lld s (%s); try again then",
			(long long)(asked_ns / NS_PER_S), text);
	if (tries >= (unsigned)settings->retry.max_attempts)
		return error_set(err, "no answer from %s after %u attempts; the last: %s",
			settings_base_url(settings), tries, text);
	if (asked_ns > wait_ns)
		wait_ns = asked_ns;
	fprintf(stderr, PROGRAM "attempt %u of %d: %s; again in %lld ms\n", tries,
		settings->retry.max_attempts, text, (long long)(wait_ns / NS_PER_MS));
	clock_sleep_until(clock_monotonic_ns() + wait_ns);
	return true;
}

/* Asks until there is a documented reply. False and err where there is none to be had. */
static bool look_up(struct job *job, struct outcome *ret_outcome, struct error *err)
{
	for (unsigned tries = 1;; tries++) {
		struct reply reply = {0};
		struct verdict verdict = {0};
		if (!ask(job, &reply, err))
			return false;
		reply_classify(&reply, job->reader, &verdict);
		job->attempts += verdict.kind != VERDICT_REFUSED;
		switch (verdict.kind) {
		case VERDICT_FOUND:
		case VERDICT_ANSWERED:
			*ret_outcome = (struct outcome){.reason = verdict.reason,
				.case_id = verdict.kind == VERDICT_FOUND ? strdup(verdict.case_id)
									 : NULL,
				.message = verdict.message,
				.http_status = reply.status,
				.documented_code = verdict.documented_code,
				.attempts = job->attempts};
			return verdict.kind != VERDICT_FOUND || ret_outcome->case_id != NULL ||
			       error_memory(err);
		case VERDICT_CREDENTIALS:
			return error_set(err,
				"%s refuses the API key (HTTP %d); it is read from "
				"care360.api_key_file, %s, or else CARE360_API_KEY",
				settings_base_url(job->settings), reply.status,
				job->settings->care360.api_key_file);
		case VERDICT_ENDPOINT:
			return error_set(err,
				"%s answers with HTTP %d: this is not the Care360 API, or the key "
				"has no right to it; look at care360.base_url",
				settings_base_url(job->settings), reply.status);
		case VERDICT_FAILED:
		case VERDICT_REFUSED:
			if (!wait_for_next(job, tries, &reply, &verdict, err))
				return false;
		}
	}
}

/* The answer */

static void free_event(struct event **event)
{
	event_free(*event);
}

static void free_encoder(struct result_encoder **encoder)
{
	result_encoder_free(*encoder);
}

/* Prints the result as the service would publish it, without `request`: there is no record. */
static int print_result(struct job *job, struct outcome outcome, struct error *err)
{
	struct record record = {.timestamp_ms = -1};
	struct result_options options = {.group_id = job->settings->kafka.group_id};
	struct result result;
	CLEANUP(free_event) struct event *event = event_new(&record, NULL, 0, err);
	if (event == NULL) {
		free(outcome.case_id);
		return EXIT_FAILED;
	}
	event->outcome = outcome;
	CLEANUP(free_encoder) struct result_encoder *encoder = result_encoder_new(&options, err);
	if (encoder == NULL ||
		!result_encode(encoder, event, RESULT_BARE, clock_wall_ms(), &result, err))
		return EXIT_FAILED;
	printf("%.*s\n", (int)result.value.length, result.value.data);
	if (outcome.reason == REASON_CASE_NOT_FOUND)
		return EXIT_NO_CASE;
	if (outcome.reason != REASON_NONE)
		error_set(err, "the API has no answer: %s", outcome.message);
	return outcome.reason == REASON_NONE ? EXIT_FINE : EXIT_FAILED;
}

int command_lookup(const struct command_line *line)
{
	CLEANUP(job_fini) struct job job = {.line = line};
	struct error err = {0};
	process_keep_memory_private();
	if (!read_customer(&job, &err)) {
		fprintf(stderr, PROGRAM "lookup: %s\n", err.text);
		return EXIT_WRONG_USAGE;
	}
	job.settings = command_settings(line);
	if (job.settings == NULL)
		return EXIT_WRONG_USAGE;
	struct outcome outcome = {0};
	int status = EXIT_FAILED;
	if (prepare(&job, &err) && look_up(&job, &outcome, &err))
		status = print_result(&job, outcome, &err);
	if (status == EXIT_FAILED)
		fprintf(stderr, PROGRAM "%s\n", err.text);
	return status;
}
