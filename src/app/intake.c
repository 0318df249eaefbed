#include "intake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "drain.h"
#include "io/consumer.h"
#include "partition.h"
#include "pulse.h"

#define POLL_MS           100 /* how long it sleeps where nothing comes */
#define RECORDS_A_ROUND   500 /* how many records it takes before it looks at anything else */
#define STORE_INTERVAL_NS (20 * NS_PER_MS)
#define REST_MS           5
#define STIR_RECORDS      1000 /* after so many librdkafka is to look for more; see consumer_dozes() */
#define PAUSE_AFTER_NS    NS_PER_S /* how long it is full before it pauses */

/* Events for one worker, gathered during a round so that it is woken once. */
struct batch {
	struct event *first, *last;
};

struct intake {
	struct intake_options options;
	struct consumer *consumer;
	struct bytes *keep; /* names of the headers that are copied with a record */
	size_t keep_count;
	struct batch *batches; /* one a worker */
	size_t next_worker;    /* of events that belong to no lane */
	struct partition *partitions;
	struct positions *positions;
	struct intake_topic *topics;
	size_t unstirred; /* records taken since librdkafka was last made to look for more */
	int64_t stored_at;
	int64_t full_since;     /* when it was last found full */
	_Atomic(bool) paused;   /* it was full for long */
	bool unpaused_newcomer; /* a partition was assigned since the last pause */

	struct pulse pulse;
	pthread_t thread;
	bool started;
	_Atomic(int64_t) deadline; /* of the stop; 0: it runs */
	_Atomic(bool) stopped;
	_Atomic(bool) clean;

	/* A drain on intake's thread sleeps here; any thread nudges. */
	pthread_mutex_t rest_lock;
	pthread_cond_t rest_over;
	_Atomic(bool) draining;
	_Atomic(bool) wants_room; /* full: to be woken when there is room */

	_Atomic(size_t) partition_count;
	_Atomic(uint64_t) rebalances;
	_Atomic(uint64_t) drains_cut_short;
};

/* Which of kafka.request_topics that is; the consumer knows no other. */
static size_t topic_number(const struct intake *intake, const char *topic)
{
	const struct text_list *topics = &intake->options.settings->kafka.request_topics;
	size_t number = 0;
	while (number + 1 < topics->count && strcmp(topics->items[number], topic) != 0)
		number++;
	return number;
}

/* Looks where all partitions are, now and then. */
static void take_positions(struct intake *intake, bool now_please)
{
	const struct positions_scene scene = {
		.consumer = intake->consumer,
		.partitions = intake->partitions,
		.workers = intake->options.workers,
		.worker_count = intake->options.worker_count,
		.held_up = intake->wants_room,
	};
	positions_take(intake->positions, &scene, now_please);
}

static void *on_assigned(void *context, const char *topic, int32_t number)
{
	struct intake *intake = context;
	struct partition *partition = partition_new(topic, number, NULL);
	if (partition == NULL)
		return NULL;
	partition->topic_number = topic_number(intake, topic);
	DL_APPEND(intake->partitions, partition);
	intake->partition_count++;
	intake->unpaused_newcomer = true;
	log_info(intake->options.log, "partition assigned", LOG_TEXT("topic", topic),
		LOG_INT("partition", number));
	return partition;
}

/* FNV-1a, to spread lanes over the workers. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The worker whose flow an event's lane lives in. */
static size_t worker_of(struct intake *intake, const struct event *event)
{
	size_t count = intake->options.worker_count;
	int ordering = intake->options.settings->lookup.ordering;
	struct bytes key = event->record.key;
	if (count == 1)
		return 0;
	if (ordering == ORDERING_NONE || (ordering == ORDERING_KEY && key.data == NULL))
		return intake->next_worker++ % count;
	uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), &event->source, sizeof(void *));
	if (ordering == ORDERING_KEY)
		hash = hash_bytes(hash, key.data, key.length);
	return (size_t)((hash >> 32) % count);
}

static bool on_received(void *context, const struct record *record, void *source, struct error *err)
{
	struct intake *intake = context;
	struct partition *partition = source;
	struct event *event = event_new(record, intake->keep, intake->keep_count, err);
	if (event == NULL)
		return false;
	size_t uncommitted = partition_open(partition, event, err);
	if (uncommitted == 0) {
		event_free(event);
		return false;
	}
	intake->unstirred++;
	event->received_at = clock_monotonic_ns();
	budget_spend(intake->options.budget, event->size);
	atomic_fetch_add_explicit(
		&intake->topics[partition->topic_number].consumed, 1, memory_order_relaxed);
	if (!partition->paused &&
		uncommitted > (size_t)intake->options.settings->lookup.max_uncommitted_events) {
		consumer_pause(intake->consumer, partition);
		partition->paused = true;
	}
	struct batch *batch = &intake->batches[worker_of(intake, event)];
	event->next = NULL;
	if (batch->last == NULL)
		batch->first = event;
	else
		batch->last->next = event;
	batch->last = event;
	if (budget_full(intake->options.budget))
		consumer_enough(intake->consumer);
	return true;
}

static void give_batches(struct intake *intake)
{
	for (size_t i = 0; i < intake->options.worker_count; i++) {
		struct batch *batch = &intake->batches[i];
		if (batch->first != NULL)
			worker_give(intake->options.workers[i], batch->first, batch->last);
		*batch = (struct batch){0};
	}
}

static void store(struct intake *intake, struct partition *partition)
{
	int64_t watermark = partition_watermark(partition);
	if (watermark > partition->stored) {
		consumer_store(intake->consumer, partition, watermark);
		partition->stored = watermark;
	}
}

static void rest(void *context)
{
	struct intake *intake = context;
	take_positions(intake, false);
	struct timespec until;
	pulse_beat(&intake->pulse);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += REST_MS * NS_PER_MS;
	until.tv_sec += until.tv_nsec / NS_PER_S;
	until.tv_nsec %= NS_PER_S;
	pthread_mutex_lock(&intake->rest_lock);
	pthread_cond_clockwait(&intake->rest_over, &intake->rest_lock, CLOCK_MONOTONIC, &until);
	pthread_mutex_unlock(&intake->rest_lock);
}

static void drain_partitions(
	struct intake *intake, struct partition **partitions, size_t count, bool lost)
{
	int64_t stop_by = intake->deadline;
	int64_t revoke_by = clock_monotonic_ns() +
			    intake->options.settings->kafka.revoke_timeout_ms * NS_PER_MS;
	struct drain drain = {
		.workers = intake->options.workers,
		.worker_count = intake->options.worker_count,
		.gate = intake->options.gate,
		.delivery = intake->options.delivery,
		.partitions = partitions,
		.count = count,
		.deadline = stop_by != 0 ? stop_by : revoke_by,
		.rest = rest,
		.context = intake,
	};
	give_batches(intake);
	intake->draining = true;
	if (lost) {
		drain_abandon(&drain);
	} else if (!drain_run(&drain)) {
		intake->drains_cut_short++;
		intake->clean = false;
		log_warn(intake->options.log,
			"drain cut short: requests that were under way are read again, and their "
			"results may repeat",
			LOG_INT("partitions", count));
	}
	intake->draining = false;
}

static void on_revoked(void *context, void *const *sources, size_t count, bool lost)
{
	struct intake *intake = context;
	if (count == 0)
		return;
	log_info(intake->options.log, lost ? "partitions lost" : "partitions revoked",
		LOG_INT("partitions", count));
	drain_partitions(intake, (struct partition **)sources, count, lost);
	intake->rebalances++;
	for (size_t i = 0; i < count; i++) {
		struct partition *partition = sources[i];
		if (!lost)
			store(intake, partition);
		pthread_mutex_lock(&partition->lock);
		partition->revoked = true;
		pthread_mutex_unlock(&partition->lock);
		/* The analyser takes utlist's head for one that may be NULL: it has members. */
		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
		DL_DELETE(intake->partitions, partition);
		intake->partition_count--;
		partition_release(partition);
	}
	take_positions(intake, true);
}

/* Full it was; whether there is room again. To resume what was paused is dear, and waits for more
 * of it. */
static bool has_room_again(const struct intake *intake)
{
	return budget_free(intake->options.budget, intake->paused ? 2 : 8);
}

/*
 * Full or open again, with a threshold between the two. To pause costs all that was fetched: a
 * buffer that is full for a moment leaves records where they are instead, and only one that stays
 * full is paused, so that news of the group are still taken.
 */
static void mind_budget(struct intake *intake)
{
	int64_t now = clock_monotonic_ns();
	if (!intake->wants_room && budget_full(intake->options.budget)) {
		intake->wants_room = true;
		intake->full_since = now;
	}
	if (intake->wants_room && has_room_again(intake)) {
		intake->wants_room = false;
		if (intake->paused)
			consumer_resume_all(intake->consumer);
		intake->paused = false;
	}
	bool pause = intake->wants_room && now - intake->full_since >= PAUSE_AFTER_NS;
	if (pause && (!intake->paused || intake->unpaused_newcomer)) {
		consumer_pause_all(intake->consumer);
		intake->unpaused_newcomer = false;
		intake->paused = true;
	}
}

/* Any question to the brokers makes librdkafka look whether its queue has room again. */
static void stir(struct intake *intake)
{
	if (intake->unstirred < STIR_RECORDS || !consumer_dozes())
		return;
	intake->unstirred = 0;
	positions_ask(intake->positions);
}

/* Pauses nothing itself: resumes partitions whose uncommitted events fell to half of what is
 * allowed. */
static void mind_uncommitted(struct intake *intake)
{
	size_t half = (size_t)intake->options.settings->lookup.max_uncommitted_events / 2;
	struct partition *partition;
	DL_FOREACH (intake->partitions, partition) {
		if (!partition->paused || partition_uncommitted(partition) > half)
			continue;
		partition->paused = false;
		if (!intake->paused)
			consumer_resume(intake->consumer, partition);
	}
}

static void store_all(struct intake *intake)
{
	int64_t now = clock_monotonic_ns();
	if (now < intake->stored_at + STORE_INTERVAL_NS)
		return;
	intake->stored_at = now;
	struct partition *partition;
	DL_FOREACH (intake->partitions, partition)
		store(intake, partition);
	mind_uncommitted(intake);
}

static void *intake_main(void *context)
{
	struct intake *intake = context;
	struct error err = {0};
	while (intake->deadline == 0) {
		pulse_beat(&intake->pulse);
		bool hold = intake->wants_room && !intake->paused;
		if (hold)
			rest(intake);
		if (!consumer_poll(intake->consumer, POLL_MS, hold ? 0 : RECORDS_A_ROUND, &err)) {
			intake->options.fatal(intake->options.context, err.text);
			break;
		}
		give_batches(intake);
		stir(intake);
		mind_budget(intake);
		store_all(intake);
		take_positions(intake, false);
	}
	while (intake->deadline == 0)
		rest(intake);
	int64_t left_ms = (intake->deadline - clock_monotonic_ns()) / NS_PER_MS;
	if (!consumer_close(intake->consumer, left_ms > 0 ? (int)left_ms : 0, &err)) {
		log_warn(intake->options.log, "leaving the group failed",
			LOG_TEXT("reason", err.text));
		intake->clean = false;
	}
	intake->stopped = true;
	return NULL;
}

static void on_news(void *context, const struct kafka_report *report)
{
	struct intake *intake = context;
	if (report->news == KAFKA_NEWS_OFFSET_RESET)
		intake->topics[topic_number(intake, report->topic)].offset_resets++;
	intake->options.report(intake->options.context, report);
}

/* Which headers of a record are worth keeping: what says its form, and what is forwarded. */
static bool choose_headers(struct intake *intake, struct error *err)
{
	static const char *const form[] = {
		"content-type", "ce_specversion", "ce_id", "care360-replay-of", "traceparent"};
	const struct text_list *forward = &intake->options.settings->lookup.forward_headers;
	intake->keep = mem_new_array(struct bytes, array_length(form) + forward->count);
	if (intake->keep == NULL)
		return error_memory(err);
	for (size_t i = 0; i < array_length(form); i++)
		intake->keep[intake->keep_count++] = bytes_of_text(form[i]);
	for (size_t i = 0; i < forward->count; i++)
		intake->keep[intake->keep_count++] = bytes_of_text(forward->items[i]);
	return true;
}

struct intake *intake_new(const struct intake_options *options, struct error *err)
{
	struct intake *intake = mem_new(struct intake);
	if (intake == NULL) {
		error_memory(err);
		return NULL;
	}
	intake->options = *options;
	intake->clean = true;
	pthread_mutex_init(&intake->rest_lock, NULL);
	pthread_cond_init(&intake->rest_over, NULL);
	const struct text_list *topics = &options->settings->kafka.request_topics;
	struct consumer_callbacks callbacks = {
		.context = intake,
		.assigned = on_assigned,
		.revoked = on_revoked,
		.received = on_received,
		.report = on_news,
	};
	intake->batches = mem_new_array(struct batch, options->worker_count);
	intake->topics = mem_new_array(struct intake_topic, topics->count);
	intake->positions = positions_new(err);
	for (size_t i = 0; intake->topics != NULL && i < topics->count; i++)
		intake->topics[i].name = topics->items[i];
	if (intake->batches == NULL || intake->topics == NULL)
		error_memory(err);
	else if (intake->positions != NULL && choose_headers(intake, err))
		intake->consumer = consumer_new(options->settings, &callbacks, err);
	if (intake->consumer == NULL) {
		intake_free(intake);
		return NULL;
	}
	return intake;
}

bool intake_start(struct intake *intake, struct error *err)
{
	if (!positions_start(intake->positions, intake->consumer, err))
		return false;
	int failed = pthread_create(&intake->thread, NULL, intake_main, intake);
	intake->started = failed == 0;
	return intake->started || error_system(err, failed, "cannot start a thread");
}

void intake_stop(struct intake *intake, int64_t deadline)
{
	intake->deadline = deadline;
	positions_stop(intake->positions);
	consumer_wake(intake->consumer);
}

bool intake_stopped(struct intake *intake, bool *ret_clean)
{
	if (!intake->stopped)
		return false;
	*ret_clean = intake->clean;
	return true;
}

void intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	if (intake->started)
		pthread_join(intake->thread, NULL);
	positions_free(intake->positions);
	consumer_free(intake->consumer);
	free(intake->keep);
	free(intake->batches);
	free(intake->topics);
	pthread_mutex_destroy(&intake->rest_lock);
	pthread_cond_destroy(&intake->rest_over);
	free(intake);
}

void intake_nudge(struct intake *intake)
{
	bool room = intake->wants_room && has_room_again(intake);
	if (!intake->draining && !room)
		return;
	pthread_cond_signal(&intake->rest_over);
	if (room)
		consumer_wake(intake->consumer);
}

enum intake_membership intake_membership(const struct intake *intake)
{
	int64_t left_at = consumer_left_at(intake->consumer);
	if (left_at == 0)
		return INTAKE_IS_MEMBER;
	int64_t counted_in = intake->options.settings->kafka.session_timeout_ms * NS_PER_MS;
	bool recently = left_at > 0 && clock_monotonic_ns() - left_at < counted_in;
	return recently ? INTAKE_REBALANCES : INTAKE_JOINS;
}

bool intake_check_topics(struct intake *intake, int timeout_ms, struct error *err)
{
	const struct settings *settings = intake->options.settings;
	const struct text_list *requests = &settings->kafka.request_topics;
	CLEANUP(free_pointer)
	const char **topics = mem_new_array(const char *, requests->count + 2);
	if (topics == NULL)
		return error_memory(err);
	size_t count = 0;
	for (size_t i = 0; i < requests->count; i++)
		topics[count++] = requests->items[i];
	topics[count++] = settings->kafka.result_topic;
	if (settings->kafka.error_topic[0] != '\0')
		topics[count++] = settings->kafka.error_topic;
	return consumer_check_topics(intake->consumer, topics, count, timeout_ms, err);
}

bool intake_alive(struct intake *intake, int64_t now)
{
	return intake->deadline != 0 || pulse_alive(&intake->pulse, now);
}

struct kafka_member *intake_member(struct intake *intake)
{
	return consumer_member(intake->consumer);
}

bool intake_ask_committed(struct intake *intake, struct kafka_offset *offsets, size_t count,
	int timeout_ms, struct error *err)
{
	return consumer_ask_committed(intake->consumer, offsets, count, timeout_ms, err);
}

void intake_state(struct intake *intake, struct intake_state *ret_state)
{
	*ret_state = (struct intake_state){
		.partitions = intake->partition_count,
		.full = intake->wants_room,
		.rebalances = intake->rebalances,
		.drains_cut_short = intake->drains_cut_short,
	};
}

const struct intake_topic *intake_topics(const struct intake *intake)
{
	return intake->topics;
}

struct positions *intake_positions(struct intake *intake)
{
	return intake->positions;
}
