/*
 * Inside io: the consumer, in three files. consumer.c polls, hands out records, and is born and
 * ends; consumer_group.c takes and gives up partitions, and commits; consumer_view.c tells how
 * things are. All of it runs on the polling thread, but for what consumer.h gives to any.
 */
#ifndef IO_CONSUMER_PARTS_H
#define IO_CONSUMER_PARTS_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "io/consumer.h"
#include "kafka_conf.h"
#include "kafka_record.h"

/* A partition that is assigned to us. */
struct partition {
	const char *topic; /* one of the consumer's topic names */
	int32_t number;
	void *source;
	int64_t start;     /* where it began; librdkafka's logical offset while unknown */
	int64_t next;      /* the offset that the next record has, if none is missing; -1 unknown */
	int64_t done;      /* everything below is done; -1: nothing yet */
	int64_t stored;    /* what librdkafka was told of it */
	int64_t committed; /* what the broker has taken; -1 unknown */
	bool paused;
};

struct consumer {
	const struct settings *settings;
	struct consumer_callbacks callbacks;
	struct kafka_link link;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	rd_kafka_queue_t *close_queue; /* what happens while it is being closed */
	int queue_event;               /* librdkafka has something in its queue */
	int wake_event;                /* consumer_wake() was called */
	bool more;                     /* the last poll left records in the queue */

	char **topics; /* every topic name that was ever assigned */
	size_t topic_count;
	struct partition *partitions;
	size_t partition_count;
	struct partition *last; /* the last record's partition, and librdkafka's topic of it */
	const rd_kafka_topic_t *last_topic;

	struct kafka_headers headers; /* room for a record's */

	bool committing; /* an asynchronous commit is on its way */
	int64_t next_commit_ns;
	_Atomic(int64_t) left_at; /* as consumer_left_at() says */
	bool broken;              /* it cannot go on; `failure` says why */
	struct error failure;
	bool closing; /* it takes no partitions any more */
	int64_t close_by_ns;
	bool stuck; /* it did not close in time */
};

/* Has consumer_poll() fail from now on. */
void consumer_break_down(struct consumer *consumer, const char *why);

/* What is assigned; NULL where it is not. Valid until the assignment changes. */
struct partition *consumer_find(struct consumer *consumer, const char *topic, int32_t number);
struct partition *consumer_find_source(struct consumer *consumer, const void *source);

/* Whether something is done that no commit has taken. */
bool consumer_uncommitted(const struct consumer *consumer);

/* Commits what is done, every kafka.commit_interval_ms, one commit at a time. */
void consumer_commit_in_time(struct consumer *consumer);

/* Commits `offsets`, or all that is stored where it is NULL, and waits for the answer for a while.
 */
bool consumer_commit_now(struct consumer *consumer, const rd_kafka_topic_partition_list_t *offsets,
	struct error *err);

/* It is a member of the group from now on, or is none. */
void consumer_set_joined(struct consumer *consumer, bool joined);

/* Makes a source for one partition, which begins at `start`. */
void consumer_open_partition(
	struct consumer *consumer, const char *topic, int32_t number, int64_t start);

/* Pauses or resumes those that are not so yet. */
void consumer_set_paused(
	struct consumer *consumer, struct partition *partitions, size_t count, bool paused);

/* Forgets the partitions whose sources are named, none of them paused any more. */
void consumer_close_partitions(struct consumer *consumer, void *const *sources, size_t count);

/* Has the sources drained, commits what is done unless they are lost, and forgets them. */
void consumer_revoke(struct consumer *consumer, void *const *sources, size_t count, bool lost);

/* librdkafka's callbacks: the assignment changes; an asynchronous commit was answered. */
void consumer_rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *partitions, void *opaque);
void consumer_committed(rd_kafka_t *client, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *offsets, void *opaque);

#endif
