#include "base/clock.h"
#include "consumer_parts.h"

bool consumer_joined(const struct consumer *consumer)
{
	return consumer->left_at == 0;
}

int64_t consumer_left_at(const struct consumer *consumer)
{
	return consumer->left_at;
}

bool consumer_dozes(void)
{
	return rd_kafka_version() < 0x02020000;
}

bool consumer_position(
	struct consumer *consumer, void *source, int64_t *ret_committed, int64_t *ret_end)
{
	const struct partition *partition = consumer_find_source(consumer, source);
	if (partition == NULL)
		return false;
	int64_t low = -1;
	int64_t high = -1;
	rd_kafka_get_watermark_offsets(
		consumer->client, partition->topic, partition->number, &low, &high);
	*ret_committed = partition->committed >= 0 ? partition->committed : partition->start;
	if (*ret_committed < 0)
		*ret_committed = -1;
	*ret_end = high >= 0 ? high : -1;
	return true;
}

/* Asks for the beginnings (RD_KAFKA_OFFSET_BEGINNING) or ends (_END) of all at once: the protocol
 * takes these in place of a timestamp. NULL where nobody answered. */
static rd_kafka_topic_partition_list_t *query(struct consumer *consumer,
	const struct consumer_bounds *bounds, size_t count, int64_t which, int timeout_ms)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, bounds[i].topic, bounds[i].partition)
			->offset = which;
	if (rd_kafka_offsets_for_times(consumer->client, list, timeout_ms) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		return list;
	rd_kafka_topic_partition_list_destroy(list);
	return NULL;
}

/* The answer for one partition; `otherwise` where there is none. */
static int64_t answer(const rd_kafka_topic_partition_list_t *list,
	const struct consumer_bounds *bounds, int64_t otherwise)
{
	const rd_kafka_topic_partition_t *one =
		rd_kafka_topic_partition_list_find(list, bounds->topic, bounds->partition);
	bool answered = one != NULL && one->err == RD_KAFKA_RESP_ERR_NO_ERROR && one->offset >= 0;
	return answered ? one->offset : otherwise;
}

void consumer_query_bounds(
	struct consumer *consumer, struct consumer_bounds *bounds, size_t count, int timeout_ms)
{
	int64_t deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	rd_kafka_topic_partition_list_t *ends =
		query(consumer, bounds, count, RD_KAFKA_OFFSET_END, timeout_ms);
	if (ends == NULL)
		return;
	int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
	rd_kafka_topic_partition_list_t *beginnings = query(
		consumer, bounds, count, RD_KAFKA_OFFSET_BEGINNING, left_ms > 1 ? (int)left_ms : 1);
	for (size_t i = 0; i < count; i++) {
		bounds[i].end = answer(ends, &bounds[i], bounds[i].end);
		if (beginnings != NULL)
			bounds[i].beginning = answer(beginnings, &bounds[i], bounds[i].beginning);
	}
	rd_kafka_topic_partition_list_destroy(ends);
	if (beginnings != NULL)
		rd_kafka_topic_partition_list_destroy(beginnings);
}
