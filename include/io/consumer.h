/*
 * The consumer: reads request records as a member of the consumer group, and commits what is done.
 *
 * One thread, intake's, uses it. All that happens comes through the callbacks, on that thread, from
 * within consumer_poll() and consumer_close(); the reports alone may come on other threads.
 *
 * Each assignment of a partition is a `source`: what `assigned` returned for it. After a rebalance
 * the same partition is a new source, so that whatever belongs to an earlier assignment can be told
 * apart and dropped.
 */
#ifndef IO_CONSUMER_H
#define IO_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "io/kafka.h"
#include "io/settings.h"

struct consumer_callbacks {
	void *context;

	/*
	 * A partition was assigned. `topic` lives as long as the consumer. Returns the source that
	 * stands for it from now on; NULL only where memory is out, which makes consumer_poll()
	 * fail.
	 */
	void *(*assigned)(void *context, const char *topic, int32_t partition);

	/*
	 * These sources are about to be revoked. It may take as long as the drain needs
	 * (kafka.revoke_timeout_ms), and calls consumer_store() for each. When it returns, the
	 * offsets stored are committed, unless `lost`: then the partitions belong to somebody else
	 * already. The sources are not named again.
	 */
	void (*revoked)(void *context, void *const *sources, size_t count, bool lost);

	/* A record; it is gone when this returns. False and err (out of memory) makes
	 * consumer_poll() fail. */
	bool (*received)(
		void *context, const struct record *record, void *source, struct error *err);

	kafka_report_fn *report;
};

struct consumer;

/*
 * A consumer that has subscribed to kafka.request_topics and joins the group from its first poll
 * on. `settings` must outlive it; `callbacks` are copied. NULL and err where a setting or a
 * property is not to librdkafka's liking: the text names it as the user wrote it.
 */
struct consumer *consumer_new(const struct settings *settings,
	const struct consumer_callbacks *callbacks, struct error *err);

/*
 * Leaves the group: `revoked` is called for what is assigned, offsets stored are committed, and the
 * member leaves. At most `timeout_ms`; true where it left in time. consumer_free() comes after it.
 */
bool consumer_close(struct consumer *consumer, int timeout_ms, struct error *err);
void consumer_free(struct consumer *consumer);

/*
 * Sleeps until there is something to do, consumer_wake() is called, or timeout_ms is over; then
 * delivers what there is through the callbacks, at most `max_records` records. False and err where
 * the consumer cannot go on.
 *
 * With max_records 0 it takes nothing, not even news of the group, and does not sleep: it only
 * commits what is due. Records that were fetched stay where they are, at no cost, unlike with
 * consumer_pause_all(); but a group waits for a member that takes nothing for long.
 */
bool consumer_poll(
	struct consumer *consumer, int timeout_ms, size_t max_records, struct error *err);

/* Called from `received`: the record was the last that this consumer_poll() delivers. */
void consumer_enough(struct consumer *consumer);

/* Ends the sleep of consumer_poll(), now or the next time. For any thread. */
void consumer_wake(struct consumer *consumer);

/*
 * Stops, or starts again, the delivery of records of one source, or of all. What was fetched and
 * not yet delivered is fetched again later: pause rarely. New assignments start unpaused.
 */
void consumer_pause(struct consumer *consumer, void *source);
void consumer_resume(struct consumer *consumer, void *source);
void consumer_pause_all(struct consumer *consumer);
void consumer_resume_all(struct consumer *consumer);

/*
 * Notes that everything below `offset` is done; with kafka.delivery exactly_once, where
 * transactions commit, that is all. Otherwise it is committed every kafka.commit_interval_ms, and
 * when the partition is revoked. Never moves a group backwards. A source that is no longer assigned
 * is ignored.
 */
void consumer_store(struct consumer *consumer, void *source, int64_t offset);

/*
 * The offset that is committed for a source (where it began, until something is), and the end of
 * its log as last seen; -1 where unknown. The end is seen when records are fetched, so not while
 * consumption is held up: see consumer_query_bounds(). False for a source that is no longer
 * assigned.
 */
bool consumer_position(
	struct consumer *consumer, void *source, int64_t *ret_committed, int64_t *ret_end);

/*
 * Who it is in its group now; the caller frees it. NULL where it is no member, or memory is out.
 * For any thread.
 */
struct kafka_member *consumer_member(struct consumer *consumer);

/*
 * Asks the group's coordinator for the offsets that are committed for these partitions, and writes
 * them into the list (-1: none). It answers once no transaction is open that may change them. False
 * and err where it does not answer in time. For any thread.
 */
bool consumer_ask_committed(struct consumer *consumer, struct kafka_offset *offsets, size_t count,
	int timeout_ms, struct error *err);

/* Commits what is stored, now. False and err where the broker did not take it. */
bool consumer_commit(struct consumer *consumer, struct error *err);

/* Whether it is a member of the group with an assignment in place, an empty one too. For any
 * thread. */
bool consumer_joined(const struct consumer *consumer);

/* Since when it is not, of the monotonic clock; 0 while it is, -1 where it never was. For any
 * thread. */
int64_t consumer_left_at(const struct consumer *consumer);

/* Where a partition's log begins and ends. */
struct consumer_bounds {
	const char *topic;
	int32_t partition;
	int64_t beginning; /* -1: unknown */
	int64_t end;
};

/*
 * Whether librdkafka, once its queue is full, fetches no more for up to a second, however soon
 * there is room: before 2.2 nothing tells the thread that fetches, but something that is asked of
 * its broker. For any thread.
 */
bool consumer_dozes(void);

/*
 * Asks the brokers for the bounds of partitions, two requests a broker, and waits for the answers.
 * What is not answered in time stays as it is. For any thread.
 */
void consumer_query_bounds(
	struct consumer *consumer, struct consumer_bounds *bounds, size_t count, int timeout_ms);

/*
 * Whether the topics exist and may be described, asked of the brokers without creating any;
 * `timeout_ms` for the whole. False and err naming the first that does not. For any thread.
 */
bool consumer_check_topics(struct consumer *consumer, const char *const *topics, size_t count,
	int timeout_ms, struct error *err);

#endif
