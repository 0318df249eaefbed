#include "kafka_record.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define ASK_AGAIN_MS 20

void kafka_headers_fini(struct kafka_headers *headers)
{
	free(headers->items);
	*headers = (struct kafka_headers){0};
}

/* Reads the message's headers. False where memory is out. */
static bool read_headers(
	const rd_kafka_message_t *message, struct kafka_headers *room, size_t *ret_count)
{
	rd_kafka_headers_t *headers = NULL;
	*ret_count = 0;
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	size_t count = rd_kafka_header_cnt(headers);
	if (count > room->room) {
		struct header *items = realloc(room->items, count * sizeof(*items));
		if (items == NULL)
			return false;
		room->items = items;
		room->room = count;
	}
	const char *name = NULL;
	const void *value = NULL;
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		room->items[i] = (struct header){
			.name = {name, strlen(name)},
			.value = {value, value == NULL ? 0 : size},
		};
		*ret_count = i + 1;
	}
	return true;
}

/* Bytes of a record; librdkafka gives NULL for an absent key or value, and may for nothing else. */
static struct bytes slice(const void *data, size_t length)
{
	return (struct bytes){data, data == NULL ? 0 : length};
}

bool kafka_record_read(const rd_kafka_message_t *message, const char *topic,
	struct kafka_headers *headers, struct record *ret_record, struct error *err)
{
	struct record record = {
		.topic = topic,
		.partition = message->partition,
		.offset = message->offset,
		.key = slice(message->key, message->key_len),
		.value = slice(message->payload, message->len),
	};
	rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
	record.timestamp_ms = rd_kafka_message_timestamp(message, &type);
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
		record.timestamp_ms = -1;
	if (!read_headers(message, headers, &record.header_count))
		return error_memory(err);
	record.headers = headers->items;
	*ret_record = record;
	return true;
}

rd_kafka_resp_err_t kafka_topic_ask(rd_kafka_t *client, const char *topic, int timeout_ms,
	bool *ret_answered, int32_t *ret_partitions)
{
	*ret_partitions = 0;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle == NULL)
		return rd_kafka_last_error();
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, timeout_ms);
	*ret_answered = code == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (metadata != NULL) {
		code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		if (metadata->topic_cnt == 1 &&
			metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
			code = metadata->topics[0].err;
		else if (metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt > 0)
			code = RD_KAFKA_RESP_ERR_NO_ERROR;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			*ret_partitions = metadata->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(handle);
	return code;
}

/* Whether it is worth to ask again at once: the answer may change within a moment. */
static bool passing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
	       code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

bool kafka_topic_find(struct kafka_link *link, rd_kafka_t *client, const char *topic,
	int timeout_ms, int32_t *ret_partitions, struct error *err)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	int64_t left_ms = timeout_ms;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	do {
		bool answered = false;
		code = kafka_topic_ask(client, topic, (int)left_ms, &answered, ret_partitions);
		if (passing(code))
			poll(NULL, 0, ASK_AGAIN_MS);
		left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
	} while (passing(code) && left_ms > 0);
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		return true;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		return error_set(err, "topic %s does not exist", topic);
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return error_set(err, "topic %s may not be used: access denied", topic);
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		return kafka_link_explain(link, err);
	default:
		return error_set(err, "topic %s: %s", topic, rd_kafka_err2str(code));
	}
}
