/*
 * A Kafka cluster in this process, for the demo and for tests: librdkafka's mock cluster on free
 * loopback ports, which other processes can use too.
 *
 * It keeps 5 MiB a partition and knows consumer groups, but no transactions and no rights. In
 * librdkafka 2.0.2 a topic is created by whoever asks for it, be it allowed by the client or not.
 */
#ifndef IO_MOCK_CLUSTER_H
#define IO_MOCK_CLUSTER_H

#include <stdbool.h>

#include "base/error.h"

struct mock_cluster;

struct mock_cluster *mock_cluster_new(int brokers, struct error *err);
void mock_cluster_free(struct mock_cluster *cluster);

bool mock_cluster_add_topic(
	struct mock_cluster *cluster, const char *topic, int partitions, struct error *err);

/* The addresses, as kafka.brokers takes them. Valid as long as the cluster. */
const char *mock_cluster_brokers(const struct mock_cluster *cluster);

/* Makes the cluster act as if it did not have the topic, or have it again. */
void mock_cluster_set_missing(struct mock_cluster *cluster, const char *topic, bool missing);

/* Makes all brokers refuse connections, or take them again. */
void mock_cluster_set_reachable(struct mock_cluster *cluster, bool reachable);

#endif
