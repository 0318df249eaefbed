#include "io/mock_cluster.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/mem.h"

struct mock_cluster {
	rd_kafka_t *host; /* the client whose threads run it */
	rd_kafka_mock_cluster_t *mock;
	int brokers;
};

/* The host is no client of the cluster, so what it has to say is of no use. */
static void log_nothing(const rd_kafka_t *host, int level, const char *facility, const char *text)
{
	(void)host;
	(void)level;
	(void)facility;
	(void)text;
}

struct mock_cluster *mock_cluster_new(int brokers, struct error *err)
{
	struct mock_cluster *cluster = mem_new(struct mock_cluster);
	if (cluster == NULL) {
		error_memory(err);
		return NULL;
	}
	char text[512] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, log_nothing);
	cluster->brokers = brokers;
	cluster->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (cluster->host == NULL)
		rd_kafka_conf_destroy(conf);
	else
		cluster->mock = rd_kafka_mock_cluster_new(cluster->host, brokers);
#if RD_KAFKA_VERSION >= 0x02060000
	/* Before 2.6 the first member of a group waits for 3 s, come what may. */
	if (cluster->mock != NULL)
		rd_kafka_mock_group_initial_rebalance_delay_ms(cluster->mock, 0);
#endif
	if (cluster->mock == NULL) {
		error_set(err, "the mock cluster could not be started%s%s",
			text[0] == '\0' ? "" : ": ", text);
		mock_cluster_free(cluster);
		return NULL;
	}
	return cluster;
}

void mock_cluster_free(struct mock_cluster *cluster)
{
	if (cluster == NULL)
		return;
	if (cluster->mock != NULL)
		rd_kafka_mock_cluster_destroy(cluster->mock);
	if (cluster->host != NULL)
		rd_kafka_destroy(cluster->host);
	free(cluster);
}

bool mock_cluster_add_topic(
	struct mock_cluster *cluster, const char *topic, int partitions, struct error *err)
{
	rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster->mock, topic, partitions, 1);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return error_set(
			err, "topic %s could not be created: %s", topic, rd_kafka_err2str(code));
	return true;
}

const char *mock_cluster_brokers(const struct mock_cluster *cluster)
{
	return rd_kafka_mock_cluster_bootstraps(cluster->mock);
}

void mock_cluster_set_missing(struct mock_cluster *cluster, const char *topic, bool missing)
{
	rd_kafka_mock_topic_set_error(cluster->mock, topic,
		missing ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR);
}

void mock_cluster_set_reachable(struct mock_cluster *cluster, bool reachable)
{
	for (int32_t id = 1; id <= cluster->brokers; id++) {
		if (reachable)
			rd_kafka_mock_broker_set_up(cluster->mock, id);
		else
			rd_kafka_mock_broker_set_down(cluster->mock, id);
	}
}
