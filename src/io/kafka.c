#include "io/kafka.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <string.h>

#include "kafka_conf.h"
#include "kafka_member.h"

/* 0xMMmmrrxx */
#define VERSION(major, minor, revision) (((major) << 24) | ((minor) << 16) | ((revision) << 8))

const char *kafka_library_version(void)
{
	return rd_kafka_version_str();
}

bool kafka_version_check(int version, const char *strategy, struct error *err)
{
	int release = version & ~0xff;
	if (release < VERSION(2, 0, 2))
		return error_set(err, "librdkafka is older than 2.0.2");
	if (release == VERSION(2, 5, 0))
		return error_set(err,
			"librdkafka 2.5.0 ends the process when brokers ask for its metrics: "
			"use another version");
	if (release == VERSION(2, 10, 0))
		return error_set(err,
			"librdkafka 2.10.0 does not find its brokers again once all were down: "
			"use another version");
	if (strategy != NULL && strstr(strategy, "cooperative") != NULL &&
		release < VERSION(2, 10, 1))
		return error_set(err,
			"kafka.consumer.partition_assignment_strategy: cooperative-sticky needs "
			"librdkafka 2.10.1, and this is %s",
			rd_kafka_version_str());
	return true;
}

bool kafka_library_check(struct error *err)
{
	return kafka_version_check(rd_kafka_version(), NULL, err);
}

bool kafka_settings_check(const struct settings *settings, struct error *err)
{
	for (int role = KAFKA_CONSUMER; role <= KAFKA_PRODUCER; role++) {
		struct kafka_link link;
		kafka_link_init(&link, "check", settings, NULL, NULL, NULL, NULL);
		rd_kafka_conf_t *conf = kafka_conf_new(settings, (enum kafka_role)role, &link, err);
		if (conf != NULL)
			rd_kafka_conf_destroy(conf);
		kafka_link_fini(&link);
		if (conf == NULL)
			return false;
	}
	return true;
}

void kafka_member_free(struct kafka_member *member)
{
	if (member != NULL)
		rd_kafka_consumer_group_metadata_destroy(
			(rd_kafka_consumer_group_metadata_t *)(void *)member);
}
