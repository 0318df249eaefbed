/*
 * librdkafka's simple consumer: partitions are started by hand and deliver into one queue. There is
 * no group.id, so there is nothing that could join or commit.
 *
 * A partition with several ranges is a lane: at the end of a range it is stopped, and started again
 * at the next. What librdkafka had fetched beyond the range is dropped by it then.
 */
#include "io/topic_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka_conf.h"
#include "kafka_record.h"

/* A partition and what is to be read of it. */
struct lane {
	rd_kafka_topic_t *handle;
	const struct record_range *range; /* the present one */
	size_t left;                      /* it and those after it; 0: done */
	int64_t next;                     /* offsets below are behind us */
};

struct topic_reader {
	const struct settings *settings;
	struct kafka_link link;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	struct kafka_headers headers;
	rd_kafka_message_t *message; /* of the last record */

	struct record_range *ranges; /* within the logs as they were at the beginning */
	struct lane *lanes;
	size_t lane_count;
	size_t active;     /* lanes that are not done */
	struct lane *last; /* the last record's */
	int64_t done;
	int64_t total;
};

static const char *lane_topic(const struct lane *lane)
{
	return rd_kafka_topic_name(lane->handle);
}

/* --- where records are --- */

static bool ask_failed(
	struct topic_reader *reader, rd_kafka_resp_err_t code, const char *topic, struct error *err)
{
	if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT)
		return kafka_link_explain(&reader->link, err);
	return error_set(err, "topic %s: %s", topic, rd_kafka_err2str(code));
}

/* Asks where each partition's first record of that time or later is; fills `from` of the ranges. */
static bool find_time(struct topic_reader *reader, struct record_range *ranges, int32_t count,
	int64_t since_ms, int timeout_ms, struct error *err)
{
	const char *topic = ranges[0].topic;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
	for (int32_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = since_ms;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(reader->client, list, timeout_ms);
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
		const rd_kafka_topic_partition_t *found = &list->elems[i];
		code = found->err;
		/* Below 0: there is none, and the range is empty. */
		ranges[found->partition].from = found->offset < 0 ? INT64_MAX : found->offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || ask_failed(reader, code, topic, err);
}

bool topic_reader_ranges_since(struct topic_reader *reader, const char *topic, int64_t since_ms,
	int timeout_ms, struct record_range **ret_ranges, size_t *ret_count, struct error *err)
{
	int32_t count = 0;
	if (!kafka_topic_find(&reader->link, reader->client, topic, timeout_ms, &count, err))
		return false;
	CLEANUP(free_pointer)
	struct record_range *ranges = mem_new_array(struct record_range, (size_t)count + 1);
	if (ranges == NULL)
		return error_memory(err);
	for (int32_t i = 0; i < count; i++)
		ranges[i] = (struct record_range){topic, i, 0, INT64_MAX};
	/* Before 1970 there are only records without a time. */
	if (since_ms > 0 && count > 0 &&
		!find_time(reader, ranges, count, since_ms, timeout_ms, err))
		return false;
	*ret_ranges = take_pointer(ranges);
	*ret_count = (size_t)count;
	return true;
}

/* --- lanes --- */

static bool start_range(struct topic_reader *reader, struct lane *lane, struct error *err)
{
	lane->next = lane->range->from;
	if (rd_kafka_consume_start_queue(
		    lane->handle, lane->range->partition, lane->next, reader->queue) == 0)
		return true;
	return error_set(err, "topic %s [%" PRId32 "]: %s", lane_topic(lane),
		lane->range->partition, rd_kafka_err2str(rd_kafka_last_error()));
}

/* Everything below `offset` is behind us. */
static void move_on(struct topic_reader *reader, struct lane *lane, int64_t offset)
{
	if (offset > lane->range->to)
		offset = lane->range->to;
	reader->done += offset - lane->next;
	lane->next = offset;
}

/* The present range is read: begins the next, if there is one. */
static bool end_range(struct topic_reader *reader, struct lane *lane, struct error *err)
{
	move_on(reader, lane, lane->range->to);
	rd_kafka_consume_stop(lane->handle, lane->range->partition);
	lane->left--;
	if (lane->left == 0) {
		reader->active--;
		return true;
	}
	lane->range++;
	return start_range(reader, lane, err);
}

static void end_all(struct topic_reader *reader)
{
	if (reader->message != NULL)
		rd_kafka_message_destroy(reader->message);
	reader->message = NULL;
	for (size_t i = 0; i < reader->lane_count; i++) {
		struct lane *lane = &reader->lanes[i];
		if (lane->left > 0)
			rd_kafka_consume_stop(lane->handle, lane->range->partition);
		rd_kafka_topic_destroy(lane->handle);
	}
	free(take_pointer(reader->lanes));
	free(take_pointer(reader->ranges));
	reader->lane_count = 0;
	reader->active = 0;
	reader->last = NULL;
	reader->done = 0;
	reader->total = 0;
}

static bool same_partition(const struct record_range *a, const struct record_range *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* Copies the ranges of one partition, as far as its log has them; returns how many. */
static size_t clip(struct topic_reader *reader, struct record_range *to,
	const struct record_range *from, size_t count, int64_t low, int64_t high)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct record_range range = from[i];
		range.from = range.from > low ? range.from : low;
		range.to = range.to < high ? range.to : high;
		if (range.from >= range.to)
			continue;
		reader->total += range.to - range.from;
		to[kept++] = range;
	}
	return kept;
}

/* Opens a lane for `count` ranges of one partition; `room` is where their copies go. */
static bool open_lane(struct topic_reader *reader, const struct record_range *ranges, size_t count,
	struct record_range *room, int timeout_ms, struct error *err)
{
	const char *topic = ranges->topic;
	int64_t low = 0;
	int64_t high = 0;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		reader->client, topic, ranges->partition, &low, &high, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return ask_failed(reader, code, topic, err);
	size_t kept = clip(reader, room, ranges, count, low, high);
	if (kept == 0)
		return true;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->client, topic, NULL);
	if (handle == NULL)
		return ask_failed(reader, rd_kafka_last_error(), topic, err);
	struct lane *lane = &reader->lanes[reader->lane_count++];
	*lane = (struct lane){.handle = handle, .range = room};
	if (!start_range(reader, lane, err))
		return false;
	lane->left = kept;
	reader->active++;
	return true;
}

bool topic_reader_begin(struct topic_reader *reader, const struct record_range *ranges,
	size_t count, int timeout_ms, struct error *err)
{
	end_all(reader);
	reader->ranges = mem_new_array(struct record_range, count + 1);
	reader->lanes = mem_new_array(struct lane, count + 1);
	if (reader->ranges == NULL || reader->lanes == NULL)
		return error_memory(err);
	size_t length = 0;
	for (size_t i = 0; i < count; i += length) {
		for (length = 1; i + length < count; length++)
			if (!same_partition(&ranges[i], &ranges[i + length]))
				break;
		if (!open_lane(reader, &ranges[i], length, &reader->ranges[i], timeout_ms, err))
			return false;
	}
	return true;
}

static struct lane *find_lane(struct topic_reader *reader, const rd_kafka_message_t *message)
{
	const struct lane *last = reader->last;
	if (last != NULL && last->handle == message->rkt &&
		last->range->partition == message->partition)
		return reader->last;
	for (size_t i = 0; i < reader->lane_count && message->rkt != NULL; i++) {
		struct lane *lane = &reader->lanes[i];
		if (lane->range->partition == message->partition &&
			strcmp(lane_topic(lane), rd_kafka_topic_name(message->rkt)) == 0)
			return reader->last = lane;
	}
	return NULL;
}

/* --- reading --- */

/* Whether librdkafka goes on trying by itself. */
static bool passes(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		return true;
	default:
		return false;
	}
}

static enum topic_read error_came(struct topic_reader *reader, struct lane *lane,
	const rd_kafka_message_t *message, struct error *err)
{
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		/* All that lies beyond belongs to a transaction that is still open. */
		for (; lane->left > 1; lane->left--)
			reader->done +=
				lane->range[lane->left - 1].to - lane->range[lane->left - 1].from;
		return end_range(reader, lane, err) ? TOPIC_READ_NOTHING : TOPIC_READ_FAILED;
	}
	if (passes(message->err))
		return TOPIC_READ_NOTHING;
	error_set(err, "topic %s [%" PRId32 "]: %s", lane_topic(lane), message->partition,
		rd_kafka_err2str(message->err));
	return TOPIC_READ_FAILED;
}

static enum topic_read record_came(struct topic_reader *reader, struct lane *lane,
	const rd_kafka_message_t *message, struct record *ret_record, struct error *err)
{
	const struct record_range *range = lane->range;
	if (message->offset < lane->next)
		return TOPIC_READ_NOTHING;
	/* Compaction and transactions leave gaps: the last record of a range may be missing. */
	bool inside = message->offset < range->to;
	if (inside && !kafka_record_read(message, range->topic, &reader->headers, ret_record, err))
		return TOPIC_READ_FAILED;
	move_on(reader, lane, message->offset + 1);
	if (lane->next == range->to && !end_range(reader, lane, err))
		return TOPIC_READ_FAILED;
	return inside ? TOPIC_READ_RECORD : TOPIC_READ_NOTHING;
}

enum topic_read topic_reader_next(
	struct topic_reader *reader, int timeout_ms, struct record *ret_record, struct error *err)
{
	if (reader->message != NULL)
		rd_kafka_message_destroy(take_pointer(reader->message));
	if (reader->active == 0)
		return TOPIC_READ_END;
	reader->message = rd_kafka_consume_queue(reader->queue, timeout_ms);
	if (reader->message == NULL) {
		rd_kafka_poll(reader->client, 0);
		kafka_link_probe(&reader->link, reader->client);
		return TOPIC_READ_NOTHING;
	}
	struct lane *lane = find_lane(reader, reader->message);
	if (lane == NULL || lane->left == 0)
		return TOPIC_READ_NOTHING;
	if (reader->message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return error_came(reader, lane, reader->message, err);
	return record_came(reader, lane, reader->message, ret_record, err);
}

void topic_reader_progress(const struct topic_reader *reader, int64_t *ret_done, int64_t *ret_total)
{
	*ret_done = reader->done;
	*ret_total = reader->total;
}

/* --- life and death --- */

static bool start(struct topic_reader *reader, struct error *err)
{
	rd_kafka_conf_t *conf = kafka_conf_new(reader->settings, KAFKA_READER, &reader->link, err);
	if (conf == NULL)
		return false;
	reader->client = kafka_client_new(conf, KAFKA_READER, err);
	if (reader->client == NULL)
		return false;
	reader->queue = rd_kafka_queue_new(reader->client);
	return true;
}

struct topic_reader *topic_reader_new(
	const struct settings *settings, kafka_report_fn *report, void *context, struct error *err)
{
	if (!kafka_library_check(err))
		return NULL;
	struct topic_reader *reader = mem_new(struct topic_reader);
	if (reader == NULL) {
		error_memory(err);
		return NULL;
	}
	reader->settings = settings;
	kafka_link_init(&reader->link, "reader", settings, settings->kafka.result_topic, reader,
		report, context);
	if (!start(reader, err)) {
		topic_reader_free(reader);
		return NULL;
	}
	return reader;
}

void topic_reader_free(struct topic_reader *reader)
{
	if (reader == NULL)
		return;
	reader->link.silent = true;
	end_all(reader);
	kafka_headers_fini(&reader->headers);
	if (reader->queue != NULL)
		rd_kafka_queue_destroy(reader->queue);
	if (reader->client != NULL)
		rd_kafka_destroy(reader->client);
	kafka_link_fini(&reader->link);
	free(reader);
}
