/* Which librdkafka properties a user may not set through a property group, and what to do
 * instead. */
#include <fnmatch.h>
#include <string.h>

#include "base/mem.h"
#include "settings_check.h"

struct owned {
	const char *pattern; /* of fnmatch(3) */
	const char *why;
};

#define USE(setting)    "cannot be set here; use " setting
#define SECRET(setting) "a secret must not stand here; use " setting
#define FIXED           "cannot be changed: what the service promises depends on it"
#define NO_FUNCTIONS    "cannot be set: it is no setting, but a part of the program"

/* The first that fits counts. */
static const struct owned owned[] = {
	{"bootstrap.servers", USE("kafka.brokers")},
	{"metadata.broker.list", USE("kafka.brokers")},
	{"group.id", USE("kafka.group_id")},
	{"group.instance.id", USE("kafka.instance_id")},
	{"session.timeout.ms", USE("kafka.session_timeout_ms")},
	{"auto.commit.interval.ms", USE("kafka.commit_interval_ms")},
	{"auto.offset.reset", USE("kafka.start_from")},
	{"transactional.id", USE("kafka.transactional_id")},
	{"security.protocol", USE("kafka.security.protocol")},
	{"ssl.ca.location", USE("kafka.security.ca_file")},
	{"ssl.ca.pem", USE("kafka.security.ca_file")},
	{"ssl.certificate.location", USE("kafka.security.certificate_file")},
	{"ssl.certificate.pem", USE("kafka.security.certificate_file")},
	{"ssl.key.location", USE("kafka.security.key_file")},
	{"ssl.key.pem", SECRET("kafka.security.key_file")},
	{"ssl.key.password", SECRET("kafka.security.key_password_file")},
	{"ssl.keystore.*", USE("kafka.security.certificate_file and kafka.security.key_file")},
	{"sasl.mechanism", USE("kafka.security.sasl_mechanism")},
	{"sasl.mechanisms", USE("kafka.security.sasl_mechanism")},
	{"sasl.username", USE("kafka.security.username")},
	{"sasl.password", SECRET("kafka.security.password_file")},
	{"sasl.oauthbearer.method", USE("kafka.security.oauth_client_secret_file")},
	{"sasl.oauthbearer.client.id", USE("kafka.security.username")},
	{"sasl.oauthbearer.client.credentials.client.id", USE("kafka.security.username")},
	{"sasl.oauthbearer.config", SECRET("kafka.security.oauth_client_secret_file")},
	{"*secret*", SECRET("kafka.security.oauth_client_secret_file")},
	{"*password*", SECRET("kafka.security.password_file")},
	{"*passphrase*", SECRET("kafka.security.key_password_file")},
	{"*.pem", SECRET("kafka.security.key_file")},
	{"enable.auto.commit", FIXED},
	{"auto.commit.enable", FIXED},
	{"enable.auto.offset.store", FIXED},
	{"enable.partition.eof", FIXED},
	{"enable.idempotence", FIXED},
	{"enable.gapless.guarantee", FIXED},
	{"acks", FIXED},
	{"request.required.acks", FIXED},
	{"retries", FIXED},
	{"message.send.max.retries", FIXED},
	{"message.timeout.ms", FIXED},
	{"delivery.timeout.ms", FIXED},
	{"transaction.timeout.ms", FIXED},
	{"delivery.report.only.error", FIXED},
	{"dr.*", NO_FUNCTIONS},
	{"queuing.strategy", FIXED},
	{"allow.auto.create.topics", FIXED},
	{"group.protocol", FIXED},
	{"group.remote.assignor", FIXED},
	{"isolation.level", "cannot be set: requests of aborted transactions are never read"},
	{"offset.store.*", FIXED},
	{"statistics.interval.ms", "cannot be set: the figures are at /metrics"},
	{"log.queue", FIXED},
	{"log.cb", NO_FUNCTIONS},
	{"log.level", USE("log.level")},
	{"enabled.events", NO_FUNCTIONS},
	{"plugin.library.paths", "cannot be set: no code is loaded into the service"},
	{"opaque", NO_FUNCTIONS},
	{"*.cb", NO_FUNCTIONS},
};

bool check_property(const char *name, struct error *err)
{
	for (size_t i = 0; i < array_length(owned); i++)
		if (fnmatch(owned[i].pattern, name, FNM_CASEFOLD) == 0)
			return error_set(err, "%s", owned[i].why);
	return true;
}
