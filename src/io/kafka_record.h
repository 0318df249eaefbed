/*
 * Inside io: librdkafka's messages as records, and its topics as answers to "is it there?"; for
 * whoever reads from Kafka.
 */
#ifndef IO_KAFKA_RECORD_H
#define IO_KAFKA_RECORD_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "kafka_conf.h"

/* Room for the headers of one record after another. Start one as `{0}`. */
struct kafka_headers {
	struct header *items;
	size_t room;
};

void kafka_headers_fini(struct kafka_headers *headers);

/*
 * A message as a record. It points to `topic`, to the message and to the headers, and lasts as long
 * as these stay as they are. False and err when out of memory.
 */
bool kafka_record_read(const rd_kafka_message_t *message, const char *topic,
	struct kafka_headers *headers, struct record *ret_record, struct error *err);

/*
 * Asks a broker about a topic, and creates none. The topic's error; `ret_answered` says whether a
 * broker answered at all, `ret_partitions` how many partitions there are (0 where there is an
 * error).
 */
rd_kafka_resp_err_t kafka_topic_ask(rd_kafka_t *client, const char *topic, int timeout_ms,
	bool *ret_answered, int32_t *ret_partitions);

/*
 * The same, asking again at once where the answer may change within a moment, for at most
 * timeout_ms. False and err, which names topic or brokers, where it is not there or may not be
 * used. A topic without a leader is there.
 */
bool kafka_topic_find(struct kafka_link *link, rd_kafka_t *client, const char *topic,
	int timeout_ms, int32_t *ret_partitions, struct error *err);

#endif
