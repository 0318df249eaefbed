/*
 * Serves librdkafka's mock cluster to other processes, for tests.
 *
 *	mock_cluster BROKERS
 *
 * prints its bootstrap servers, then obeys a command a line from standard input, answers each with
 *"ok" or what went wrong, and lives until standard input closes:
 *
 *	topic NAME PARTITIONS	creates a topic
 *	down BROKER, up BROKER	cuts a broker off, brings it back
 *	rtt BROKER MS		makes a broker answer no sooner than this
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

static rd_kafka_resp_err_t obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char name[250];
	int first;
	int second;

	if (sscanf(line, "topic %249s %d", name, &first) == 2)
		return rd_kafka_mock_topic_create(cluster, name, first, 1);
	if (sscanf(line, "down %d", &first) == 1)
		return rd_kafka_mock_broker_set_down(cluster, first);
	if (sscanf(line, "up %d", &first) == 1)
		return rd_kafka_mock_broker_set_up(cluster, first);
	if (sscanf(line, "rtt %d %d", &first, &second) == 2)
		return rd_kafka_mock_broker_set_rtt(cluster, first, second);
	return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

int main(int argc, char **argv)
{
	char text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!handle) {
		fprintf(stderr, "mock_cluster: %s\n", text);
		return 1;
	}
	rd_kafka_mock_cluster_t *cluster =
		rd_kafka_mock_cluster_new(handle, argc > 1 ? atoi(argv[1]) : 1);
	if (!cluster) {
		fprintf(stderr, "mock_cluster: cannot start\n");
		return 1;
	}
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(text, sizeof(text), stdin)) {
		rd_kafka_resp_err_t result = obey(cluster, text);
		printf("%s\n", result ? rd_kafka_err2str(result) : "ok");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(handle);
	return 0;
}
