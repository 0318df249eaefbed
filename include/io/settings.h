/*
 * Settings: everything that can be set, where each value came from, and what is wrong with it.
 *
 * It is the only module that knows libconfig. One table in settings_table.c is the source of all:
 * it names each setting with its type, default, range, unit and meaning; files, environment and
 * --set are read against it, and the reference, the commented file in config/ and `check --show`
 * are made from it. Later sources win: defaults, file, environment (CARE360_LOOKUP_KAFKA_BROKERS),
 * --set.
 *
 * A `struct settings` does not change once it is loaded, so any thread may read it.
 */
#ifndef IO_SETTINGS_H
#define IO_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"

enum start_from { START_FROM_EARLIEST, START_FROM_LATEST };
enum delivery_mode { DELIVERY_AT_LEAST_ONCE, DELIVERY_EXACTLY_ONCE };
enum environment { ENVIRONMENT_PRODUCTION, ENVIRONMENT_STAGING };
enum http_version { HTTP_VERSION_1_1, HTTP_VERSION_2 };
enum ordering { ORDERING_KEY, ORDERING_PARTITION, ORDERING_NONE };
enum result_key { RESULT_KEY_REQUEST, RESULT_KEY_NONE };
enum security_protocol {
	SECURITY_PLAINTEXT,
	SECURITY_SSL,
	SECURITY_SASL_PLAINTEXT,
	SECURITY_SASL_SSL
};

/* A list of texts. */
struct text_list {
	char **items;
	size_t count;
};

/* A librdkafka property set by the user, its name with dots. */
struct property {
	char *name;
	char *value;
};

struct property_list {
	struct property *items;
	size_t count;
};

/* Texts are never NULL: "" where nothing is set. Names are those of the contract's section 2. */
struct settings {
	struct {
		char *brokers;
		char *group_id;
		struct text_list request_topics;
		char *result_topic;
		char *error_topic; /* "": result_topic */
		int start_from;    /* enum start_from */
		int session_timeout_ms;
		int revoke_timeout_ms;
		int commit_interval_ms;
		char *instance_id;
		int delivery; /* enum delivery_mode */
		char *transactional_id;
		int transaction_interval_ms;
		struct {
			int protocol; /* enum security_protocol */
			char *ca_file;
			char *certificate_file;
			char *key_file;
			char *key_password_file;
			char *sasl_mechanism;
			char *username;
			char *password_file;
			char *oauth_client_secret_file;
		} security;
		bool allow_plaintext;
		struct property_list client;
		struct property_list consumer;
		struct property_list producer;
	} kafka;
	struct {
		int environment; /* enum environment */
		char *base_url;
		bool allow_plain_http;
		char *api_key_file;
		int connect_timeout_ms;
		int timeout_ms;
		int http_version; /* enum http_version */
		char *ca_file;
		char *proxy;
		bool send_trace_context;
	} care360;
	struct {
		int workers;
		int in_flight;
		int ordering; /* enum ordering */
		bool coalesce;
		int max_buffered_events;
		int64_t max_buffered_bytes;
		int max_uncommitted_events;
		struct text_list forward_headers;
		int result_key; /* enum result_key */
	} lookup;
	struct {
		int max_attempts;
		int initial_backoff_ms;
		int max_backoff_ms;
	} retry;
	struct {
		int requests_per_second;
		bool adaptive;
	} limits;
	struct {
		int failure_percent;
		int min_requests;
		int window_ms;
		int probe_interval_ms;
	} breaker;
	struct {
		char *listen;
		bool status_page;
	} server;
	struct {
		int timeout_ms;
	} shutdown;
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
	} log;
};

/* Where to read settings from. */
struct settings_sources {
	const char *file;         /* NULL: no file */
	bool file_may_be_missing; /* it is the default one, not one that the user named */
	const char *const
		*environment; /* as `environ`: "NAME=VALUE" texts, NULL at the end; NULL: none */
	const char *const *assignments; /* of --set: "kafka.brokers=a:9092" texts */
	size_t assignment_count;
};

/* What was found wrong, or odd, while loading, in the order of the sources. */
struct settings_finding {
	bool warning; /* false: a mistake, and the settings cannot be used */
	char *text;   /* "care360-lookup.cfg:12: kafka.broker: no such setting; did you mean
			 kafka.brokers?" */
};

struct settings_report {
	struct settings_finding *findings;
	size_t count;
};

/*
 * Reads all sources and checks every value by itself and against the others. All mistakes are found
 * in one go, not just the first. NULL where there was a mistake (`ret_report` names each) or memory
 * ran out (err). ret_report is always set, and ended by settings_report_fini().
 */
struct settings *settings_load(const struct settings_sources *sources,
	struct settings_report *ret_report, struct error *err);
void settings_free(struct settings *settings);
void settings_report_fini(struct settings_report *report);

/* The API's address that is in effect: care360.base_url, or that of the environment. */
const char *settings_base_url(const struct settings *settings);

/* A setting whose value is another than before. Texts are valid during the call. */
struct settings_change {
	const char *name;
	bool reloadable;   /* it can change while the service runs */
	const char *from;  /* as the file has it; a password in it is masked */
	const char *to;    /* the same */
	const char *place; /* where the new value comes from: "care360-lookup.cfg:12" */
};

typedef void settings_change_fn(void *context, const struct settings_change *change);

/* Calls `found` for each setting that differs, in the order of the table. `after` was loaded. */
void settings_compare(const struct settings *before, const struct settings *after,
	settings_change_fn *found, void *context);

/*
 * Takes over from `fresh` the values of all settings that can change while the service runs, and no
 * other. None of them is a text, so `settings` may be a copy of loaded ones that owns nothing.
 */
void settings_take_reloadable(struct settings *settings, const struct settings *fresh);

/* Writes every setting in effect, its unit, where it came from, and "reloadable" where SIGHUP
 * changes it; secrets are masked. */
void settings_show(const struct settings *settings, FILE *out);

/* Writes the commented configuration file with every setting at its default:
 * config/care360-lookup.cfg. */
void settings_write_example(FILE *out);

/* Writes the reference of all settings as a Markdown table. */
void settings_write_reference(FILE *out);

/* Appends the man page of the configuration file, care360-lookup.cfg(5). */
void settings_append_manual(struct buffer *out);

/* The names that --set takes, but for librdkafka's properties: NULL after the last. */
const char *settings_name(size_t index);

#endif
