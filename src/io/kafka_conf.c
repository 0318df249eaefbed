#include "kafka_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"

/* "kafka.consumer.fetch_min_bytes" */
static void write_name(char *text, size_t size, const char *group, const char *property)
{
	int used = snprintf(text, size, "kafka.%s.", group);
	for (const char *c = property; *c != '\0' && (size_t)used + 1 < size; c++)
		text[used++] = (char)(*c == '.' ? '_' : *c);
	text[used] = '\0';
}

/* Sets what the user wrote. io/settings has refused what is not for the user to set. */
static bool set_group(rd_kafka_conf_t *conf, const char *group,
	const struct property_list *properties, struct error *err)
{
	for (size_t i = 0; i < properties->count; i++) {
		const struct property *property = &properties->items[i];
		char name[256];
		write_name(name, sizeof(name), group, property->name);
		char text[512];
		switch (rd_kafka_conf_set(
			conf, property->name, property->value, text, sizeof(text))) {
		case RD_KAFKA_CONF_UNKNOWN:
			return error_set(err, "%s: no such configuration property", name);
		case RD_KAFKA_CONF_INVALID:
			return error_set(err, "%s: %s", name, text);
		case RD_KAFKA_CONF_OK:
			break;
		}
	}
	return true;
}

/* Sets what one of our own settings stands for. */
static bool set(rd_kafka_conf_t *conf, const char *setting, const char *property, const char *value,
	struct error *err)
{
	char text[512];
	if (rd_kafka_conf_set(conf, property, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		return error_set(err, "%s: %s", setting, text);
	return true;
}

/* The same, where an empty setting stands for nothing. */
static bool set_text(rd_kafka_conf_t *conf, const char *setting, const char *property,
	const char *value, struct error *err)
{
	return value[0] == '\0' || set(conf, setting, property, value, err);
}

/* The same for the path of a file, which must be there to be read. */
static bool set_file(rd_kafka_conf_t *conf, const char *setting, const char *property,
	const char *path, struct error *err)
{
	if (path[0] != '\0' && access(path, R_OK) != 0)
		return error_system(err, errno, "%s: %s", setting, path);
	return set_text(conf, setting, property, path, err);
}

static bool set_int(rd_kafka_conf_t *conf, const char *setting, const char *property, int value,
	struct error *err)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", value);
	return set(conf, setting, property, text, err);
}

struct preset {
	const char *property;
	const char *value;
};

/* Sets values of ours. Some versions do not know a property yet, and don't need it. */
static bool set_presets(
	rd_kafka_conf_t *conf, const struct preset *presets, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		char text[512];
		if (rd_kafka_conf_set(conf, presets[i].property, presets[i].value, text,
			    sizeof(text)) == RD_KAFKA_CONF_INVALID)
			return error_set(err, "librdkafka does not take %s=%s: %s",
				presets[i].property, presets[i].value, text);
	}
	return true;
}

/* The secret in a file, without the line break at its end; remembered, so that no report shows it.
 */
static const char *read_secret(
	struct kafka_link *link, const char *setting, const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		error_system(err, errno, "%s: %s", setting, path);
		return NULL;
	}
	char text[65536];
	size_t length = fread(text, 1, sizeof(text), file);
	bool failed = ferror(file) != 0;
	fclose(file);
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	if (failed || length == 0 || length == sizeof(text) || memchr(text, '\0', length) != NULL) {
		error_set(err, "%s: %s: %s", setting, path,
			failed ? "cannot be read" : "does not hold one secret");
		return NULL;
	}
	char *secret = strndup(text, length);
	explicit_bzero(text, sizeof(text));
	if (secret == NULL)
		error_memory(err);
	else
		link->secrets[link->secret_count++] = secret;
	return secret;
}

static bool set_secret(rd_kafka_conf_t *conf, struct kafka_link *link, const char *setting,
	const char *property, const char *path, struct error *err)
{
	if (path[0] == '\0')
		return true;
	const char *secret = read_secret(link, setting, path, err);
	return secret != NULL && set(conf, setting, property, secret, err);
}

static bool set_security(rd_kafka_conf_t *conf, const struct settings *settings,
	struct kafka_link *link, struct error *err)
{
	static const char *const protocols[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
	const __typeof__(settings->kafka.security) *security = &settings->kafka.security;
	bool oauth = security->oauth_client_secret_file[0] != '\0';
	return set(conf, "kafka.security.protocol", "security.protocol",
		       protocols[security->protocol], err) &&
	       set_file(
		       conf, "kafka.security.ca_file", "ssl.ca.location", security->ca_file, err) &&
	       set_file(conf, "kafka.security.certificate_file", "ssl.certificate.location",
		       security->certificate_file, err) &&
	       set_file(conf, "kafka.security.key_file", "ssl.key.location", security->key_file,
		       err) &&
	       set_secret(conf, link, "kafka.security.key_password_file", "ssl.key.password",
		       security->key_password_file, err) &&
	       set_text(conf, "kafka.security.sasl_mechanism", "sasl.mechanism",
		       security->sasl_mechanism, err) &&
	       set_text(conf, "kafka.security.username",
		       oauth ? "sasl.oauthbearer.client.id" : "sasl.username", security->username,
		       err) &&
	       set_secret(conf, link, "kafka.security.password_file", "sasl.password",
		       security->password_file, err) &&
	       (!oauth || set(conf, "kafka.security.oauth_client_secret_file",
				  "sasl.oauthbearer.method", "oidc", err)) &&
	       set_secret(conf, link, "kafka.security.oauth_client_secret_file",
		       "sasl.oauthbearer.client.secret", security->oauth_client_secret_file, err);
}

/*
 * Both clients. Topics are never created. What is missing is looked for every 5 s, and a broker
 * that was away is tried again within 2 s. Brokers don't collect our metrics unless the user wants
 * it: that code was at fault twice.
 */
static const struct preset common_presets[] = {
	{"client.id", "care360-lookup"},
	{"allow.auto.create.topics", "false"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{"reconnect.backoff.max.ms", "2000"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"log.thread.name", "false"},
	{"log.connection.close", "false"},
	{"enable.metrics.push", "false"},
};

/*
 * The assignor is the same for every version, so that old and new instances can be in one group.
 * The queue is small, and so is what one fetch adds to it: all of it is memory, and what waits here
 * is fetched again after a pause. A larger record is fetched all the same. Where the log begins
 * after the committed offset, the consumer goes on at its beginning; where the group has no offset
 * yet, consumer_group.c does as kafka.start_from says.
 */
static const struct preset consumer_presets[] = {
	{"partition.assignment.strategy", "range,roundrobin"},
	{"isolation.level", "read_committed"},
	{"queued.min.messages", "2000"},
	{"queued.max.messages.kbytes", "8192"},
	{"fetch.max.bytes", "1048576"},
	{"max.partition.fetch.bytes", "131072"},
	{"fetch.queue.backoff.ms", "5"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "earliest"},
	{"enable.partition.eof", "false"},
};

/*
 * Nothing expires: a record waits as long as no broker is there. A millisecond of linger gathers
 * batches where there is much to send, and costs little where there is not. A broker refuses a
 * batch that is larger than the topic takes, with all its records, so batches are kept well below
 * what topics are set to; a larger record goes alone. How large a record may be is the topic's to
 * say. Keys are placed as Java clients place them.
 */
static const struct preset producer_presets[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	{"message.timeout.ms", "0"},
	{"partitioner", "murmur2_random"},
	{"linger.ms", "1"},
	{"batch.size", "65536"},
	{"message.max.bytes", "16777216"},
	{"queue.buffering.max.kbytes", "32768"},
	{"topic.metadata.propagation.max.ms", "2000"},
};

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

static bool set_consumer(rd_kafka_conf_t *conf, const struct settings *settings, struct error *err)
{
	int session_ms = settings->kafka.session_timeout_ms;
	int heartbeat_ms = session_ms / 3 < 3000 ? max_int(session_ms / 3, 1) : 3000;
	/*
	 * How long a member may not poll. The only thing that keeps the polling thread is the drain
	 * of what is revoked; others wait for it, so the limit is not far above.
	 */
	int poll_ms =
		max_int(max_int(60000, session_ms), 2 * settings->kafka.revoke_timeout_ms + 20000);
	return set_presets(conf, consumer_presets, array_length(consumer_presets), err) &&
	       set_int(conf, "kafka.session_timeout_ms", "heartbeat.interval.ms", heartbeat_ms,
		       err) &&
	       set_int(conf, "kafka.revoke_timeout_ms", "max.poll.interval.ms", poll_ms, err) &&
	       set_group(conf, "client", &settings->kafka.client, err) &&
	       set_group(conf, "consumer", &settings->kafka.consumer, err) &&
	       set(conf, "kafka.group_id", "group.id", settings->kafka.group_id, err) &&
	       set_text(conf, "kafka.instance_id", "group.instance.id", settings->kafka.instance_id,
		       err) &&
	       set_int(conf, "kafka.session_timeout_ms", "session.timeout.ms", session_ms, err);
}

/*
 * In no group. It reads up to the end and not beyond, so that the end is told, and no broker waits
 * for more to come while it wants to read elsewhere. The log may begin later than what it asked
 * for, which is then gone.
 */
static const struct preset reader_presets[] = {
	{"enable.partition.eof", "true"},
	{"fetch.wait.max.ms", "10"},
	{"auto.offset.reset", "earliest"},
};

static bool set_reader(rd_kafka_conf_t *conf, const struct settings *settings, struct error *err)
{
	return set_presets(conf, consumer_presets, array_length(consumer_presets), err) &&
	       set_group(conf, "client", &settings->kafka.client, err) &&
	       set_group(conf, "consumer", &settings->kafka.consumer, err) &&
	       set_presets(conf, reader_presets, array_length(reader_presets), err);
}

/*
 * The id is of this process alone, unless the user has one for it: an instance that starts must not
 * wait for what a dead one left, and needs not, since offsets are part of transactions. The broker
 * gives up a dead instance's transaction soon, for until then nobody reads the offsets that it may
 * commit.
 */
bool kafka_conf_add_transactions(
	rd_kafka_conf_t *conf, const struct settings *settings, struct error *err)
{
	char host[HOST_NAME_MAX + 1] = "";
	char id[1024];
	uint64_t random = 0;
	if (gethostname(host, sizeof(host) - 1) != 0 ||
		getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_system(err, errno, "kafka.transactional_id cannot be made up");
	snprintf(id, sizeof(id), "%s-%s-%016" PRIx64, settings->kafka.group_id, host, random);
	const char *own = settings->kafka.transactional_id;
	return set(conf, "kafka.transactional_id", "transactional.id", own[0] != '\0' ? own : id,
		       err) &&
	       set(conf, "kafka.delivery", "transaction.timeout.ms", "10000", err);
}

static bool set_producer(rd_kafka_conf_t *conf, const struct settings *settings, struct error *err)
{
	return set_presets(conf, producer_presets, array_length(producer_presets), err) &&
	       set_group(conf, "client", &settings->kafka.client, err) &&
	       set_group(conf, "producer", &settings->kafka.producer, err);
}

static bool set_role(rd_kafka_conf_t *conf, const struct settings *settings, enum kafka_role role,
	struct error *err)
{
	switch (role) {
	case KAFKA_CONSUMER:
		return set_consumer(conf, settings, err);
	case KAFKA_PRODUCER:
		return set_producer(conf, settings, err);
	case KAFKA_READER:
		break;
	}
	return set_reader(conf, settings, err);
}

static bool check_strategy(const rd_kafka_conf_t *conf, struct error *err)
{
	char strategy[256] = "";
	size_t size = sizeof(strategy);
	if (rd_kafka_conf_get(conf, "partition.assignment.strategy", strategy, &size) !=
		RD_KAFKA_CONF_OK)
		return true;
	return kafka_version_check(rd_kafka_version(), strategy, err);
}

static void destroy_conf(rd_kafka_conf_t **conf)
{
	if (*conf != NULL)
		rd_kafka_conf_destroy(*conf);
}

rd_kafka_conf_t *kafka_conf_new(const struct settings *settings, enum kafka_role role,
	struct kafka_link *link, struct error *err)
{
	CLEANUP(destroy_conf) rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (!set_presets(conf, common_presets, array_length(common_presets), err))
		return NULL;
	if (!set_role(conf, settings, role, err))
		return NULL;
	if (!set(conf, "kafka.brokers", "bootstrap.servers", settings->kafka.brokers, err) ||
		!set_security(conf, settings, link, err) || !check_strategy(conf, err))
		return NULL;
	kafka_link_attach(link, conf);
	return take_pointer(conf);
}

/* librdkafka's properties that it looks at only now, by the settings that they come from. */
static const struct {
	const char *property;
	const char *what;
} late_checks[] = {
	{"ssl.ca.location", "kafka.security.ca_file: holds no certificate that can be read"},
	{"ssl.certificate.location",
		"kafka.security.certificate_file: holds no certificate that can be read"},
	{"ssl.key.location",
		"kafka.security.key_file: holds no key that can be read, or not that of "
		"kafka.security.certificate_file, or kafka.security.key_password_file is not its "
		"password"},
};

static void explain_refusal(const char *text, struct error *err)
{
	for (size_t i = 0; i < array_length(late_checks); i++) {
		if (strstr(text, late_checks[i].property) != NULL) {
			error_set(err, "%s", late_checks[i].what);
			return;
		}
	}
	error_set(err, "kafka: %s", text);
}

rd_kafka_t *kafka_client_new(rd_kafka_conf_t *conf, enum kafka_role role, struct error *err)
{
	char text[512];
	rd_kafka_t *client =
		rd_kafka_new(role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf,
			text, sizeof(text));
	if (client == NULL) {
		rd_kafka_conf_destroy(conf);
		explain_refusal(text, err);
	}
	return client;
}
