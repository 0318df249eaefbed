/*
 * A rebalance is done inside librdkafka's callback, which waits for us: `revoked` drains, what is
 * stored is committed, and only then are partitions given up. Nothing in here waits for a broker
 * without a limit, since any such wait delays the whole group: commits go through a queue of their
 * own, whose answer is awaited for COMMIT_TIMEOUT_MS.
 *
 * Where to begin is decided here: the group's committed offsets are read at each assignment, and
 * the partitions are assigned at explicit offsets. So it is known which record must come next, and
 * a log that no longer has it is seen (librdkafka goes on at its beginning by itself, and tells
 * nobody but its log).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "consumer_parts.h"
#include "kafka_member.h"

#define COMMIT_TIMEOUT_MS 5000
#define LAST_COMMIT_MS    500
#define LOOKUP_TIMEOUT_MS 5000
#define LOOKUP_ATTEMPTS   3

void consumer_break_down(struct consumer *consumer, const char *why)
{
	if (consumer->broken)
		return;
	consumer->broken = true;
	error_set(&consumer->failure, "%s", why);
}

/* --- topics and partitions --- */

/* A copy of the name that lives as long as the consumer. NULL when out of memory. */
static const char *intern_topic(struct consumer *consumer, const char *name)
{
	for (size_t i = 0; i < consumer->topic_count; i++)
		if (strcmp(consumer->topics[i], name) == 0)
			return consumer->topics[i];
	char **topics = realloc(consumer->topics, (consumer->topic_count + 1) * sizeof(*topics));
	if (topics == NULL)
		return NULL;
	consumer->topics = topics;
	topics[consumer->topic_count] = strdup(name);
	if (topics[consumer->topic_count] == NULL)
		return NULL;
	return topics[consumer->topic_count++];
}

struct partition *consumer_find(struct consumer *consumer, const char *topic, int32_t number)
{
	for (size_t i = 0; i < consumer->partition_count; i++) {
		struct partition *partition = &consumer->partitions[i];
		if (partition->number == number && strcmp(partition->topic, topic) == 0)
			return partition;
	}
	return NULL;
}

struct partition *consumer_find_source(struct consumer *consumer, const void *source)
{
	for (size_t i = 0; i < consumer->partition_count; i++)
		if (consumer->partitions[i].source == source)
			return &consumer->partitions[i];
	return NULL;
}

/* --- committing --- */

bool consumer_uncommitted(const struct consumer *consumer)
{
	/* Transactions commit, and nobody else. */
	if (consumer->settings->kafka.delivery == DELIVERY_EXACTLY_ONCE)
		return false;
	for (size_t i = 0; i < consumer->partition_count; i++)
		if (consumer->partitions[i].done > consumer->partitions[i].committed)
			return true;
	return false;
}

/* Tells librdkafka what is done since the last time. What it does not take (not assigned yet) is
 * told again. */
static void store_done(struct consumer *consumer)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)consumer->partition_count);
	for (size_t i = 0; i < consumer->partition_count; i++) {
		const struct partition *partition = &consumer->partitions[i];
		if (partition->done > partition->stored)
			rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)
				->offset = partition->done;
	}
	if (list->cnt > 0)
		rd_kafka_offsets_store(consumer->client, list);
	for (int i = 0; i < list->cnt; i++) {
		struct partition *partition =
			consumer_find(consumer, list->elems[i].topic, list->elems[i].partition);
		if (list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			partition->stored = list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
}

static void note_committed(struct consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; list != NULL && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *one = &list->elems[i];
		struct partition *partition = consumer_find(consumer, one->topic, one->partition);
		if (partition != NULL && one->err == RD_KAFKA_RESP_ERR_NO_ERROR && one->offset >= 0)
			partition->committed = one->offset;
	}
}

static bool commit_failed(rd_kafka_resp_err_t code)
{
	return code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET;
}

/* The answer to an asynchronous commit. */
void consumer_committed(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	(void)client;
	struct kafka_link *link = opaque;
	struct consumer *consumer = link->owner;
	consumer->committing = false;
	if (!commit_failed(code))
		note_committed(consumer, offsets);
	else if (!kafka_link_trouble(link, code, NULL, rd_kafka_err2str(code), true))
		kafka_link_say(link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"offsets could not be committed and will be again: %s",
			rd_kafka_err2str(code));
}

/* What a commit that somebody waits for has come to. */
struct commit_answer {
	struct consumer *consumer;
	rd_kafka_resp_err_t code;
	bool came;
};

static void commit_answered(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
	(void)client;
	struct commit_answer *answer = opaque;
	answer->came = true;
	answer->code = code;
	if (!commit_failed(code))
		note_committed(answer->consumer, offsets);
}

/* When to wait no longer for the answer to a commit. Closing leaves less time, though not none. */
static int64_t commit_deadline(const struct consumer *consumer)
{
	int64_t now = clock_monotonic_ns();
	int64_t deadline = now + COMMIT_TIMEOUT_MS * NS_PER_MS;
	if (!consumer->closing || consumer->close_by_ns > deadline)
		return deadline;
	int64_t least = now + LAST_COMMIT_MS * NS_PER_MS;
	return consumer->close_by_ns > least ? consumer->close_by_ns : least;
}

bool consumer_commit_now(struct consumer *consumer, const rd_kafka_topic_partition_list_t *offsets,
	struct error *err)
{
	struct commit_answer answer = {.consumer = consumer};
	rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->client);
	answer.code =
		rd_kafka_commit_queue(consumer->client, offsets, queue, commit_answered, &answer);
	int64_t deadline = commit_deadline(consumer);
	while (!commit_failed(answer.code) && !answer.came) {
		int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
		if (left_ms <= 0)
			answer.code = RD_KAFKA_RESP_ERR__TIMED_OUT;
		else
			rd_kafka_queue_poll_callback(queue, (int)left_ms);
	}
	rd_kafka_queue_destroy(queue);
	if (commit_failed(answer.code))
		return error_set(
			err, "offsets could not be committed: %s", rd_kafka_err2str(answer.code));
	return true;
}

bool consumer_commit(struct consumer *consumer, struct error *err)
{
	store_done(consumer);
	return consumer_commit_now(consumer, NULL, err);
}

/* Commits what is done, every kafka.commit_interval_ms, one commit at a time. */
void consumer_commit_in_time(struct consumer *consumer)
{
	int64_t now = clock_monotonic_ns();
	if (consumer->committing || now < consumer->next_commit_ns ||
		!consumer_uncommitted(consumer))
		return;
	consumer->next_commit_ns = now + consumer->settings->kafka.commit_interval_ms * NS_PER_MS;
	store_done(consumer);
	consumer->committing =
		rd_kafka_commit(consumer->client, NULL, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void consumer_store(struct consumer *consumer, void *source, int64_t offset)
{
	struct partition *partition = consumer_find_source(consumer, source);
	if (partition != NULL && offset > partition->done)
		partition->done = offset;
	if (partition != NULL && consumer->settings->kafka.delivery == DELIVERY_EXACTLY_ONCE)
		partition->committed = partition->done;
}

/* --- for transactions --- */

struct kafka_member *consumer_member(struct consumer *consumer)
{
	return kafka_member_of(rd_kafka_consumer_group_metadata(consumer->client));
}

bool consumer_ask_committed(struct consumer *consumer, struct kafka_offset *offsets, size_t count,
	int timeout_ms, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition);
	rd_kafka_resp_err_t code = rd_kafka_committed(consumer->client, list, timeout_ms);
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		code = list->elems[i].err;
	for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		offsets[i].offset = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
	       error_set(err, "the group's offsets cannot be read: %s", rd_kafka_err2str(code));
}

/* --- rebalance --- */

void consumer_set_joined(struct consumer *consumer, bool joined)
{
	if (joined)
		consumer->left_at = 0;
	else if (consumer->left_at == 0)
		consumer->left_at = clock_monotonic_ns();
}

static bool cooperative(struct consumer *consumer)
{
	const char *protocol = rd_kafka_rebalance_protocol(consumer->client);
	return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

/* Gives a partition's records up to librdkafka, or takes them. */
static void change_assignment(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *list, bool add)
{
	rd_kafka_error_t *error = NULL;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (!cooperative(consumer))
		code = rd_kafka_assign(consumer->client, add ? list : NULL);
	else if (add)
		error = rd_kafka_incremental_assign(consumer->client, list);
	else
		error = rd_kafka_incremental_unassign(consumer->client, list);
	if (error != NULL) {
		code = rd_kafka_error_code(error);
		rd_kafka_error_destroy(error);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR,
			"partitions could not be %s: %s", add ? "taken" : "given up",
			rd_kafka_err2str(code));
}

/* Reads the committed offsets of the list's partitions into it. False where the group could not be
 * asked. */
static bool look_up_committed(struct consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int attempt = 0; attempt < LOOKUP_ATTEMPTS; attempt++) {
		code = rd_kafka_committed(consumer->client, list, LOOKUP_TIMEOUT_MS);
		for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
			code = list->elems[i].err;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
	}
	kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
		"the group's offsets could not be read, so where there is none it starts at the "
		"earliest "
		"record: %s",
		rd_kafka_err2str(code));
	return false;
}

/* The end of a partition, where kafka.start_from says to begin there. */
static int64_t look_up_end(struct consumer *consumer, const rd_kafka_topic_partition_t *one)
{
	int64_t low = 0;
	int64_t high = 0;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		consumer->client, one->topic, one->partition, &low, &high, LOOKUP_TIMEOUT_MS);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? high : RD_KAFKA_OFFSET_END;
}

/*
 * Sets where each partition begins: at the committed offset; without one, as kafka.start_from says.
 * An end that was looked up is put into `ends`, to be committed: else a restart before the first
 * commit would skip what came between.
 */
static void choose_starts(struct consumer *consumer, rd_kafka_topic_partition_list_t *list,
	rd_kafka_topic_partition_list_t *ends)
{
	if (list->cnt == 0)
		return;
	bool known = look_up_committed(consumer, list);
	for (int i = 0; i < list->cnt; i++) {
		rd_kafka_topic_partition_t *one = &list->elems[i];
		if (!known) {
			one->offset = RD_KAFKA_OFFSET_STORED;
		} else if (one->offset < 0 &&
			   consumer->settings->kafka.start_from == START_FROM_LATEST) {
			one->offset = look_up_end(consumer, one);
			if (one->offset >= 0)
				rd_kafka_topic_partition_list_add(ends, one->topic, one->partition)
					->offset = one->offset;
		} else if (one->offset < 0) {
			one->offset = RD_KAFKA_OFFSET_BEGINNING;
		}
	}
}

/* Makes a source for one partition. */
void consumer_open_partition(
	struct consumer *consumer, const char *name, int32_t number, int64_t start)
{
	const char *topic = intern_topic(consumer, name);
	size_t count = consumer->partition_count;
	struct partition *partitions =
		realloc(consumer->partitions, (count + 1) * sizeof(*partitions));
	if (partitions != NULL)
		consumer->partitions = partitions;
	void *source = NULL;
	if (topic != NULL && partitions != NULL)
		source = consumer->callbacks.assigned(consumer->callbacks.context, topic, number);
	if (source == NULL) {
		consumer_break_down(consumer, "out of memory");
		return;
	}
	partitions[count] = (struct partition){
		.topic = topic,
		.number = number,
		.source = source,
		.start = start,
		.next = start >= 0 ? start : -1,
		.done = -1,
		.stored = -1,
		.committed = -1,
	};
	consumer->partition_count++;
}

void consumer_set_paused(
	struct consumer *consumer, struct partition *partitions, size_t count, bool paused)
{
	if (count == 0)
		return;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++) {
		if (partitions[i].paused != paused)
			rd_kafka_topic_partition_list_add(
				list, partitions[i].topic, partitions[i].number);
		partitions[i].paused = paused;
	}
	if (list->cnt > 0 && paused)
		rd_kafka_pause_partitions(consumer->client, list);
	else if (list->cnt > 0)
		rd_kafka_resume_partitions(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void take_partitions(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *assigned)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(assigned);
	rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(0);
	consumer->last = NULL;
	choose_starts(consumer, list, ends);
	change_assignment(consumer, list, true);
	for (int i = 0; i < list->cnt; i++)
		consumer_open_partition(consumer, list->elems[i].topic, list->elems[i].partition,
			list->elems[i].offset);
	struct error err = {0};
	if (ends->cnt > 0 && !consumer_commit_now(consumer, ends, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"where the group starts is not written down yet: %s", err.text);
	rd_kafka_topic_partition_list_destroy(ends);
	rd_kafka_topic_partition_list_destroy(list);
	consumer_set_joined(consumer, true);
	kafka_link_fine(&consumer->link, NULL);
}

/*
 * Forgets the partitions whose sources are named. librdkafka remembers that one is paused, so that
 * is undone here, where it costs nothing: done to a new assignment, it sends librdkafka back to the
 * search for its first record, for half a second.
 */
void consumer_close_partitions(struct consumer *consumer, void *const *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct partition *partition = consumer_find_source(consumer, sources[i]);
		if (partition == NULL)
			continue;
		consumer_set_paused(consumer, partition, 1, false);
		*partition = consumer->partitions[--consumer->partition_count];
	}
	consumer->last = NULL;
}

/* Has the sources drained, and commits what is done, unless they are lost. */
void consumer_revoke(struct consumer *consumer, void *const *sources, size_t count, bool lost)
{
	if (count == 0)
		return;
	consumer->callbacks.revoked(consumer->callbacks.context, sources, count, lost);
	struct error err = {0};
	if (!lost && consumer_uncommitted(consumer) && !consumer_commit(consumer, &err))
		kafka_link_say(&consumer->link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN,
			"%s: the next owner of the partitions may repeat requests", err.text);
	consumer_close_partitions(consumer, sources, count);
}

static void give_partitions_up(
	struct consumer *consumer, const rd_kafka_topic_partition_list_t *list, bool lost)
{
	consumer_set_joined(consumer, cooperative(consumer) && !lost);
	void **sources = mem_new_array(void *, (size_t)list->cnt + 1);
	size_t count = 0;
	for (int i = 0; sources != NULL && i < list->cnt; i++) {
		struct partition *partition =
			consumer_find(consumer, list->elems[i].topic, list->elems[i].partition);
		if (partition != NULL)
			sources[count++] = partition->source;
	}
	if (sources == NULL)
		consumer_break_down(consumer, "out of memory");
	else
		consumer_revoke(consumer, sources, count, lost);
	free(sources);
	change_assignment(consumer, list, false);
}

void consumer_rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct kafka_link *link = opaque;
	struct consumer *consumer = link->owner;
	switch (code) {
	case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
		if (consumer->closing)
			rd_kafka_assign(client, NULL);
		else
			take_partitions(consumer, partitions);
		break;
	case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
		give_partitions_up(consumer, partitions, rd_kafka_assignment_lost(client) != 0);
		break;
	default:
		kafka_link_say(link, KAFKA_NEWS_OTHER, LOG_LEVEL_ERROR, "the rebalance failed: %s",
			rd_kafka_err2str(code));
		give_partitions_up(consumer, partitions, true);
	}
}
