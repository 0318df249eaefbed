#include "transactions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery_state.h"
#include "partition.h"

#define SLICE_MS       5    /* how long it sleeps before it looks whether somebody is in a hurry */
#define STEP_MS        1000 /* how long a step waits before it looks whether it is to stop */
#define BATCH_MAX      5000 /* results in one transaction */
#define AFTER_ABORT_NS (NS_PER_S / 2)
#define TWICE_NS       (60 * NS_PER_S) /* a client that is finished twice within it stays so */

/*
 * Threads meet at `waiting` and the partitions' `pending` lists: workers add, under `lock`.
 * Everything else belongs to delivery's thread.
 */
struct transactions {
	struct delivery *delivery;
	pthread_mutex_t lock;
	struct partition *waiting; /* partitions with results that are ready */

	struct kafka_member
		*member;     /* who we are in the group, as the transaction under way shows */
	struct event *batch; /* of the transaction under way, linked by next, prev */
	struct kafka_offset *offsets;
	struct partition **partitions; /* whose offsets these are */
	size_t offset_count;
	size_t offset_room;
	size_t unreported; /* records sent that have no report yet */
	bool failed;       /* a record of this transaction was refused */
	struct error reason;
	int64_t anew_at; /* when the producer was last made anew; 0: never */
};

struct transactions *transactions_new(struct delivery *delivery, struct error *err)
{
	struct transactions *transactions = mem_new(struct transactions);
	if (transactions == NULL) {
		error_memory(err);
		return NULL;
	}
	transactions->delivery = delivery;
	pthread_mutex_init(&transactions->lock, NULL);
	return transactions;
}

/* Ends the events of a list. */
static void drop(struct transactions *transactions, struct event *events)
{
	while (events != NULL) {
		struct event *event = events;
		DL_DELETE(events, event);
		delivery_end(transactions->delivery, event);
	}
}

/* Takes all that waits of a partition; the lock is held. */
static struct event *take_pending(struct transactions *transactions, struct partition *partition)
{
	struct event *events = take_pointer(partition->pending);
	/* The analyser takes utlist's head for one that may be NULL: it has members. */
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	DL_DELETE2(transactions->waiting, partition, waiting_prev, waiting_next);
	return events;
}

void transactions_free(struct transactions *transactions)
{
	if (transactions == NULL)
		return;
	drop(transactions, take_pointer(transactions->batch));
	while (transactions->waiting != NULL)
		drop(transactions, take_pending(transactions, transactions->waiting));
	free(transactions->offsets);
	free(transactions->partitions);
	pthread_mutex_destroy(&transactions->lock);
	free(transactions);
}

/* Puts an event among those of its partition, in the order of their requests. The lock is held. */
static void insert(struct transactions *transactions, struct event *event)
{
	struct partition *partition = event->source;
	if (partition->pending == NULL)
		DL_APPEND2(transactions->waiting, partition, waiting_prev, waiting_next);
	struct event *behind = NULL; /* the first that comes after it: most come at the end */
	if (partition->pending != NULL && partition->pending->prev->sequence > event->sequence) {
		behind = partition->pending;
		while (behind->sequence < event->sequence)
			behind = behind->next;
	}
	if (behind == NULL)
		DL_APPEND(partition->pending, event);
	else
		DL_PREPEND_ELEM(partition->pending, behind, event);
}

void transactions_add(struct transactions *transactions, struct event *event)
{
	pthread_mutex_lock(&transactions->lock);
	insert(transactions, event);
	pthread_mutex_unlock(&transactions->lock);
}

void transactions_on_report(struct transactions *transactions, struct event *event,
	enum delivery_status status, const char *text)
{
	transactions->unreported--;
	if (status == DELIVERY_ACKNOWLEDGED)
		return;
	transactions->failed = true;
	if (status == DELIVERY_TOO_LARGE && delivery_shrink(event))
		return;
	if (text != NULL)
		error_set(&transactions->reason, "%s", text);
}

/* --- gathering --- */

static bool add_offset(struct transactions *transactions, struct partition *partition)
{
	if (transactions->offset_count == transactions->offset_room) {
		size_t room = transactions->offset_room == 0 ? 16 : 2 * transactions->offset_room;
		struct kafka_offset *offsets =
			reallocarray(transactions->offsets, room, sizeof(*offsets));
		if (offsets != NULL)
			transactions->offsets = offsets;
		struct partition **partitions =
			reallocarray(transactions->partitions, room, sizeof(struct partition *));
		if (partitions != NULL)
			transactions->partitions = partitions;
		if (offsets == NULL || partitions == NULL)
			return false;
		transactions->offset_room = room;
	}
	size_t i = transactions->offset_count++;
	transactions->partitions[i] = partition;
	transactions->offsets[i] = (struct kafka_offset){partition->topic, partition->number, -1};
	return true;
}

/* Moves what follows without a gap from a partition into the batch. The lock is held. */
static void gather_from(
	struct transactions *transactions, struct partition *partition, size_t *count)
{
	struct event *event = partition->pending;
	if (event->sequence != partition->next_sequence || *count >= BATCH_MAX ||
		!add_offset(transactions, partition))
		return;
	struct kafka_offset *offset = &transactions->offsets[transactions->offset_count - 1];
	while (event != NULL && event->sequence == partition->next_sequence && *count < BATCH_MAX) {
		DL_DELETE(partition->pending, event);
		DL_APPEND(transactions->batch, event);
		offset->offset = event->record.offset + 1;
		partition->next_sequence++;
		(*count)++;
		event = partition->pending;
	}
	if (partition->pending == NULL)
		DL_DELETE2(transactions->waiting, partition, waiting_prev, waiting_next);
}

/* Gathers a batch. What belongs to partitions that were revoked is dropped. */
static void gather(struct transactions *transactions)
{
	struct event *dropped = NULL;
	struct partition *partition;
	struct partition *next;
	size_t count = 0;
	transactions->offset_count = 0;
	pthread_mutex_lock(&transactions->lock);
	DL_FOREACH_SAFE2 (transactions->waiting, partition, next, waiting_next) {
		if (partition_revoked(partition)) {
			struct event *events = take_pending(transactions, partition);
			DL_CONCAT(dropped, events);
		} else {
			gather_from(transactions, partition, &count);
		}
	}
	pthread_mutex_unlock(&transactions->lock);
	drop(transactions, dropped);
}

/* The transaction is not to be: its results wait for the next. */
static void put_back(struct transactions *transactions)
{
	pthread_mutex_lock(&transactions->lock);
	for (size_t i = 0; i < transactions->offset_count; i++)
		transactions->partitions[i]->next_sequence = UINT64_MAX;
	while (transactions->batch != NULL) {
		struct event *event = transactions->batch;
		struct partition *partition = event->source;
		DL_DELETE(transactions->batch, event);
		if (event->sequence < partition->next_sequence)
			partition->next_sequence = event->sequence;
		insert(transactions, event);
	}
	pthread_mutex_unlock(&transactions->lock);
}

/* The transaction is committed. */
static void finish(struct transactions *transactions)
{
	while (transactions->batch != NULL) {
		struct event *event = transactions->batch;
		DL_DELETE(transactions->batch, event);
		delivery_count(transactions->delivery, event);
		partition_done(event->source, event);
		delivery_end(transactions->delivery, event);
	}
	transactions->delivery->blocked = false;
}

/* --- steps --- */

static bool is_to_stop(const struct transactions *transactions)
{
	return transactions->delivery->stop;
}

/* Serves the producer for a while, or until somebody is in a hurry where he may be. */
static void serve(struct transactions *transactions, int64_t until, bool hurry)
{
	struct delivery *delivery = transactions->delivery;
	while (!is_to_stop(transactions) && clock_monotonic_ns() < until) {
		pulse_beat(&delivery->pulse);
		if (hurry && atomic_exchange(&delivery->hurry, false))
			return;
		producer_poll(delivery->producer, SLICE_MS);
	}
}

/* Sends the batch. False where it cannot be all sent. */
static bool send_batch(struct transactions *transactions, struct error *err)
{
	struct delivery *delivery = transactions->delivery;
	struct event *event;
	DL_FOREACH (transactions->batch, event) {
		enum send_status status;
		while ((status = delivery_send(delivery, delivery->encoder, event, err)) ==
				SEND_FULL &&
			!is_to_stop(transactions))
			producer_poll(delivery->producer, SLICE_MS);
		if (status != SEND_QUEUED)
			return false;
		transactions->unreported++;
	}
	return true;
}

static enum step_status ready(struct transactions *transactions, struct error *err)
{
	return producer_ready_transactions(transactions->delivery->producer, STEP_MS, err);
}

static enum step_status add_offsets(struct transactions *transactions, struct error *err)
{
	return producer_add_offsets(transactions->delivery->producer, transactions->offsets,
		transactions->offset_count, transactions->member, STEP_MS, err);
}

static enum step_status commit(struct transactions *transactions, struct error *err)
{
	return producer_commit(transactions->delivery->producer, STEP_MS, err);
}

static enum step_status give_up(struct transactions *transactions, struct error *err)
{
	return producer_abort(transactions->delivery->producer, STEP_MS, err);
}

/* Takes a step until it has an end, or delivery is to stop. */
static enum step_status take(struct transactions *transactions,
	enum step_status (*step)(struct transactions *, struct error *), struct error *err)
{
	enum step_status status;
	while ((status = step(transactions, err)) == STEP_AGAIN && !is_to_stop(transactions)) {
		pulse_beat(&transactions->delivery->pulse);
		producer_poll(transactions->delivery->producer, SLICE_MS);
	}
	return status;
}

static enum step_status commit_batch(struct transactions *transactions, struct error *err)
{
	enum step_status status = producer_begin(transactions->delivery->producer, err);
	if (status != STEP_FINE)
		return status;
	if (!send_batch(transactions, err))
		return STEP_ABORT;
	status = take(transactions, add_offsets, err);
	return status == STEP_FINE ? take(transactions, commit, err) : status;
}

/* Whether the group's offsets say that the transaction was committed after all. */
static bool was_committed(struct transactions *transactions)
{
	const struct delivery_options *options = &transactions->delivery->options;
	size_t count = transactions->offset_count;
	CLEANUP(free_pointer)
	struct kafka_offset *committed = mem_new_array(struct kafka_offset, count + 1);
	struct error err = {0};
	if (committed == NULL)
		return false;
	memcpy(committed, transactions->offsets, count * sizeof(*committed));
	while (!options->ask_committed(options->context, committed, count, STEP_MS, &err))
		if (is_to_stop(transactions))
			return false;
	for (size_t i = 0; i < count; i++)
		if (committed[i].offset < transactions->offsets[i].offset)
			return false;
	return true;
}

/*
 * The client is finished, often because the broker gave up a transaction while it could not be
 * reached. A new one with the same id has the broker end what was left open; then the group's
 * offsets tell how. But where another instance uses the same id, both would go on doing this to
 * each other.
 */
static void start_anew(struct transactions *transactions, const struct error *why)
{
	struct delivery *delivery = transactions->delivery;
	int64_t now = clock_monotonic_ns();
	struct error err = *why;
	bool twice = transactions->anew_at != 0 && now - transactions->anew_at < TWICE_NS;
	transactions->anew_at = now;
	if (twice) {
		error_prefix(&err, "twice within a minute (does another instance use the same "
				   "kafka.transactional_id?)");
		delivery->options.fatal(delivery->options.context, err.text);
		return;
	}
	log_warn(delivery->options.log, "the transactional producer is made anew",
		LOG_TEXT("reason", why->text));
	while (!is_to_stop(transactions) && !producer_start_anew(delivery->producer, &err))
		serve(transactions, clock_monotonic_ns() + SLICE_MS * NS_PER_MS, false);
	take(transactions, ready, &err);
	if (was_committed(transactions))
		finish(transactions);
	else
		put_back(transactions);
}

static void abort_batch(struct transactions *transactions, struct error *err)
{
	struct delivery *delivery = transactions->delivery;
	struct error why = transactions->reason.text[0] != '\0' ? transactions->reason : *err;
	bool shrunk = transactions->failed && transactions->reason.text[0] == '\0';
	enum step_status status = take(transactions, give_up, err);
	while (transactions->unreported > 0 && !is_to_stop(transactions))
		producer_poll(delivery->producer, SLICE_MS);
	if (status == STEP_FATAL) {
		start_anew(transactions, err);
		return;
	}
	put_back(transactions);
	if (shrunk)
		return; /* a result was too large, and is sent smaller at once */
	delivery->counters.failures++;
	log_warn(delivery->options.log, "a transaction was aborted, and is tried again",
		LOG_TEXT("reason", why.text));
	delivery_block(delivery, delivery->options.settings->kafka.result_topic, why.text);
	serve(transactions, clock_monotonic_ns() + AFTER_ABORT_NS, false);
	delivery->blocked = false;
}

/* One transaction, where something is ready. */
static void transact(struct transactions *transactions)
{
	struct error err = {0};
	enum step_status status = STEP_AGAIN;
	gather(transactions);
	if (transactions->batch == NULL)
		return;
	transactions->failed = false;
	transactions->reason = (struct error){0};
	if (transactions->member != NULL)
		status = commit_batch(transactions, &err);
	switch (status) {
	case STEP_FINE:
		finish(transactions);
		break;
	case STEP_AGAIN: /* it is to stop, or is no member of its group now */
		put_back(transactions);
		break;
	case STEP_ABORT:
		abort_batch(transactions, &err);
		break;
	case STEP_FATAL:
		start_anew(transactions, &err);
		break;
	}
}

void transactions_run(struct transactions *transactions)
{
	struct delivery *delivery = transactions->delivery;
	int64_t interval = delivery->options.settings->kafka.transaction_interval_ms * NS_PER_MS;
	struct error err = {0};
	if (take(transactions, ready, &err) == STEP_FATAL)
		delivery->options.fatal(delivery->options.context, err.text);
	while (!is_to_stop(transactions)) {
		serve(transactions, clock_monotonic_ns() + interval, true);
		/* Before anything is gathered: a partition that is ours after this was ours as this
		 * member, or the broker refuses. */
		transactions->member = delivery->options.member(delivery->options.context);
		transact(transactions);
		kafka_member_free(take_pointer(transactions->member));
	}
}
