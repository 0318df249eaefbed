/*
 * Inside io: the producer, in two files. producer.c sends and polls, and is born and ends;
 * producer_transactions.c is what exactly-once adds.
 */
#ifndef IO_PRODUCER_PARTS_H
#define IO_PRODUCER_PARTS_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "io/producer.h"
#include "kafka_conf.h"

/* librdkafka's handle of a topic, made once: making one costs more than sending a record. */
struct topic {
	const char *name; /* librdkafka's */
	rd_kafka_topic_t *handle;
};

struct producer {
	struct kafka_link link;
	delivery_report_fn *delivered;
	void *context;

	pthread_rwlock_t lock; /* guards the client and the topics */
	rd_kafka_conf_t *conf; /* of which clients are made */
	rd_kafka_t *client;
	struct topic *topics;
	size_t topic_count;

	rd_kafka_t *former; /* a client that was refused, until all it held is reported */
	int64_t born_at;    /* the present client */
	bool refused;       /* the brokers did not let us write, as far as we know */

	_Atomic(bool) hurry;
	int reported; /* delivery reports handed out in this poll */
};

/*
 * Puts a new client in the place of the present one, which is finished; what that one held is
 * reported as not delivered. False and err where none can be made. On the polling thread.
 */
bool producer_renew(struct producer *producer, struct error *err);

/* Whether all that the former client held is reported; ends it then. On the polling thread. */
bool producer_former_gone(struct producer *producer);

#endif
