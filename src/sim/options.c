#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/usage.h"

#define KEY_BYTES 4096

struct row {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none */
	bool (*set)(
		struct options *options, const char *name, const char *value, struct error *err);
	const char *help;
};

/* Changes the setting called as the option is, with underscores. */
static bool set_setting(
	struct options *options, const char *name, json_object *value, struct error *err)
{
	char setting[32] = "";
	json_object *change = json_object_new_object();

	for (size_t i = 0; i < sizeof(setting) - 1 && name[i] != '\0'; i++) {
		setting[i] = name[i];
		if (name[i] == '-')
			setting[i] = '_';
	}
	json_object_object_add(change, setting, value);
	bool done = settings_change(options->settings, change, err);
	json_object_put(change);
	return done;
}

static bool read_integer(const char *text, int64_t *ret_integer, struct error *err)
{
	char *end = NULL;

	errno = 0;
	long long integer = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || integer < 0)
		return error_set(err, "\"%s\" is no whole number from 0 on", text);
	*ret_integer = integer;
	return true;
}

static bool set_integer(
	struct options *options, const char *name, const char *value, struct error *err)
{
	int64_t integer = 0;

	return read_integer(value, &integer, err) &&
	       set_setting(options, name, json_object_new_int64(integer), err);
}

static bool set_latency(
	struct options *options, const char *name, const char *value, struct error *err)
{
	bool jitter = strcmp(name, "latency-jitter") == 0;
	return set_integer(options, jitter ? "latency-jitter-ms" : "latency-ms", value, err);
}

static bool set_text(
	struct options *options, const char *name, const char *value, struct error *err)
{
	return set_setting(options, name, json_object_new_string(value), err);
}

static bool set_flag(
	struct options *options, const char *name, const char *value, struct error *err)
{
	(void)value;
	return set_setting(options, name, json_object_new_boolean(true), err);
}

static bool set_key_file(
	struct options *options, const char *name, const char *value, struct error *err)
{
	char key[KEY_BYTES + 1] = "";
	FILE *file = fopen(value, "re");

	(void)name;
	if (file == NULL)
		return error_system(err, errno, "%s cannot be read", value);
	size_t length = fread(key, 1, KEY_BYTES, file);
	bool failed = ferror(file) != 0;
	fclose(file);
	if (failed)
		return error_set(err, "%s cannot be read", value);
	key[length] = '\0';
	key[strcspn(key, "\r\n")] = '\0';
	return set_text(options, "api-key", key, err);
}

static bool add_fault(
	struct options *options, const char *name, const char *value, struct error *err)
{
	(void)name;
	return faults_add_text(options->settings->faults, value, err);
}

static bool set_path(
	struct options *options, const char *name, const char *value, struct error *err)
{
	const struct {
		const char *name;
		const char **path;
	} paths[] = {
		{"listen", &options->listen},
		{"cases", &options->cases},
		{"record", &options->record},
		{"tls-certificate", &options->tls_certificate},
		{"tls-key", &options->tls_key},
	};

	if (value[0] == '\0')
		return error_set(err, "it is empty");
	for (size_t i = 0; i < array_length(paths); i++) {
		if (strcmp(paths[i].name, name) == 0)
			*paths[i].path = value;
	}
	return true;
}

static bool set_seed(
	struct options *options, const char *name, const char *value, struct error *err)
{
	int64_t seed = 0;

	(void)name;
	if (!read_integer(value, &seed, err))
		return false;
	options->seed = (uint64_t)seed;
	return true;
}

static bool set_help(
	struct options *options, const char *name, const char *value, struct error *err)
{
	(void)err;
	if (value != NULL)
		options->help_form = value;
	options->help = options->help || strcmp(name, "help") == 0;
	options->version = options->version || strcmp(name, "version") == 0;
	return true;
}

static const struct row rows[] = {
	{"listen", 0, "ADDR:PORT", set_path,
		"where to listen; port 0 is any that is free (127.0.0.1:0)"},
	{"api-key-file", 0, "FILE", set_key_file, "the API key is the first line of this file"},
	{"api-key", 0, "KEY", set_text, "the same, for all to see who can list processes"},
	{"cases", 0, "FILE", set_path,
		"JSON object: e-mail or phone number to case id, or null; others have none"},
	{"require-email", 0, NULL, set_flag, "a phone number alone is not enough"},
	{"latency", 0, "MS", set_latency, "time before every reply (0)"},
	{"latency-jitter", 0, "MS", set_latency, "up to so much more, at random (0)"},
	{"limit", 0, "N", set_integer,
		"requests a second; beyond them 429, at once (0: without limit)"},
	{"limit-burst", 0, "N", set_integer,
		"so many of them at once (a tenth of the limit, at least 1)"},
	{"limit-retry-after", 0, "TEXT", set_text, "the Retry-After header of such a 429 (none)"},
	{"fault", 0, "FAULT", add_fault, "misbehave; may be given again (see below)"},
	{"seed", 0, "N", set_seed, "chance repeats itself with the same number (1)"},
	{"record", 0, "FILE", set_path, "append a line of JSON for every request"},
	{"tls-certificate", 0, "FILE", set_path, "speak TLS, with this certificate (PEM)"},
	{"tls-key", 0, "FILE", set_path, "and its key (PEM)"},
	{"help", 'h', "[=FORM]", set_help,
		"show this; as man (a man page), bash or zsh (completion)"},
	{"version", 'V', NULL, set_help, "show the version"},
};

/* getopt returns this and the row's number for a long option, which no letter can be. */
#define LONG_BASE 256

static const struct row *find_row(int found)
{
	for (size_t i = 0; i < array_length(rows); i++) {
		if (found == LONG_BASE + (int)i || (found == rows[i].letter && found != 0))
			return &rows[i];
	}
	return NULL;
}

static int has_argument(const struct row *row)
{
	if (row->argument == NULL)
		return no_argument;
	return row->argument[0] == '[' ? optional_argument : required_argument;
}

static void fill_longs(struct option *longs)
{
	for (size_t i = 0; i < array_length(rows); i++)
		longs[i] = (struct option){
			rows[i].name, has_argument(&rows[i]), NULL, LONG_BASE + (int)i};
}

static bool check(const struct options *options, struct error *err)
{
	if (options->help || options->version)
		return true;
	if (options->settings->api_key == NULL)
		return error_set(err, "an API key is needed: --api-key-file FILE");
	if ((options->tls_certificate == NULL) != (options->tls_key == NULL))
		return error_set(err, "--tls-certificate and --tls-key go together");
	return true;
}

bool options_read(struct options *options, int count, char **arguments, struct error *err)
{
	struct option longs[array_length(rows) + 1] = {0};
	int found = 0;

	options->listen = "127.0.0.1:0";
	options->seed = 1;
	options->settings = settings_new(err);
	if (options->settings == NULL)
		return false;
	fill_longs(longs);
	opterr = 0;
	while ((found = getopt_long(count, arguments, ":hV", longs, NULL)) != -1) {
		if (found == ':')
			return error_set(err, "%s needs a value", arguments[optind - 1]);
		const struct row *row = find_row(found);
		if (row == NULL)
			return error_set(err, "there is no option %s", arguments[optind - 1]);
		if (!row->set(options, row->name, optarg, err))
			return error_prefix(err, "--%s", row->name);
	}
	if (optind < count)
		return error_set(err, "\"%s\" is no option", arguments[optind]);
	return check(options, err);
}

void options_fini(struct options *options)
{
	settings_free(options->settings);
	*options = (struct options){0};
}

static const char summary[] = "plays the Care360 API for tests and demonstrations";

static const char introduction[] =
	"Usage: care360-sim --api-key-file FILE [OPTIONS]\n"
	"\n"
	"Plays the Care360 API for tests and demonstrations: answers\n"
	"GET /api/v1/customer-latest-case-id as it is documented, and misbehaves on demand.\n"
	"Once it listens it says so in one line, and where; SIGTERM and SIGINT end it.\n"
	"\n"
	"Options:\n";

static const char cases_text[] =
	"Cases: without a file every customer has a case, with the id\n"
	"  SHA-256(EMAIL + \"\\n\" + PHONE), its first 16 bytes in lower hexadecimal, grouped\n"
	"  8-4-4-4-12, what is absent being empty. An e-mail that begins with \"nobody\" has "
	"none,\n"
	"  nor has a phone number without e-mail that begins with \"+000\".\n";

static const char fault_text[] =
	"A FAULT is NAME[=PERCENT][:KEY=VALUE...], such as status_503=30:retry_after=2 or\n"
	"  reset:match=poison@:count=5. A request gets at most one: percentages add up. Names:\n";

static const char control_text[] =
	"While it runs, on the same port, without a key:\n"
	"  GET    /_sim/settings  what is set\n"
	"  PUT    /_sim/settings  change what the JSON object names, all of it or nothing:\n"
	"                         api_key, latency_ms, latency_jitter_ms, limit, limit_burst,\n"
	"                         limit_retry_after, require_email, and faults: a list of texts "
	"as\n"
	"                         above or of objects such as {\"name\": \"hang\", \"percent\": "
	"5}\n"
	"  DELETE /_sim/faults    no faults any more\n"
	"  GET    /_sim/stats     requests, replies by kind, under way; completes the record "
	"first\n"
	"  DELETE /_sim/stats     count from nothing again\n";

static const char exit_status[] = "0 fine, 1 failed at run time, 2 wrong usage.";

static void append_help(struct buffer *help)
{
	buffer_append_text(help, introduction);
	for (size_t i = 0; i < array_length(rows); i++) {
		char name[64] = "";
		char letter[] = {'-', rows[i].letter, ',', ' ', '\0'};
		const char *argument = rows[i].argument == NULL ? "" : rows[i].argument;
		snprintf(name, sizeof(name), "%s--%s%s%s", rows[i].letter == 0 ? "    " : letter,
			rows[i].name, argument[0] == '[' ? "" : " ", argument);
		buffer_append_format(help, "  %-28s  %s\n", name, rows[i].help);
	}
	buffer_append_format(help, "\n%s\n%s", cases_text, fault_text);
	faults_help(help);
	buffer_append_format(help, "\n%s\nExit status: %s\n", control_text, exit_status);
}

static const char *form_value(size_t index)
{
	static const char *const forms[] = {"man", "bash", "zsh"};
	return index < array_length(forms) ? forms[index] : NULL;
}

/* Appends one of the forms made of the usage. */
static void append_usage(
	struct buffer *out, void (*append)(struct buffer *out, const struct usage *usage))
{
	CLEANUP(buffer_fini) struct buffer faults = {0};
	struct usage_option used[array_length(rows)];
	for (size_t i = 0; i < array_length(rows); i++)
		used[i] = (struct usage_option){
			rows[i].name, rows[i].letter, rows[i].argument, rows[i].help};
	buffer_append_text(&faults, fault_text);
	faults_help(&faults);
	const struct usage_values values[] = {
		{"FORM", form_value, ""},
		{"FAULT", fault_name, ""},
	};
	const struct usage_section sections[] = {
		{"CASES", cases_text, true},
		{"FAULTS", buffer_text(&faults), true},
		{"CONTROL", control_text, true},
		{"EXIT STATUS", exit_status, false},
	};
	append(out, &(struct usage){
			    .program = "care360-sim",
			    .summary = summary,
			    .arguments = "OPTIONS",
			    .options = used,
			    .option_count = array_length(rows),
			    .values = values,
			    .value_count = array_length(values),
			    .sections = sections,
			    .section_count = array_length(sections),
			    .see_also = "care360-lookup 1",
		    });
}

bool options_help(const struct options *options, struct error *err)
{
	CLEANUP(buffer_fini) struct buffer out = {0};
	const char *form = options->help_form;

	if (form == NULL)
		append_help(&out);
	else if (strcmp(form, "man") == 0)
		append_usage(&out, usage_append_manual);
	else if (strcmp(form, "bash") == 0)
		append_usage(&out, usage_append_bash);
	else if (strcmp(form, "zsh") == 0)
		append_usage(&out, usage_append_zsh);
	else
		return error_set(err,
			"--help=%s: there is no such form; those there are: man, bash, zsh", form);
	fputs(buffer_text(&out), stdout);
	return !out.failed || error_memory(err);
}
