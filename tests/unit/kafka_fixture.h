/* What the tests of the consumer and of the producer share: a cluster, settings for it, and the
 * reports. */
#ifndef KAFKA_FIXTURE_H
#define KAFKA_FIXTURE_H

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/kafka.h"
#include "io/mock_cluster.h"
#include "io/settings.h"

#define REQUESTS "requests"
#define RESULTS  "results"

/* Long enough for a loaded machine; no test waits that long when it passes. */
#define DEADLINE (30 * NS_PER_S)

/* Repeats the step until the condition holds. */
#define UNTIL(condition, step)                                                                     \
	do {                                                                                       \
		int64_t until_ = clock_monotonic_ns() + DEADLINE;                                  \
		while (!(condition)) {                                                             \
			if (clock_monotonic_ns() > until_)                                         \
				fail_msg("%s did not come true", #condition);                      \
			step;                                                                      \
		}                                                                                  \
	} while (0)

/* How often each kind of news came, and the last of each. */
struct news {
	pthread_mutex_t lock;
	int count[KAFKA_NEWS_FATAL + 1];
	char resource[KAFKA_NEWS_FATAL + 1][128];
	char text[KAFKA_NEWS_FATAL + 1][256];
	int64_t from_offset;
	int64_t to_offset;
};

static inline void note_news(struct news *news, const struct kafka_report *report)
{
	pthread_mutex_lock(&news->lock);
	news->count[report->news]++;
	snprintf(news->resource[report->news], sizeof(news->resource[0]), "%s",
		report->resource == NULL ? "" : report->resource);
	snprintf(news->text[report->news], sizeof(news->text[0]), "%s", report->text);
	if (report->news == KAFKA_NEWS_OFFSET_RESET) {
		news->from_offset = report->from_offset;
		news->to_offset = report->to_offset;
	}
	pthread_mutex_unlock(&news->lock);
}

static inline int news_count(struct news *news, enum kafka_news kind)
{
	pthread_mutex_lock(&news->lock);
	int count = news->count[kind];
	pthread_mutex_unlock(&news->lock);
	return count;
}

/* One cluster for all tests, since ending one takes a second. Each test has topics and a group of
 * its own. */
static struct mock_cluster *cluster;
static int test_number;
static char requests[32];
static char results[32];
static char group[32];

static inline int start_cluster(void **state)
{
	(void)state;
	struct error err = {0};
	cluster = mock_cluster_new(1, &err);
	if (cluster == NULL)
		fail_msg("%s", err.text);
	return 0;
}

static inline int stop_cluster(void **state)
{
	(void)state;
	mock_cluster_free(cluster);
	return 0;
}

/* New topics, of 4 partitions each. */
static inline void make_topics(void)
{
	test_number++;
	snprintf(requests, sizeof(requests), "requests-%d", test_number);
	snprintf(results, sizeof(results), "results-%d", test_number);
	snprintf(group, sizeof(group), "group-%d", test_number);
	struct error err = {0};
	if (!mock_cluster_add_topic(cluster, requests, 4, &err) ||
		!mock_cluster_add_topic(cluster, results, 4, &err))
		fail_msg("%s", err.text);
}

/* Settings as short as can be, for the cluster and the test's topics. */
static inline struct settings make_settings(void)
{
	static char empty[] = "";
	static char *topics[] = {requests};
	struct settings settings = {0};
	settings.kafka.brokers = (char *)(uintptr_t)mock_cluster_brokers(cluster);
	settings.kafka.group_id = group;
	settings.kafka.request_topics = (struct text_list){topics, 1};
	settings.kafka.result_topic = results;
	settings.kafka.error_topic = empty;
	settings.kafka.session_timeout_ms = 6000;
	settings.kafka.revoke_timeout_ms = 1000;
	settings.kafka.commit_interval_ms = 20;
	settings.kafka.instance_id = empty;
	settings.kafka.transactional_id = empty;
	settings.kafka.security.protocol = SECURITY_PLAINTEXT;
	settings.kafka.security.ca_file = empty;
	settings.kafka.security.certificate_file = empty;
	settings.kafka.security.key_file = empty;
	settings.kafka.security.key_password_file = empty;
	settings.kafka.security.sasl_mechanism = empty;
	settings.kafka.security.username = empty;
	settings.kafka.security.password_file = empty;
	settings.kafka.security.oauth_client_secret_file = empty;
	return settings;
}

#endif
