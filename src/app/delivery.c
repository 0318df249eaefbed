#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "delivery_state.h"
#include "gather.h"
#include "partition.h"
#include "pulse.h"

/* How long the delivery thread waits for reports before it looks at what else is to do. */
#define POLL_MS 100

/* How long a result that the broker refused waits before it is sent again. */
#define AGAIN_NS NS_PER_S

const struct histogram_scale event_duration_scale = {
	18,
	{5 * NS_PER_MS, 10 * NS_PER_MS, 25 * NS_PER_MS, 50 * NS_PER_MS, 100 * NS_PER_MS,
		250 * NS_PER_MS, 500 * NS_PER_MS, NS_PER_S, 5 * NS_PER_S / 2, 5 * NS_PER_S,
		10 * NS_PER_S, 30 * NS_PER_S, 60 * NS_PER_S, 120 * NS_PER_S, 300 * NS_PER_S,
		900 * NS_PER_S, 1800 * NS_PER_S, 3600 * NS_PER_S},
};

void delivery_end(struct delivery *delivery, struct event *event)
{
	size_t size = event->size;
	struct partition *partition = event->source;
	event_free(event);
	partition_release(partition);
	budget_give_back(delivery->options.budget, size);
	delivery->options.ended(delivery->options.context);
}

void delivery_drop(struct delivery *delivery, struct event *event)
{
	delivery_end(delivery, event);
}

void delivery_block(struct delivery *delivery, const char *topic, const char *text)
{
	pthread_mutex_lock(&delivery->lock);
	error_set(&delivery->reason, "topic %s: %s", topic, text);
	pthread_mutex_unlock(&delivery->lock);
	delivery->blocked = true;
}

bool delivery_blocked(struct delivery *delivery, struct error *ret_reason)
{
	if (!delivery->blocked)
		return false;
	pthread_mutex_lock(&delivery->lock);
	*ret_reason = delivery->reason;
	pthread_mutex_unlock(&delivery->lock);
	return true;
}

static void note_error(struct delivery *delivery, const struct event *event)
{
	const struct partition *partition = event->source;
	const struct last_error error = {
		.wall_ms = clock_wall_ms(),
		.topic = delivery->options.settings->kafka.request_topics
				 .items[partition->topic_number],
		.partition = event->record.partition,
		.offset = event->record.offset,
		.reason = event->outcome.reason,
		.http_status = event->outcome.http_status,
	};
	last_errors_note(&delivery->last_errors, &error);
}

void delivery_count(struct delivery *delivery, const struct event *event)
{
	enum reason reason = event->outcome.reason;
	if (reason == REASON_NONE)
		delivery->counters.found++;
	else
		delivery->counters.errors[reason]++;
	if (reason != REASON_NONE && reason != REASON_CASE_NOT_FOUND)
		note_error(delivery, event);
	histogram_record(&delivery->counters.durations, &event_duration_scale,
		clock_monotonic_ns() - event->received_at);
}

bool delivery_shrink(struct event *event)
{
	if (event->extent == RESULT_BARE)
		return false;
	event->extent++;
	if (event->extent == RESULT_BARE) {
		free(event->outcome.case_id);
		event->outcome.case_id = NULL;
		event->outcome.reason = REASON_RESULT_TOO_LARGE;
		event->outcome.message = reason_message(REASON_RESULT_TOO_LARGE);
	}
	return true;
}

static const char *result_topic(const struct delivery *delivery, const struct event *event)
{
	const struct settings *settings = delivery->options.settings;
	bool error = event->outcome.reason != REASON_NONE && settings->kafka.error_topic[0] != '\0';
	return error ? settings->kafka.error_topic : settings->kafka.result_topic;
}

/* The broker refused a result for a reason that may go away: keep it, hold the others back, try
 * again later. */
static void keep_for_later(struct delivery *delivery, struct event *event, const char *text)
{
	DL_APPEND(delivery->again, event);
	delivery->again_at = clock_monotonic_ns() + AGAIN_NS;
	delivery_block(delivery, result_topic(delivery, event), text);
}

enum send_status delivery_send(struct delivery *delivery, struct result_encoder *encoder,
	struct event *event, struct error *err)
{
	for (;;) {
		struct result result;
		if (!result_encode(encoder, event, (enum result_extent)event->extent,
			    clock_wall_ms(), &result, err))
			return SEND_FATAL;
		enum send_status status =
			producer_send(delivery->producer, result_topic(delivery, event), result.key,
				result.value, result.headers, result.header_count, event, err);
		if (status == SEND_QUEUED)
			delivery->counters.headers_dropped += result.headers_dropped;
		if (status != SEND_TOO_LARGE || !delivery_shrink(event))
			return status;
	}
}

enum delivery_answer delivery_publish(
	struct delivery *delivery, struct result_encoder *encoder, struct event *event)
{
	if (partition_revoked(event->source)) {
		/* Its new owner reads the request again: a result from here could only come late.
		 */
		delivery_drop(delivery, event);
		return DELIVERY_TAKEN;
	}
	if (delivery->blocked)
		return DELIVERY_LATER;
	if (delivery->transactions != NULL) {
		transactions_add(delivery->transactions, event);
		return DELIVERY_TAKEN;
	}
	struct error err = {0};
	switch (delivery_send(delivery, encoder, event, &err)) {
	case SEND_QUEUED:
		return DELIVERY_TAKEN;
	case SEND_FATAL:
		delivery->options.fatal(delivery->options.context, err.text);
		break;
	case SEND_FULL:
	case SEND_TOO_LARGE: /* even bare: the supervisor tells, and somebody raises the limit */
		break;
	}
	return DELIVERY_LATER;
}

/* Sends once more what was refused, in order; what finds no room stays. */
static void send_again(struct delivery *delivery)
{
	/* The analyser takes utlist's head for one that may be NULL; it is not, of a list with
	 * members. */
	struct event *event;
	struct event *next;
	DL_FOREACH_SAFE (delivery->again, event, next) {
		struct error err = {0};
		DL_DELETE(delivery->again, event); // NOLINT(clang-analyzer-core.NullDereference)
		enum send_status status = delivery_send(delivery, delivery->encoder, event, &err);
		if (status == SEND_QUEUED) {
			delivery->again_pending++;
			continue;
		}
		DL_PREPEND(delivery->again, event);
		delivery->again_at = clock_monotonic_ns() + AGAIN_NS;
		if (status == SEND_FATAL)
			delivery->options.fatal(delivery->options.context, err.text);
		break;
	}
}

/* One delivery report. */
static void on_report(void *context, void *tag, enum delivery_status status, const char *text)
{
	struct delivery *delivery = context;
	struct event *event = tag;
	if (delivery->transactions != NULL) {
		transactions_on_report(delivery->transactions, event, status, text);
		return;
	}
	if (delivery->again_pending > 0)
		delivery->again_pending--;
	if (status == DELIVERY_ACKNOWLEDGED) {
		delivery_count(delivery, event);
		partition_done(event->source, event);
		delivery_end(delivery, event);
		return;
	}
	delivery->counters.failures++;
	if (status == DELIVERY_FATAL)
		delivery->options.fatal(delivery->options.context, text);
	if (status == DELIVERY_TOO_LARGE && delivery_shrink(event)) {
		DL_APPEND(delivery->again, event);
		delivery->again_at = 0;
		return;
	}
	keep_for_later(delivery, event, text);
}

static void on_news(void *context, const struct kafka_report *report)
{
	const struct delivery *delivery = context;
	delivery->options.report(delivery->options.context, report);
}

static void *delivery_main(void *context)
{
	struct delivery *delivery = context;
	struct gather gather = {0};
	if (delivery->transactions != NULL)
		transactions_run(delivery->transactions);
	while (!delivery->stop) {
		pulse_beat(&delivery->pulse);
		gather_note(&gather, (size_t)producer_poll(delivery->producer, POLL_MS));
		int64_t now = clock_monotonic_ns();
		int64_t until = gather_until(&gather, now);
		if (until > now)
			clock_sleep_until(until);
		if (delivery->again != NULL && clock_monotonic_ns() >= delivery->again_at)
			send_again(delivery);
		if (delivery->blocked && delivery->again == NULL && delivery->again_pending == 0)
			delivery->blocked = false;
	}
	return NULL;
}

/* The names of the headers that go along, as slices. */
static bool copy_forward(struct delivery *delivery, struct error *err)
{
	const struct text_list *names = &delivery->options.settings->lookup.forward_headers;
	delivery->forward = mem_new_array(struct bytes, names->count + 1);
	if (delivery->forward == NULL)
		return error_memory(err);
	for (size_t i = 0; i < names->count; i++)
		delivery->forward[i] = bytes_of_text(names->items[i]);
	return true;
}

static bool set_up(struct delivery *delivery, struct error *err)
{
	const struct settings *settings = delivery->options.settings;
	if (!copy_forward(delivery, err))
		return false;
	delivery->result_options = (struct result_options){
		.group_id = settings->kafka.group_id,
		.forward = delivery->forward,
		.forward_count = settings->lookup.forward_headers.count,
		.with_key = settings->lookup.result_key == RESULT_KEY_REQUEST,
	};
	delivery->encoder = result_encoder_new(&delivery->result_options, err);
	if (delivery->encoder == NULL)
		return false;
	bool once = settings->kafka.delivery == DELIVERY_EXACTLY_ONCE;
	if (once && (delivery->transactions = transactions_new(delivery, err)) == NULL)
		return false;
	delivery->producer =
		once ? producer_new_transactional(settings, on_report, on_news, delivery, err)
		     : producer_new(settings, on_report, on_news, delivery, err);
	if (delivery->producer == NULL)
		return false;
	int failed = pthread_create(&delivery->thread, NULL, delivery_main, delivery);
	if (failed != 0)
		return error_system(err, failed, "cannot start a thread");
	delivery->started = true;
	return true;
}

struct delivery *delivery_new(const struct delivery_options *options, struct error *err)
{
	struct delivery *delivery = mem_new(struct delivery);
	if (delivery == NULL) {
		error_memory(err);
		return NULL;
	}
	delivery->options = *options;
	pthread_mutex_init(&delivery->lock, NULL);
	pthread_mutex_init(&delivery->last_errors.lock, NULL);
	if (!set_up(delivery, err)) {
		delivery_free(delivery);
		return NULL;
	}
	return delivery;
}

void delivery_stop(struct delivery *delivery)
{
	if (delivery == NULL || !delivery->started)
		return;
	delivery->stop = true;
	pthread_join(delivery->thread, NULL);
	delivery->started = false;
}

void delivery_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	delivery_stop(delivery);
	producer_free(delivery->producer);
	struct event *event;
	struct event *next;
	DL_FOREACH_SAFE (delivery->again, event, next) {
		DL_DELETE(delivery->again, event); // NOLINT(clang-analyzer-core.NullDereference)
		delivery_end(delivery, event);
	}
	transactions_free(delivery->transactions);
	result_encoder_free(delivery->encoder);
	free(delivery->forward);
	pthread_mutex_destroy(&delivery->last_errors.lock);
	pthread_mutex_destroy(&delivery->lock);
	free(delivery);
}

const struct result_options *delivery_result_options(const struct delivery *delivery)
{
	return &delivery->result_options;
}

void delivery_hurry(struct delivery *delivery)
{
	if (delivery->transactions != NULL)
		delivery->hurry = true;
	else
		producer_hurry(delivery->producer);
}

bool delivery_alive(struct delivery *delivery, int64_t now)
{
	return pulse_alive(&delivery->pulse, now);
}

const struct delivery_counters *delivery_counters(const struct delivery *delivery)
{
	return &delivery->counters;
}

struct last_errors *delivery_last_errors(struct delivery *delivery)
{
	return &delivery->last_errors;
}
