/*
 * What the consumer and the producer have in common: how they report what happens at the brokers.
 *
 * io/kafka, io/consumer and io/producer are the only modules that know librdkafka.
 */
#ifndef IO_KAFKA_H
#define IO_KAFKA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "io/settings.h"

/* What a Kafka client tells its user, besides records and delivery reports. */
enum kafka_news {
	KAFKA_NEWS_LOG,           /* a line of librdkafka's own log, without secrets */
	KAFKA_NEWS_BROKERS_DOWN,  /* no broker can be reached, or none lets us in; goes on trying.
				     Again where more is known of why */
	KAFKA_NEWS_BROKERS_UP,    /* a broker can be used again */
	KAFKA_NEWS_TOPIC_MISSING, /* `resource`: a topic that does not exist (also: no partition of
				     it does) */
	KAFKA_NEWS_ACCESS_DENIED, /* `resource`: a topic, group or cluster that may not be used */
	KAFKA_NEWS_TOPIC_FINE,    /* `resource`: what was missing or denied, and is so no more */
	KAFKA_NEWS_OFFSET_RESET,  /* the committed offset is no longer in the log: goes on elsewhere
				   */
	KAFKA_NEWS_OTHER,         /* anything else that went wrong and is tried again */
	KAFKA_NEWS_FATAL,         /* the client cannot go on: fenced, or librdkafka's fatal error */
};

struct kafka_report {
	enum kafka_news news;
	enum log_level level;
	const char *text;     /* a sentence for people */
	const char *resource; /* "topic care360.lookup-results"; NULL where none is concerned */
	const char
		*topic; /* OFFSET_RESET: the topic, partition and from where to where; -1 unknown */
	int32_t partition;
	int64_t from_offset;
	int64_t to_offset;
};

/* How far a partition is done: everything below `offset`. */
struct kafka_offset {
	const char *topic;
	int32_t partition;
	int64_t offset; /* -1: nothing is known */
};

/*
 * Who a consumer was in its group at some time: a transaction that commits offsets must show it, so
 * that a member that was replaced meanwhile cannot.
 */
struct kafka_member;

/* NULL is fine. */
void kafka_member_free(struct kafka_member *member);

/* Receives reports, on any thread, also librdkafka's own: it must be quick and may not call back.
 */
typedef void kafka_report_fn(void *context, const struct kafka_report *report);

/*
 * A trouble is reported once when it comes and once when it is over, by each client by itself.
 * While it lasts, the brokers are asked about it. But a topic that may be described and not written
 * is seen to be fine only by a record that gets through: go on trying.
 */

/* "2.0.2": the version of librdkafka at work. False and err for one that is known to lose or
 * duplicate records. */
const char *kafka_library_version(void);
bool kafka_library_check(struct error *err);

/*
 * Whether librdkafka takes the settings and the properties of kafka.client, .consumer and
 * .producer, without a look at any broker. False and err naming the setting:
 * "kafka.consumer.fetch_min_bytess: no such ...".
 */
bool kafka_settings_check(const struct settings *settings, struct error *err);

#endif
