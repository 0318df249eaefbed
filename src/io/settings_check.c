#include "settings_check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

/* Text */

static bool is_visible(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (!isgraph((unsigned char)*c))
			return false;
	return true;
}

bool check_visible(const char *text, struct error *err)
{
	if (strlen(text) > 249 || !is_visible(text))
		return error_set(err, "must be at most 249 ASCII characters without spaces");
	return true;
}

static bool is_kafka_name(const char *text)
{
	size_t length = strlen(text);
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
			return false;
	return length > 0 && length <= 249 && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool check_topic(const char *text, struct error *err)
{
	if (!is_kafka_name(text))
		return error_set(
			err, "is no name of a topic: 1 to 249 letters, digits, '.', '_' or '-'");
	return true;
}

bool check_instance_id(const char *text, struct error *err)
{
	if (!is_kafka_name(text))
		return error_set(err, "must be 1 to 249 letters, digits, '.', '_' or '-'");
	return true;
}

bool check_mechanism(const char *text, struct error *err)
{
	static const char *const known[] = {
		"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"};
	for (size_t i = 0; i < array_length(known); i++)
		if (strcmp(known[i], text) == 0)
			return true;
	return error_set(err, "no such choice; allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
			      "OAUTHBEARER, GSSAPI");
}

bool check_forward_header(const char *text, struct error *err)
{
	struct bytes name = bytes_of_text(text);
	if (name.length > 256 || !is_visible(text))
		return error_set(
			err, "a header's name is at most 256 ASCII characters without spaces");
	if (strcasecmp(text, "content-type") == 0 || strncasecmp(text, "ce_", 3) == 0 ||
		strncasecmp(text, "care360-", 8) == 0)
		return error_set(err,
			"%s cannot be forwarded: results have content-type, ce_* and care360-* "
			"headers of their own",
			text);
	return true;
}

/* Addresses */

/* A decimal port from `low` to 65535 that ends where the text ends. */
static bool is_port(const char *text, long low)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return false;
	long port = strtol(text, NULL, 10);
	return port >= low && port <= 65535;
}

static bool is_ipv6(const char *text)
{
	struct in6_addr address;
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host_name(const char *text)
{
	size_t length = strlen(text);
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
			return false;
	return length > 0 && length <= 253 && text[0] != '.' && text[0] != '-';
}

bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return strcasecmp(host, "localhost") == 0;
}

#define HOST_SIZE 256

/*
 * Takes "host", "1.2.3.4" or "[::1]" apart from what follows it: the host without its brackets,
 * and the rest, such as ":9092". False where it is no host.
 */
static bool split_host(
	const char *text, size_t length, char ret_host[static HOST_SIZE], const char **ret_rest)
{
	bool bracket = length > 0 && text[0] == '[';
	const char *end = bracket ? memchr(text, ']', length) : memchr(text, ':', length);
	if (bracket && end == NULL)
		return false;
	const char *start = text + (bracket ? 1 : 0);
	size_t host_length = (size_t)((end == NULL ? text + length : end) - start);
	if (host_length >= HOST_SIZE)
		return false;
	char host[HOST_SIZE];
	memcpy(host, start, host_length);
	host[host_length] = '\0';
	if (bracket ? !is_ipv6(host) : !is_host_name(host))
		return false;
	memcpy(ret_host, host, host_length + 1);
	*ret_rest = end == NULL ? text + length : end + (bracket ? 1 : 0);
	return true;
}

static bool broker_valid(const char *broker, char ret_host[static HOST_SIZE])
{
	const char *rest = NULL;
	if (!split_host(broker, strlen(broker), ret_host, &rest))
		return false;
	return rest[0] == '\0' || (rest[0] == ':' && is_port(rest + 1, 1));
}

/*
 * Goes through "a:9092, b:9092". Returns the first broker that is malformed, or (`loopback`) the
 * first that is on another machine; NULL where there is none. The caller frees it.
 */
static char *first_bad_broker(const char *brokers, bool loopback)
{
	CLEANUP(free_pointer) char *copy = strdup(brokers);
	char *rest = copy;
	while (rest != NULL) {
		char *broker = strsep(&rest, ",");
		broker += strspn(broker, " ");
		char host[HOST_SIZE];
		bool valid = broker_valid(broker, host);
		if (loopback ? valid && !host_is_loopback(host) : !valid)
			return strdup(broker);
	}
	return NULL;
}

bool check_brokers(const char *text, struct error *err)
{
	CLEANUP(free_pointer) char *bad = first_bad_broker(text, false);
	if (bad != NULL)
		return error_set(err,
			"\"%s\" is no broker's address; write host:port,host:port (an IPv6 address "
			"in brackets)",
			bad);
	return true;
}

bool check_listen(const char *text, struct error *err)
{
	const char *port = strrchr(text, ':');
	char host[HOST_SIZE];
	const char *rest = NULL;
	struct in_addr v4;
	if (port == NULL || !is_port(port + 1, 0) || !split_host(text, strlen(text), host, &rest) ||
		rest != port || (text[0] != '[' && inet_pton(AF_INET, host, &v4) != 1))
		return error_set(err, "must be ADDRESS:PORT, such as 127.0.0.1:8080, or [::]:8080 "
				      "for all of this machine's addresses");
	return true;
}

/* The host of a URL whose scheme is gone. False where host, port or path is not as it must be. */
static bool split_authority(const char *text, bool path_allowed, char ret_host[static HOST_SIZE])
{
	size_t length = strcspn(text, "/");
	char authority[HOST_SIZE + 8];
	const char *rest = NULL;
	if (length >= sizeof(authority) ||
		(!path_allowed && text[length] != '\0' && strcmp(text + length, "/") != 0))
		return false;
	memcpy(authority, text, length);
	authority[length] = '\0';
	char host[HOST_SIZE];
	if (!split_host(authority, length, host, &rest) ||
		(rest[0] != '\0' && (rest[0] != ':' || !is_port(rest + 1, 1))))
		return false;
	memcpy(ret_host, host, sizeof(host));
	return true;
}

/* What follows http:// or https://; NULL for another scheme. */
static const char *skip_scheme(const char *url, bool *ret_plain)
{
	*ret_plain = strncasecmp(url, "http://", 7) == 0;
	if (*ret_plain)
		return url + 7;
	return strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

/* No text of the URL is in the errors: there might be a password in it. */
bool check_base_url(const char *text, struct error *err)
{
	bool plain = false;
	char host[HOST_SIZE];
	const char *rest = skip_scheme(text, &plain);
	if (rest == NULL)
		return error_set(err, "must begin with https:// (or http:// for tests)");
	if (strchr(rest, '@') != NULL)
		return error_set(err, "must not hold a user name or password");
	if (strpbrk(rest, "?#") != NULL)
		return error_set(err, "must end before the '?': the service adds the query");
	if (!is_visible(rest) || strchr(rest, '\\') != NULL || !split_authority(rest, true, host))
		return error_set(
			err, "is no valid address; write https://host or https://host:port/path");
	return true;
}

bool check_proxy(const char *text, struct error *err)
{
	bool plain = false;
	char host[HOST_SIZE];
	const char *rest = skip_scheme(text, &plain);
	const char *at = rest == NULL ? NULL : strrchr(rest, '@');
	if (rest == NULL || !is_visible(rest) || strpbrk(rest, "?#\\") != NULL ||
		!split_authority(at == NULL ? rest : at + 1, false, host))
		return error_set(err, "must be http://host:port or https://host:port, with "
				      "user:password@ before the host where the proxy wants them");
	return true;
}

/* Values against each other */

/* The place to change: of two that do not go together, the one that was given last. */
static struct setting_place later(struct setting_place a, struct setting_place b)
{
	if (a.origin != b.origin)
		return a.origin > b.origin ? a : b;
	return a.line > b.line ? a : b;
}

static struct setting_place place_of(
	const struct settings_store *store, const char *a, const char *b)
{
	return later(store_place(store, a), store_place(store, b));
}

static void check_topics(struct settings_store *store)
{
	const struct settings *settings = &store->settings;
	const struct text_list *requests = &settings->kafka.request_topics;
	for (size_t i = 0; i < requests->count; i++) {
		if (strcmp(requests->items[i], settings->kafka.result_topic) == 0)
			store_mistake(store,
				place_of(store, "kafka.request_topics", "kafka.result_topic"),
				"kafka.request_topics",
				"%s is kafka.result_topic too: the service would read its own "
				"results",
				requests->items[i]);
		if (strcmp(requests->items[i], settings->kafka.error_topic) == 0)
			store_mistake(store,
				place_of(store, "kafka.request_topics", "kafka.error_topic"),
				"kafka.request_topics",
				"%s is kafka.error_topic too: the service would read its own error "
				"events",
				requests->items[i]);
	}
}

static bool protocol_is_sasl(const struct settings *settings)
{
	return settings->kafka.security.protocol == SECURITY_SASL_PLAINTEXT ||
	       settings->kafka.security.protocol == SECURITY_SASL_SSL;
}

static void check_plaintext(struct settings_store *store)
{
	const struct settings *settings = &store->settings;
	int protocol = settings->kafka.security.protocol;
	if (settings->kafka.allow_plaintext ||
		(protocol != SECURITY_PLAINTEXT && protocol != SECURITY_SASL_PLAINTEXT))
		return;
	CLEANUP(free_pointer)
	char *broker = first_bad_broker(settings->kafka.brokers, true);
	if (broker == NULL)
		return;
	bool sasl = protocol_is_sasl(settings);
	store_mistake(store, place_of(store, "kafka.brokers", "kafka.security.protocol"),
		"kafka.brokers",
		"%s is another machine, and kafka.security.protocol %s would send patient data "
		"there unencrypted; use %s, or set kafka.allow_plaintext to true",
		broker, sasl ? "sasl_plaintext" : "plaintext", sasl ? "sasl_ssl" : "ssl");
}

/* A mistake where a setting is empty that this mechanism cannot do without. */
static void check_needed(struct settings_store *store, struct setting_place place, const char *name,
	const char *value, const char *mechanism)
{
	if (value[0] == '\0')
		store_mistake(store, place, name,
			"must be set where kafka.security.sasl_mechanism is %s", mechanism);
}

static void check_sasl(struct settings_store *store)
{
	const __typeof__(store->settings.kafka.security) *security =
		&store->settings.kafka.security;
	const char *mechanism = security->sasl_mechanism;
	struct setting_place place =
		place_of(store, "kafka.security.protocol", "kafka.security.sasl_mechanism");
	if (!protocol_is_sasl(&store->settings)) {
		if (mechanism[0] != '\0')
			store_warning(store, place, "kafka.security.sasl_mechanism",
				"is not used, since kafka.security.protocol is neither sasl_ssl "
				"nor sasl_plaintext");
		return;
	}
	if (mechanism[0] == '\0')
		store_mistake(store, place, "kafka.security.sasl_mechanism",
			"must be set where kafka.security.protocol is sasl_ssl or sasl_plaintext");
	if (mechanism[0] == '\0' || strcmp(mechanism, "GSSAPI") == 0)
		return;
	check_needed(store, place, "kafka.security.username", security->username, mechanism);
	if (strcmp(mechanism, "OAUTHBEARER") == 0)
		check_needed(store, place, "kafka.security.oauth_client_secret_file",
			security->oauth_client_secret_file, mechanism);
	else
		check_needed(store, place, "kafka.security.password_file", security->password_file,
			mechanism);
}

static void check_key_pair(struct settings_store *store)
{
	const __typeof__(store->settings.kafka.security) *security =
		&store->settings.kafka.security;
	struct setting_place place =
		place_of(store, "kafka.security.certificate_file", "kafka.security.key_file");
	if (security->certificate_file[0] != '\0' && security->key_file[0] == '\0')
		store_mistake(store, place, "kafka.security.key_file",
			"must be set where kafka.security.certificate_file is");
	if (security->certificate_file[0] == '\0' && security->key_file[0] != '\0')
		store_mistake(store, place, "kafka.security.certificate_file",
			"must be set where kafka.security.key_file is");
}

static void check_delivery(struct settings_store *store)
{
	const struct settings *settings = &store->settings;
	if (settings->kafka.delivery == DELIVERY_AT_LEAST_ONCE &&
		settings->kafka.transactional_id[0] != '\0')
		store_warning(store, place_of(store, "kafka.delivery", "kafka.transactional_id"),
			"kafka.transactional_id",
			"is not used: kafka.delivery is at_least_once, not exactly_once");
}

static void check_plain_http(struct settings_store *store)
{
	const struct settings *settings = &store->settings;
	bool plain = false;
	char host[HOST_SIZE];
	const char *rest = skip_scheme(settings->care360.base_url, &plain);
	if (rest == NULL || !plain || settings->care360.allow_plain_http ||
		!split_authority(rest, true, host) || host_is_loopback(host))
		return;
	store_mistake(store, store_place(store, "care360.base_url"), "care360.base_url",
		"http:// would send patient data and the API key to %s unencrypted; use https://, "
		"or set care360.allow_plain_http to true",
		host);
}

static void check_backoff(struct settings_store *store)
{
	const struct settings *settings = &store->settings;
	if (settings->retry.initial_backoff_ms > settings->retry.max_backoff_ms)
		store_mistake(store,
			place_of(store, "retry.initial_backoff_ms", "retry.max_backoff_ms"),
			"retry.initial_backoff_ms",
			"is %d, more than retry.max_backoff_ms, which is %d",
			settings->retry.initial_backoff_ms, settings->retry.max_backoff_ms);
}

/* A check, and the settings it reads. */
static const struct {
	void (*check)(struct settings_store *store);
	const char *settings[5];
} checks[] = {
	{check_topics, {"kafka.request_topics", "kafka.result_topic", "kafka.error_topic"}},
	{check_plaintext, {"kafka.brokers", "kafka.security.protocol", "kafka.allow_plaintext"}},
	{check_sasl, {"kafka.security.protocol", "kafka.security.sasl_mechanism",
			     "kafka.security.username", "kafka.security.password_file",
			     "kafka.security.oauth_client_secret_file"}},
	{check_key_pair, {"kafka.security.certificate_file", "kafka.security.key_file"}},
	{check_delivery, {"kafka.delivery", "kafka.transactional_id"}},
	{check_plain_http, {"care360.base_url", "care360.allow_plain_http"}},
	{check_backoff, {"retry.initial_backoff_ms", "retry.max_backoff_ms"}},
};

/* Of values that were refused nothing more can be said, nor of a file that nobody could read. */
void check_together(struct settings_store *store)
{
	for (size_t i = 0; i < array_length(checks) && !store->cut_short; i++) {
		bool refused = false;
		for (size_t j = 0; j < array_length(checks[i].settings); j++)
			refused = refused || (checks[i].settings[j] != NULL &&
						     store_refused(store, checks[i].settings[j]));
		if (!refused)
			checks[i].check(store);
	}
}
