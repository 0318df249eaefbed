/*
 * Transactions: exactly-once delivery. Results and the offsets of their requests are committed
 * together, so that whoever reads committed data sees each result once, whatever dies when.
 *
 * Results that are ready wait here, by partition, in the order of their requests. A transaction
 * takes from each partition those that follow without a gap on what was committed before, sends
 * them, adds the offset behind the last, and is committed every kafka.transaction_interval_ms. One
 * that fails is aborted, and its results go into the next; the API is not asked again.
 *
 * A member that was replaced in its group meanwhile cannot commit: each transaction shows who it
 * was in the group before its results were gathered, and the results of partitions that were
 * revoked by then are dropped.
 */
#ifndef APP_TRANSACTIONS_H
#define APP_TRANSACTIONS_H

#include "base/error.h"
#include "core/event.h"
#include "io/producer.h"

struct delivery;
struct transactions;

/* NULL and err when out of memory. */
struct transactions *transactions_new(struct delivery *delivery, struct error *err);

/* Drops what waits. Delivery's thread has ended. NULL is fine. */
void transactions_free(struct transactions *transactions);

/* Takes an event whose outcome is set. For any thread. */
void transactions_add(struct transactions *transactions, struct event *event);

/* What became of a record: the producer's delivery report. On delivery's thread. */
void transactions_on_report(struct transactions *transactions, struct event *event,
	enum delivery_status status, const char *text);

/* Makes transactions until delivery is to stop. On delivery's thread. */
void transactions_run(struct transactions *transactions);

#endif
