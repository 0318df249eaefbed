#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/settings.h"
#include "kafka_conf.h"

#define VERSION(major, minor, revision)                                                            \
	(((major) << 24) | ((minor) << 16) | ((revision) << 8) | 0xff)

static void versions_that_end_or_hang_are_refused(void **state)
{
	(void)state;
	static const struct {
		int version;
		const char *why; /* NULL: it will do */
	} cases[] = {
		{VERSION(1, 9, 2), "older than 2.0.2"},
		{VERSION(2, 0, 1), "older than 2.0.2"},
		{VERSION(2, 0, 2), NULL},
		{VERSION(2, 4, 0), NULL},
		{VERSION(2, 5, 0), "2.5.0"},
		{VERSION(2, 5, 3), NULL},
		{VERSION(2, 8, 0), NULL},
		{VERSION(2, 10, 0), "2.10.0"},
		{VERSION(2, 10, 1), NULL},
		{VERSION(2, 11, 0), NULL},
	};
	for (size_t i = 0; i < array_length(cases); i++) {
		struct error err = {0};
		assert_int_equal(kafka_version_check(cases[i].version, "range,roundrobin", &err),
			cases[i].why == NULL);
		if (cases[i].why != NULL)
			assert_non_null(strstr(err.text, cases[i].why));
	}
}

static void cooperative_rebalancing_needs_a_version_that_can(void **state)
{
	(void)state;
	struct error err = {0};
	assert_false(kafka_version_check(VERSION(2, 8, 0), "cooperative-sticky", &err));
	assert_non_null(strstr(err.text, "kafka.consumer.partition_assignment_strategy"));
	assert_true(kafka_version_check(VERSION(2, 10, 1), "cooperative-sticky", &err));
}

/* What a client is made with. */
static void check_property(enum kafka_role role, const char *property, const char *value)
{
	struct settings_report report;
	struct error err = {0};
	struct settings *settings = settings_load(&(struct settings_sources){0}, &report, &err);
	settings_report_fini(&report);
	assert_non_null(settings);
	struct kafka_link link;
	kafka_link_init(&link, "test", settings, NULL, NULL, NULL, NULL);
	rd_kafka_conf_t *conf = kafka_conf_new(settings, role, &link, &err);
	assert_non_null(conf);
	char text[256] = "";
	size_t size = sizeof(text);
	assert_int_equal(rd_kafka_conf_get(conf, property, text, &size), RD_KAFKA_CONF_OK);
	if (strcmp(text, value) != 0)
		fail_msg("%s is %s, not %s", property, text, value);
	rd_kafka_conf_destroy(conf);
	kafka_link_fini(&link);
	settings_free(settings);
}

static void a_group_commits_nothing_by_itself_and_mixes_no_assignors(void **state)
{
	(void)state;
	check_property(KAFKA_CONSUMER, "enable.auto.commit", "false");
	check_property(KAFKA_CONSUMER, "enable.auto.offset.store", "false");
	check_property(KAFKA_CONSUMER, "isolation.level", "read_committed");
	check_property(KAFKA_CONSUMER, "partition.assignment.strategy", "range,roundrobin");
	check_property(KAFKA_CONSUMER, "allow.auto.create.topics", "false");
}

static void queues_of_clients_stay_small(void **state)
{
	(void)state;
	check_property(KAFKA_CONSUMER, "queued.max.messages.kbytes", "8192");
	check_property(KAFKA_PRODUCER, "queue.buffering.max.kbytes", "32768");
}

static void a_result_never_expires_and_is_never_sent_twice(void **state)
{
	(void)state;
	check_property(KAFKA_PRODUCER, "message.timeout.ms", "0");
	check_property(KAFKA_PRODUCER, "enable.idempotence", "true");
}

static void small_packets_do_not_wait(void **state)
{
	(void)state;
	check_property(KAFKA_CONSUMER, "socket.nagle.disable", "true");
	check_property(KAFKA_PRODUCER, "socket.nagle.disable", "true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_that_end_or_hang_are_refused),
		cmocka_unit_test(cooperative_rebalancing_needs_a_version_that_can),
		cmocka_unit_test(a_group_commits_nothing_by_itself_and_mixes_no_assignors),
		cmocka_unit_test(queues_of_clients_stay_small),
		cmocka_unit_test(a_result_never_expires_and_is_never_sent_twice),
		cmocka_unit_test(small_packets_do_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
