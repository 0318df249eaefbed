/*
 * The topic reader: reads what is in topics, without being in a consumer group.
 *
 * It needs no right on any group, commits nothing, and is nobody's member: the partitions stay with
 * those who consume them. What producers have not committed, or have taken back, it does not see.
 *
 * For one thread; the reports alone may come on other threads.
 */
#ifndef IO_TOPIC_READER_H
#define IO_TOPIC_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/event.h"
#include "io/kafka.h"
#include "io/settings.h"

struct topic_reader;

/* `settings` must outlive it. NULL and err where a setting or a property is not to librdkafka's
 * liking. */
struct topic_reader *topic_reader_new(
	const struct settings *settings, kafka_report_fn *report, void *context, struct error *err);
void topic_reader_free(struct topic_reader *reader);

/*
 * The ranges that hold all records of a topic whose time is `since_ms` or later (some records may
 * be older), one a partition; INT64_MIN: all there are. The array is the caller's to free(); its
 * `topic` is the one given. False and err where no broker answers within timeout_ms, or the topic
 * is not there or may not be read.
 */
bool topic_reader_ranges_since(struct topic_reader *reader, const char *topic, int64_t since_ms,
	int timeout_ms, struct record_range **ret_ranges, size_t *ret_count, struct error *err);

/*
 * Begins to read ranges, sorted by topic, partition and offset, instead of what it read before.
 * Each ends at the end that its partition has now, at the latest; what the log no longer holds is
 * left out. Texts must live until it is read; the array is copied. False and err as above.
 */
bool topic_reader_begin(struct topic_reader *reader, const struct record_range *ranges,
	size_t count, int timeout_ms, struct error *err);

enum topic_read {
	TOPIC_READ_RECORD,
	TOPIC_READ_NOTHING, /* nothing came in time: no broker may be there */
	TOPIC_READ_END,     /* all ranges were read */
	TOPIC_READ_FAILED,  /* cannot go on */
};

/*
 * The next record of a range, waiting for it at most timeout_ms. Partitions take turns, and each
 * keeps its order. What the record points to is the reader's until the next call. err: for
 * TOPIC_READ_FAILED.
 */
enum topic_read topic_reader_next(
	struct topic_reader *reader, int timeout_ms, struct record *ret_record, struct error *err);

/* How many offsets the ranges have in all, and how many of them are behind it. */
void topic_reader_progress(
	const struct topic_reader *reader, int64_t *ret_done, int64_t *ret_total);

#endif
