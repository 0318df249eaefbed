/*
 * Inside io: what a kafka_member is to librdkafka.
 */
#ifndef IO_KAFKA_MEMBER_H
#define IO_KAFKA_MEMBER_H

#include <librdkafka/rdkafka.h>

#include "io/kafka.h"

/* Takes the metadata over; NULL stays NULL. */
static inline struct kafka_member *kafka_member_of(rd_kafka_consumer_group_metadata_t *metadata)
{
	return (struct kafka_member *)(void *)metadata;
}

static inline const rd_kafka_consumer_group_metadata_t *kafka_member_metadata(
	const struct kafka_member *member)
{
	return (const rd_kafka_consumer_group_metadata_t *)(const void *)member;
}

#endif
