#include "positions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"

#define TAKE_EVERY_NS (100 * NS_PER_MS)

/* An event that is the oldest for so long is looked for at the workers, and then as often. */
#define STUCK_NS NS_PER_S

/* How often brokers are asked for bounds: that are not known; that were, before nothing was
 * fetched any more. */
#define UNKNOWN_NS NS_PER_S
#define HELD_UP_NS (3 * NS_PER_S)
#define LOOK_NS    (500 * NS_PER_MS)
#define ASK_MS     2000

struct positions {
	pthread_mutex_t lock; /* of the list, the oldest, and the asking of brokers */
	struct position *list;
	size_t count;
	struct oldest_event oldest;
	bool held_up;

	pthread_t thread;
	bool started;
	bool stop;
	bool ask;              /* though nothing is unknown */
	pthread_cond_t called; /* to stop, or to ask */
	struct consumer *consumer;
	int64_t asked_at;

	/* Intake's thread alone. */
	int64_t taken_at;
	int64_t oldest_since;
	int64_t looked_at;
};

struct positions *positions_new(struct error *err)
{
	struct positions *positions = mem_new(struct positions);
	if (positions == NULL) {
		error_memory(err);
		return NULL;
	}
	pthread_mutex_init(&positions->lock, NULL);
	pthread_cond_init(&positions->called, NULL);
	positions->oldest.position.oldest = -1;
	return positions;
}

void positions_free(struct positions *positions)
{
	if (positions == NULL)
		return;
	positions_stop(positions);
	if (positions->started)
		pthread_join(positions->thread, NULL);
	pthread_mutex_destroy(&positions->lock);
	pthread_cond_destroy(&positions->called);
	free(positions->list);
	free(positions);
}

int64_t position_lag(const struct position *position)
{
	int64_t from = position->committed >= 0 ? position->committed : position->beginning;
	if (from < 0 || position->end < 0)
		return -1;
	return position->end > from ? position->end - from : 0;
}

static struct position look_at(struct consumer *consumer, struct partition *partition)
{
	struct position position = {
		.source = partition,
		.topic = partition->topic,
		.partition = partition->number,
		.committed = -1,
		.beginning = -1,
		.end = -1,
		.uncommitted = partition_uncommitted(partition),
	};
	position.oldest = partition_oldest(partition, &position.oldest_ms);
	consumer_position(consumer, partition, &position.committed, &position.end);
	return position;
}

/* Whether one partition's oldest event is older than another's. */
static bool is_older(const struct position *a, const struct position *b)
{
	if (a->oldest < 0 || b->oldest < 0)
		return a->oldest >= 0;
	return a->oldest_ms < b->oldest_ms;
}

/* What is asked of each worker, on its own thread. */
struct question {
	const void *source;
	int64_t offset;
	bool found;
	struct flow_oldest answer;
};

static void answer_question(struct flow *flow, void *argument)
{
	struct question *question = argument;
	struct flow_oldest oldest;
	if (!flow_oldest(flow, question->source, &oldest) || oldest.offset != question->offset)
		return;
	question->found = true;
	question->answer = oldest;
}

/* Finds out who has the oldest event, where it has been the oldest for long. */
static void find_oldest(struct positions *positions, const struct positions_scene *scene,
	struct oldest_event *oldest, int64_t now)
{
	const struct oldest_event *before = &positions->oldest;
	const struct position *position = &oldest->position;
	if (position->oldest < 0 || position->source != before->position.source ||
		position->oldest != before->position.oldest) {
		positions->oldest_since = now;
		return;
	}
	oldest->place = before->place;
	oldest->flow = before->flow;
	if (now < positions->oldest_since + STUCK_NS || now < positions->looked_at + STUCK_NS)
		return;
	positions->looked_at = now;
	struct question question = {.source = position->source, .offset = position->oldest};
	for (size_t i = 0; i < scene->worker_count && !question.found; i++)
		worker_call(scene->workers[i], answer_question, &question);
	oldest->place = question.found ? OLDEST_IN_FLOW : OLDEST_IN_DELIVERY;
	oldest->flow = question.answer;
}

static bool same_partition(const struct position *a, const struct position *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* The position of the same partition in a list, most likely at the same place. */
static struct position *find(
	struct position *list, size_t count, const struct position *wanted, size_t place)
{
	if (place < count && same_partition(&list[place], wanted))
		return &list[place];
	for (size_t i = 0; i < count; i++)
		if (same_partition(&list[i], wanted))
			return &list[i];
	return NULL;
}

/* Puts a new list in place. What brokers said of a log holds until the consumer knows better. */
static void put(struct positions *positions, struct position *list, size_t count,
	const struct oldest_event *oldest, bool held_up)
{
	pthread_mutex_lock(&positions->lock);
	positions->held_up = held_up;
	for (size_t i = 0; i < count; i++) {
		const struct position *before =
			find(positions->list, positions->count, &list[i], i);
		if (before == NULL || before->source != list[i].source)
			continue;
		list[i].beginning = before->beginning;
		if (before->end > list[i].end)
			list[i].end = before->end;
	}
	free(positions->list);
	positions->list = list;
	positions->count = count;
	positions->oldest = *oldest;
	pthread_mutex_unlock(&positions->lock);
}

void positions_take(
	struct positions *positions, const struct positions_scene *scene, bool now_please)
{
	int64_t now = clock_monotonic_ns();
	if (!now_please && now < positions->taken_at + TAKE_EVERY_NS)
		return;
	positions->taken_at = now;
	struct partition *partition;
	size_t count = 0;
	DL_COUNT(scene->partitions, partition, count);
	struct position *list = mem_new_array(struct position, count + 1);
	if (list == NULL)
		return;
	struct oldest_event oldest = {.position.oldest = -1};
	size_t filled = 0;
	DL_FOREACH (scene->partitions, partition) {
		struct position *position = &list[filled++];
		*position = look_at(scene->consumer, partition);
		if (is_older(position, &oldest.position))
			oldest.position = *position;
	}
	find_oldest(positions, scene, &oldest, now);
	put(positions, list, count, &oldest, scene->held_up);
}

/* Whether to ask: somebody wants it, or the bounds of some log are not known, or may have moved
 * unseen. The lock is held. */
static bool brokers_know_more(const struct positions *positions, int64_t now)
{
	int64_t age = now - positions->asked_at;
	bool unknown = false;
	for (size_t i = 0; i < positions->count; i++)
		unknown = unknown || position_lag(&positions->list[i]) < 0;
	return positions->count > 0 &&
	       (positions->ask ||
		       (unknown ? age >= UNKNOWN_NS : positions->held_up && age >= HELD_UP_NS));
}

/* The partitions of the picture, to be asked for. NULL when out of memory. The lock is held. */
static struct consumer_bounds *list_bounds(const struct positions *positions)
{
	struct consumer_bounds *bounds = mem_new_array(struct consumer_bounds, positions->count);
	for (size_t i = 0; bounds != NULL && i < positions->count; i++)
		bounds[i] = (struct consumer_bounds){
			positions->list[i].topic, positions->list[i].partition, -1, -1};
	return bounds;
}

/* Notes what the brokers answered. The lock is held. */
static void note_bounds(
	struct positions *positions, const struct consumer_bounds *bounds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct position wanted = {
			.topic = bounds[i].topic, .partition = bounds[i].partition};
		struct position *position = find(positions->list, positions->count, &wanted, i);
		if (position == NULL || bounds[i].end < 0)
			continue;
		position->beginning = bounds[i].beginning;
		position->end = bounds[i].end;
	}
}

static void wait_a_moment(struct positions *positions)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / NS_PER_S;
	until.tv_nsec %= NS_PER_S;
	pthread_cond_timedwait(&positions->called, &positions->lock, &until);
}

static void *positions_main(void *context)
{
	struct positions *positions = context;
	pthread_mutex_lock(&positions->lock);
	while (!positions->stop) {
		int64_t now = clock_monotonic_ns();
		if (!brokers_know_more(positions, now)) {
			wait_a_moment(positions);
			continue;
		}
		positions->asked_at = now;
		positions->ask = false;
		size_t count = positions->count;
		CLEANUP(free_pointer) struct consumer_bounds *bounds = list_bounds(positions);
		pthread_mutex_unlock(&positions->lock);
		if (bounds != NULL)
			consumer_query_bounds(positions->consumer, bounds, count, ASK_MS);
		pthread_mutex_lock(&positions->lock);
		if (bounds != NULL)
			note_bounds(positions, bounds, count);
	}
	pthread_mutex_unlock(&positions->lock);
	return NULL;
}

bool positions_start(struct positions *positions, struct consumer *consumer, struct error *err)
{
	positions->consumer = consumer;
	int failed = pthread_create(&positions->thread, NULL, positions_main, positions);
	positions->started = failed == 0;
	return positions->started || error_system(err, failed, "cannot start a thread");
}

void positions_ask(struct positions *positions)
{
	pthread_mutex_lock(&positions->lock);
	positions->ask = true;
	pthread_cond_signal(&positions->called);
	pthread_mutex_unlock(&positions->lock);
}

void positions_stop(struct positions *positions)
{
	pthread_mutex_lock(&positions->lock);
	positions->stop = true;
	pthread_cond_signal(&positions->called);
	pthread_mutex_unlock(&positions->lock);
}

size_t positions_copy(
	struct positions *positions, struct position **ret_list, struct oldest_event *ret_oldest)
{
	pthread_mutex_lock(&positions->lock);
	size_t count = positions->count;
	*ret_list = mem_new_array(struct position, count + 1);
	if (*ret_list == NULL)
		count = 0;
	else if (count > 0)
		memcpy(*ret_list, positions->list, count * sizeof(struct position));
	*ret_oldest = positions->oldest;
	pthread_mutex_unlock(&positions->lock);
	return count;
}
