#include "settings_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/spelling.h"
#include "io/settings.h"
#include "settings_check.h"

/* The place of a member, which does not compile where the member is not of the type. */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type stands without them */
#define AT(type, member)                                                                           \
	(offsetof(struct settings, member) +                                                       \
		0 * sizeof(_Generic(((struct settings *)0)->member, type                           \
				    : (char)0)))
/* NOLINTEND(bugprone-macro-parentheses) */

#define ROW(setting_type, c_type, member)                                                          \
	.name = #member, .type = (setting_type), .offset = AT(c_type, member)

#define TEXT(member)       ROW(SETTING_TEXT, char *, member)
#define LIST(member)       ROW(SETTING_LIST, struct text_list, member)
#define INTEGER(member)    ROW(SETTING_INTEGER, int, member)
#define INTEGER_64(member) ROW(SETTING_INTEGER_64, int64_t, member)
#define BOOLEAN(member)    ROW(SETTING_BOOLEAN, bool, member)
#define CHOICE(member)     ROW(SETTING_CHOICE, int, member)
#define PROPERTIES(member) ROW(SETTING_PROPERTIES, struct property_list, member)

#define RANGE(low, high) .minimum = (low), .maximum = (high)
#define MS               .unit = "ms"
#define ONE_OF(...)                                                                                \
	.choices = (const char *const[])                                                           \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define EMPTY      .default_text = "", .flags = SETTING_MAY_BE_EMPTY
#define RELOADABLE .flags = SETTING_RELOADABLE

const struct setting settings_table[] = {
	{TEXT(kafka.brokers), .default_text = "localhost:9092", .check = check_brokers,
		.meaning = "bootstrap servers, as host:port,host:port; one or two of the cluster's "
			   "are enough"},
	{TEXT(kafka.group_id), .default_text = "care360-lookup", .check = check_visible,
		.meaning = "consumer group; instances of one group share the partitions"},
	{LIST(kafka.request_topics), .default_text = "care360.lookup-requests",
		.check = check_topic,
		.meaning = "topics to consume; must not contain the next two"},
	{TEXT(kafka.result_topic), .default_text = "care360.lookup-results", .check = check_topic,
		.meaning = "where results go"},
	{TEXT(kafka.error_topic), EMPTY, .check = check_topic,
		.meaning = "where error events go; empty: kafka.result_topic"},
	{CHOICE(kafka.start_from), .default_text = "earliest", ONE_OF("earliest", "latest"),
		.meaning = "where to begin while the group has no offset yet"},
	{INTEGER(kafka.session_timeout_ms), .default_text = "10000", RANGE(1000, 1800000), MS,
		.meaning = "a dead instance's partitions are taken over after this long; brokers "
			   "refuse less than 6000 unless told otherwise"},
	{INTEGER(kafka.revoke_timeout_ms), .default_text = "10000", RANGE(0, 600000), MS,
		.meaning = "how long a rebalance waits for the drain of revoked partitions"},
	{INTEGER(kafka.commit_interval_ms), .default_text = "200", RANGE(1, 60000), MS,
		.meaning = "how often offsets are committed; what is acknowledged and not yet "
			   "committed is repeated after a crash"},
	{TEXT(kafka.instance_id), EMPTY, .check = check_instance_id,
		.meaning = "static membership: a name that survives a restart, one per instance; "
			   "empty: none"},
	{CHOICE(kafka.delivery), .default_text = "at_least_once",
		ONE_OF("at_least_once", "exactly_once"),
		.meaning =
			"exactly_once: results and offsets in one transaction, so that readers of "
			"committed data see each result once"},
	{TEXT(kafka.transactional_id), EMPTY, .check = check_visible,
		.meaning = "for exactly_once, one per instance; empty: group, host and a random "
			   "part, new at each start"},
	{INTEGER(kafka.transaction_interval_ms), .default_text = "100", RANGE(1, 5000), MS,
		.meaning = "for exactly_once: how often a transaction is committed; the broker "
			   "gives up a dead instance's after 10 s"},
	{CHOICE(kafka.security.protocol), .default_text = "plaintext",
		ONE_OF("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
		.meaning = "how brokers are reached"},
	{TEXT(kafka.security.ca_file), EMPTY,
		.meaning = "certificates of the authorities to trust (PEM); empty: the system's"},
	{TEXT(kafka.security.certificate_file), EMPTY,
		.meaning = "this client's certificate (PEM), for brokers that ask for one"},
	{TEXT(kafka.security.key_file), EMPTY,
		.meaning = "the private key of certificate_file (PEM)"},
	{TEXT(kafka.security.key_password_file), EMPTY,
		.meaning = "a file with the password of key_file"},
	{TEXT(kafka.security.sasl_mechanism), EMPTY, .check = check_mechanism,
		.meaning = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI; needed by "
			   "the sasl protocols"},
	{TEXT(kafka.security.username), EMPTY,
		.meaning = "user name of PLAIN and SCRAM; client ID of OAUTHBEARER"},
	{TEXT(kafka.security.password_file), EMPTY,
		.meaning = "a file with the password of PLAIN and SCRAM"},
	{TEXT(kafka.security.oauth_client_secret_file), EMPTY,
		.meaning = "a file with the client secret of OAUTHBEARER"},
	{BOOLEAN(kafka.allow_plaintext), .default_text = "false",
		.meaning = "true: patient data may go unencrypted to a broker that is not on this "
			   "machine"},
	{PROPERTIES(kafka.client), EMPTY,
		.meaning = "any other librdkafka property for consumer and producer, _ for ., such "
			   "as socket_keepalive_enable = true"},
	{PROPERTIES(kafka.consumer), EMPTY,
		.meaning = "librdkafka properties of the consumer alone"},
	{PROPERTIES(kafka.producer), EMPTY,
		.meaning = "librdkafka properties of the producer alone; partitioner defaults to "
			   "murmur2_random, as Java clients place keys"},

	{CHOICE(care360.environment), .default_text = "production", ONE_OF("production", "staging"),
		.meaning = "sets the API's address"},
	{TEXT(care360.base_url), EMPTY, .check = check_base_url,
		.meaning = "the API's address, instead of the environment's"},
	{BOOLEAN(care360.allow_plain_http), .default_text = "false",
		.meaning = "true: an http:// base_url may lie on another machine, and patient data "
			   "and the key go there unencrypted"},
	{TEXT(care360.api_key_file), .default_text = "/run/secrets/care360/api-key",
		.meaning = "a file with the organization's API key, read at start and whenever it "
			   "changes; no such file: CARE360_API_KEY in the environment"},
	{INTEGER(care360.connect_timeout_ms), .default_text = "2000", RANGE(1, 300000), MS,
		RELOADABLE, .meaning = "limit for connecting"},
	{INTEGER(care360.timeout_ms), .default_text = "10000", RANGE(1, 300000), MS, RELOADABLE,
		.meaning = "limit for one whole request"},
	{CHOICE(care360.http_version), .default_text = "http/1.1", ONE_OF("http/1.1", "h2"),
		.meaning = "h2 is HTTP/2, many requests on one connection"},
	{TEXT(care360.ca_file), EMPTY,
		.meaning = "certificates of the authorities to trust (PEM); empty: the system's"},
	{TEXT(care360.proxy), .default_text = "",
		.flags = SETTING_MAY_BE_EMPTY | SETTING_HIDES_PASSWORD, .check = check_proxy,
		.meaning = "http://host:port of a proxy; the proxies of the environment are never "
			   "used"},
	{BOOLEAN(care360.send_trace_context), .default_text = "true",
		.meaning = "a traceparent that fits the W3C grammar goes along to the API"},

	{INTEGER(lookup.workers), .default_text = "0", RANGE(0, 256),
		.meaning = "worker threads; 0: one per core that affinity and the cgroup's quota "
			   "allow, 4 at most"},
	{INTEGER(lookup.in_flight), .default_text = "256", RANGE(1, 65536), .unit = "requests",
		.meaning = "API requests under way at once in this process"},
	{CHOICE(lookup.ordering), .default_text = "key", ONE_OF("key", "partition", "none"),
		.meaning = "results keep the request order of a key (per topic and partition; no "
			   "key, no order), of a partition, or none"},
	{BOOLEAN(lookup.coalesce), .default_text = "true",
		.meaning = "waiting requests for the same customer share one API request, never "
			   "one already started"},
	{INTEGER(lookup.max_buffered_events), .default_text = "10000", RANGE(1, 10000000),
		.unit = "events",
		.meaning = "held at once; an event is buffered until its result is acknowledged; "
			   "full: consumption pauses"},
	{INTEGER_64(lookup.max_buffered_bytes), .default_text = "33554432",
		RANGE(1024, INT64_C(1099511627776)), .unit = "bytes",
		.meaning = "the same, counted in bytes"},
	{INTEGER(lookup.max_uncommitted_events), .default_text = "100000", RANGE(1, 100000000),
		.unit = "events",
		.meaning = "received above one partition's commit point; beyond it that partition "
			   "alone pauses"},
	{LIST(lookup.forward_headers), .default_text = "traceparent,tracestate",
		.flags = SETTING_MAY_BE_EMPTY, .check = check_forward_header,
		.meaning = "headers copied to the result, 4 KiB in all; content-type, ce_* and "
			   "care360-* are refused here"},
	{CHOICE(lookup.result_key), .default_text = "request", ONE_OF("request", "none"),
		.meaning = "the result's key: the request's, or none"},

	{INTEGER(retry.max_attempts), .default_text = "5", RANGE(1, 50), RELOADABLE,
		.meaning = "attempts that count, for one event; libcurl's own re-sends count"},
	{INTEGER(retry.initial_backoff_ms), .default_text = "100", RANGE(1, 300000), MS, RELOADABLE,
		.meaning = "pause before the second attempt; doubles, with full jitter"},
	{INTEGER(retry.max_backoff_ms), .default_text = "10000", RANGE(1, 300000), MS, RELOADABLE,
		.meaning = "the longest pause; Retry-After where longer, up to 5 minutes"},

	{INTEGER(limits.requests_per_second), .default_text = "0", RANGE(0, 1000000), RELOADABLE,
		.unit = "requests/s",
		.meaning = "of this process; 0: no limit; bursts of 100 ms' worth"},
	{BOOLEAN(limits.adaptive), .default_text = "true", RELOADABLE,
		.meaning = "fewer in flight, and fewer a second, while the API refuses; more again "
			   "as it recovers"},

	{INTEGER(breaker.failure_percent), .default_text = "50", RANGE(1, 100), .unit = "%",
		RELOADABLE,
		.meaning = "the line stops when this share of the window's requests failed"},
	{INTEGER(breaker.min_requests), .default_text = "50", RANGE(1, 1000000), .unit = "requests",
		RELOADABLE, .meaning = "with fewer in the window it does not stop"},
	{INTEGER(breaker.window_ms), .default_text = "10000", RANGE(100, 3600000), MS, RELOADABLE,
		.meaning = "how far back the window reaches"},
	{INTEGER(breaker.probe_interval_ms), .default_text = "5000", RANGE(10, 3600000), MS,
		RELOADABLE, .meaning = "how often a stopped line tries again"},

	{TEXT(server.listen), .default_text = "127.0.0.1:8080", .flags = SETTING_MAY_BE_EMPTY,
		.check = check_listen,
		.meaning =
			"address:port of the status page, health checks and metrics; empty: none"},
	{BOOLEAN(server.status_page), .default_text = "true",
		.meaning = "false: only /livez, /readyz and /metrics"},

	{INTEGER(shutdown.timeout_ms), .default_text = "25000", RANGE(0, 3600000), MS, RELOADABLE,
		.meaning = "how long a stop waits for what is under way"},

	{CHOICE(log.level), .default_text = "info", ONE_OF("debug", "info", "warn", "error"),
		RELOADABLE, .meaning = "lines below it are not written"},
	{CHOICE(log.format), .default_text = "auto", ONE_OF("auto", "text", "json"),
		.meaning = "auto: text on a terminal, json elsewhere"},
};

const size_t settings_table_length = array_length(settings_table);
_Static_assert(
	array_length(settings_table) <= SETTINGS_TABLE_MAX, "SETTINGS_TABLE_MAX is too small");

size_t setting_size(const struct setting *setting)
{
	switch (setting->type) {
	case SETTING_INTEGER:
	case SETTING_CHOICE:
		return sizeof(int);
	case SETTING_INTEGER_64:
		return sizeof(int64_t);
	case SETTING_BOOLEAN:
		return sizeof(bool);
	default:
		return 0;
	}
}

const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < settings_table_length; i++)
		if (strcmp(settings_table[i].name, name) == 0)
			return &settings_table[i];
	return NULL;
}

const char *settings_name(size_t index)
{
	for (size_t i = 0; i < settings_table_length; i++)
		if (settings_table[i].type != SETTING_PROPERTIES && index-- == 0)
			return settings_table[i].name;
	return NULL;
}

const struct setting *setting_find_group(const char *name, const char **ret_property)
{
	for (size_t i = 0; i < settings_table_length; i++) {
		const struct setting *setting = &settings_table[i];
		size_t length = strlen(setting->name);
		if (setting->type == SETTING_PROPERTIES &&
			strncmp(name, setting->name, length) == 0 && name[length] == '.' &&
			name[length + 1] != '\0') {
			*ret_property = name + length + 1;
			return setting;
		}
	}
	return NULL;
}

bool setting_group_exists(const char *group)
{
	size_t length = strlen(group);
	for (size_t i = 0; i < settings_table_length; i++)
		if (strncmp(settings_table[i].name, group, length) == 0 &&
			settings_table[i].name[length] == '.')
			return true;
	return false;
}

void setting_variable(const char *name, char ret_variable[static SETTINGS_NAME_MAX])
{
	snprintf(ret_variable, SETTINGS_NAME_MAX, "%s%s", SETTINGS_ENVIRONMENT_PREFIX, name);
	for (char *c = ret_variable; *c != '\0'; c++)
		*c = (char)(*c == '.' ? '_' : toupper((unsigned char)*c));
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot == NULL ? name : dot + 1;
}

/* How far a known name is from a wrong one: the right name in the wrong group is near, too. */
static size_t name_distance(const char *wrong, const char *known)
{
	size_t whole = spelling_distance(wrong, known);
	size_t last = spelling_distance(last_part(wrong), last_part(known));
	return last == SIZE_MAX ? whole : smaller(whole, 2 * last + 1);
}

/* A third of the letters may be wrong; beyond that a suggestion would be a guess. */
static size_t near_enough(const char *wrong)
{
	return spelling_near(last_part(wrong));
}

/* The groups themselves, for a group's name that is wrong. */
static const char *const group_names[] = {"kafka", "kafka.security", "care360", "lookup", "retry",
	"limits", "breaker", "server", "shutdown", "log"};

const char *setting_nearest(const char *name)
{
	const char *nearest = NULL;
	size_t nearest_distance = near_enough(name) + 1;
	for (size_t i = 0; i < settings_table_length; i++) {
		size_t distance = name_distance(name, settings_table[i].name);
		if (distance < nearest_distance) {
			nearest = settings_table[i].name;
			nearest_distance = distance;
		}
	}
	for (size_t i = 0; i < array_length(group_names); i++) {
		size_t distance = spelling_distance(name, group_names[i]);
		if (distance < nearest_distance) {
			nearest = group_names[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

const struct setting *setting_nearest_variable(const char *variable)
{
	const struct setting *nearest = NULL;
	size_t nearest_distance = 5;
	for (size_t i = 0; i < settings_table_length; i++) {
		char known[SETTINGS_NAME_MAX];
		setting_variable(settings_table[i].name, known);
		size_t distance = spelling_distance(variable, known);
		if (distance < nearest_distance) {
			nearest = &settings_table[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}
