/*
 * Transactions. librdkafka says of each failure whether the step may be tried again, whether the
 * transaction must be aborted, or whether the client is finished; nothing here judges by itself.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "kafka_member.h"
#include "producer_parts.h"

/* What librdkafka's answer means, which is freed. */
static enum step_status judge_step(
	struct producer *producer, rd_kafka_error_t *error, const char *what, struct error *err)
{
	if (error == NULL)
		return STEP_FINE;
	enum step_status status = STEP_ABORT;
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	if (rd_kafka_error_is_fatal(error) || rd_kafka_fatal_error(producer->client, NULL, 0))
		status = STEP_FATAL;
	else if (rd_kafka_error_txn_requires_abort(error))
		status = STEP_ABORT;
	else if (rd_kafka_error_is_retriable(error) || code == RD_KAFKA_RESP_ERR__TIMED_OUT)
		status = STEP_AGAIN;
	error_set(err, "%s: %s", what, rd_kafka_error_string(error));
	kafka_link_trouble(&producer->link, code, NULL, rd_kafka_error_string(error), true);
	rd_kafka_error_destroy(error);
	return status;
}

enum step_status producer_ready_transactions(
	struct producer *producer, int timeout_ms, struct error *err)
{
	rd_kafka_error_t *error = rd_kafka_init_transactions(producer->client, timeout_ms);
	enum step_status status = judge_step(producer, error, "transactions cannot be used", err);
	/* There is no transaction yet that could be aborted. */
	return status == STEP_ABORT ? STEP_AGAIN : status;
}

enum step_status producer_begin(struct producer *producer, struct error *err)
{
	return judge_step(producer, rd_kafka_begin_transaction(producer->client),
		"a transaction cannot begin", err);
}

enum step_status producer_add_offsets(struct producer *producer, const struct kafka_offset *offsets,
	size_t count, const struct kafka_member *member, int timeout_ms, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition)
			->offset = offsets[i].offset;
	rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(
		producer->client, list, kafka_member_metadata(member), timeout_ms);
	rd_kafka_topic_partition_list_destroy(list);
	return judge_step(producer, error, "offsets cannot be part of the transaction", err);
}

enum step_status producer_commit(struct producer *producer, int timeout_ms, struct error *err)
{
	return judge_step(producer, rd_kafka_commit_transaction(producer->client, timeout_ms),
		"the transaction cannot be committed", err);
}

enum step_status producer_abort(struct producer *producer, int timeout_ms, struct error *err)
{
	enum step_status status =
		judge_step(producer, rd_kafka_abort_transaction(producer->client, timeout_ms),
			"the transaction cannot be aborted", err);
	/* There was none. */
	return status == STEP_ABORT ? STEP_FINE : status;
}

bool producer_start_anew(struct producer *producer, struct error *err)
{
	return producer_former_gone(producer) ? producer_renew(producer, err)
					      : error_set(err, "the former producer still ends");
}
