/* `replay`: publishes again the requests behind error events. How it knows which: core/replay.h. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/replay.h"
#include "io/producer.h"
#include "io/topic_reader.h"
#include "process.h"
#include "progress.h"
#include "replay_options.h"
#include "replay_report.h"

#define PROGRAM "care360-lookup: "

#define ASK_MS   20000 /* how long a broker may take to say where records are */
#define POLL_MS  100
#define STALL_NS (60 * NS_PER_S) /* nothing came and nothing went for so long: gives up */

/* Error events are stamped after they are made, by clocks that may have been set in between. */
#define SLACK_MS 60000

/* Where fewer records than this lie between two originals, these are read too: a fetch brings about
 * so many. */
#define REACH 2000

/* How many records are read before it looks at signals and at the time. */
#define ROUND 256

struct job {
	const struct settings *settings;
	struct replay_options options;
	struct replay *replay;
	struct topic_reader *reader;
	struct producer *producer; /* NULL: --dry-run */
	struct progress progress;
	struct replay_report report;
	sigset_t signals;
	int64_t moved_ns;   /* when something last came or went */
	size_t under_way;   /* sent and not acknowledged */
	bool refused;       /* a broker did not take a record */
	struct error fault; /* why */
};

static void job_fini(struct job *job)
{
	topic_reader_free(job->reader);
	producer_free(job->producer);
	replay_free(job->replay);
}

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

/* librdkafka's own log is not for whoever waits here. */
static void on_news(void *context, const struct kafka_report *report)
{
	const struct job *job = context;
	if (report->news != KAFKA_NEWS_LOG)
		fprintf(stderr, "%s" PROGRAM "%s\n", job->progress.terminal ? "\r\033[K" : "",
			report->text);
}

static void on_delivery(void *context, void *tag, enum delivery_status status, const char *text)
{
	struct job *job = context;
	struct replay_item *item = tag;
	job->under_way--;
	job->moved_ns = clock_monotonic_ns();
	if (status == DELIVERY_ACKNOWLEDGED) {
		item->fate = REPLAY_PUBLISHED;
		return;
	}
	item->fate = REPLAY_READ;
	if (!job->refused)
		error_set(&job->fault, "%s was not published: %s", item->topic, text);
	job->refused = true;
}

static bool interrupted(const struct job *job)
{
	struct timespec at_once = {0};
	return sigtimedwait(&job->signals, NULL, &at_once) > 0;
}

/* False and err where it has to stop. */
static bool may_go_on(const struct job *job, struct error *err)
{
	if (interrupted(job))
		return error_set(err, "interrupted");
	if (clock_monotonic_ns() - job->moved_ns > STALL_NS)
		return error_set(err, "no broker of %s has answered for %lld s",
			job->settings->kafka.brokers, (long long)(STALL_NS / NS_PER_S));
	return !job->refused || error_set(err, "%s", job->fault.text);
}

/* --- reading --- */

typedef bool take_fn(struct job *job, const struct record *record, struct error *err);

/* Reads until all is read, each record to `take`. */
static bool read_records(struct job *job, take_fn *take, struct error *err)
{
	int64_t done = 0;
	int64_t total = 0;
	for (unsigned turn = 0;; turn++) {
		struct record record;
		enum topic_read read = topic_reader_next(job->reader, POLL_MS, &record, err);
		if (read == TOPIC_READ_END)
			return true;
		if (read == TOPIC_READ_FAILED)
			return false;
		if (read == TOPIC_READ_RECORD && !take(job, &record, err))
			return false;
		topic_reader_progress(job->reader, &done, &total);
		if (turn % ROUND == 0 || read == TOPIC_READ_NOTHING) {
			progress_update(&job->progress, done, total);
			if (!may_go_on(job, err))
				return false;
		}
		if (read == TOPIC_READ_RECORD)
			job->moved_ns = clock_monotonic_ns();
	}
}

/* Reads ranges, and shows how far it is. */
static bool read_ranges(struct job *job, const char *what, const struct record_range *ranges,
	size_t count, take_fn *take, struct error *err)
{
	int64_t done = 0;
	int64_t total = 0;
	job->moved_ns = clock_monotonic_ns();
	if (count == 0)
		return true;
	if (!topic_reader_begin(job->reader, ranges, count, ASK_MS, err))
		return false;
	progress_begin(&job->progress, what);
	bool finished = read_records(job, take, err);
	topic_reader_progress(job->reader, &done, &total);
	progress_end(&job->progress, done, total);
	return finished;
}

/* --- error events --- */

static bool take_error_event(struct job *job, const struct record *record, struct error *err)
{
	struct error why = {0};
	switch (replay_look(job->replay, record, &why)) {
	case REPLAY_LOOK_OTHER:
		break;
	case REPLAY_LOOK_CHOSEN:
		job->report.matched++;
		break;
	case REPLAY_LOOK_REPEAT:
		job->report.matched++;
		job->report.repeats++;
		break;
	case REPLAY_LOOK_ELSEWHERE:
		job->report.elsewhere++;
		break;
	case REPLAY_LOOK_MALFORMED:
		job->report.malformed++;
		replay_report_malformed(record, why.text);
		break;
	case REPLAY_LOOK_NO_MEMORY:
		return error_memory(err);
	}
	return true;
}

/* From now on signals come to interrupted() alone: librdkafka's threads take none. */
static void catch_signals(struct job *job)
{
	sigemptyset(&job->signals);
	sigaddset(&job->signals, SIGINT);
	sigaddset(&job->signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &job->signals, NULL);
}

static bool read_error_events(struct job *job, struct error *err)
{
	CLEANUP(free_pointer) struct record_range *ranges = NULL;
	size_t count = 0;
	int64_t since_ms = job->options.filter.since_ms;
	if (since_ms != INT64_MIN)
		since_ms -= SLACK_MS;
	if (!topic_reader_ranges_since(
		    job->reader, job->report.error_topic, since_ms, ASK_MS, &ranges, &count, err))
		return false;
	/* So far a signal may end it at once: there was nothing to tell. */
	catch_signals(job);
	return read_ranges(
		job, "records with error events read", ranges, count, take_error_event, err);
}

/* --- requests --- */

static bool take_mark(struct job *job, const struct record *record, struct error *err)
{
	(void)err;
	replay_mark(job->replay, record);
	return true;
}

static bool read_marks(struct job *job, struct error *err)
{
	size_t count = 0;
	const struct record_range *ranges = replay_mark_ranges(job->replay, &count, err);
	return ranges != NULL && read_ranges(job, "requests searched for earlier replays", ranges,
					 count, take_mark, err);
}

/* Sends a record, waiting for room where there is none. */
static bool publish(
	struct job *job, const struct record *record, struct replay_item *item, struct error *err)
{
	for (;;) {
		switch (producer_send_record(job->producer, record, item, err)) {
		case SEND_QUEUED:
			item->fate = REPLAY_SENT;
			job->under_way++;
			return true;
		case SEND_FULL:
			producer_poll(job->producer, POLL_MS);
			if (!may_go_on(job, err))
				return false;
			break;
		case SEND_TOO_LARGE:
		case SEND_FATAL:
			return error_prefix(err, "%s/%" PRId32 "/%" PRId64 " was not published",
				item->topic, item->partition, item->offset);
		}
	}
}

static bool take_original(struct job *job, const struct record *record, struct error *err)
{
	struct replay_item *item = replay_take(job->replay, record);
	if (item == NULL || job->producer == NULL)
		return true;
	struct record again = *record;
	again.topic = item->topic;
	again.headers = replay_headers(job->replay, record, item, &again.header_count, err);
	if (again.headers == NULL || !publish(job, &again, item, err))
		return false;
	if (job->under_way % ROUND == 0)
		producer_poll(job->producer, 0);
	return true;
}

/* Waits for what is on its way, also where it has to stop: it may have arrived. */
static bool flush(struct job *job, struct error *err)
{
	job->moved_ns = clock_monotonic_ns();
	bool waits = true;
	while (job->under_way > 0 && waits) {
		producer_hurry(job->producer);
		producer_poll(job->producer, POLL_MS);
		waits = !interrupted(job) && clock_monotonic_ns() - job->moved_ns < STALL_NS;
	}
	if (job->refused)
		return error_set(err, "%s", job->fault.text);
	return job->under_way == 0 ||
	       error_set(err, "%zu records are on their way, and nobody acknowledged them",
		       job->under_way);
}

static bool replay_originals(struct job *job, struct error *err)
{
	size_t count = 0;
	const struct record_range *ranges = replay_original_ranges(job->replay, REACH, &count, err);
	if (ranges == NULL)
		return false;
	bool read = read_ranges(
		job, "requests searched for the originals", ranges, count, take_original, err);
	job->report.searched = read;
	return flush(job, read ? err : NULL) && read;
}

/* --- all of it --- */

static bool prepare(struct job *job, struct error *err)
{
	job->options.filter.topics = (const char *const *)job->settings->kafka.request_topics.items;
	job->options.filter.topic_count = job->settings->kafka.request_topics.count;
	job->replay = replay_new(&job->options.filter, err);
	if (job->replay != NULL)
		job->reader = topic_reader_new(job->settings, on_news, job, err);
	if (job->reader == NULL)
		return false;
	if (job->options.dry_run)
		return true;
	job->producer = producer_new(job->settings, on_delivery, on_news, job, err);
	return job->producer != NULL;
}

static bool replay_all(struct job *job, struct error *err)
{
	return prepare(job, err) && read_error_events(job, err) &&
	       (job->options.again || read_marks(job, err)) && replay_originals(job, err);
}

int command_replay(const struct command_line *line)
{
	CLEANUP(job_fini) struct job job = {0};
	struct error err = {0};
	int64_t now_ms = clock_wall_ms();
	if (!replay_options_read(line, now_ms, &job.options, &err)) {
		fprintf(stderr, PROGRAM "replay: %s\n", err.text);
		return EXIT_WRONG_USAGE;
	}
	CLEANUP(free_settings) struct settings *settings = command_settings(line);
	if (settings == NULL)
		return EXIT_WRONG_USAGE;
	process_keep_memory_private();
	progress_open(&job.progress);
	job.settings = settings;
	job.report = (struct replay_report){
		.began_ms = now_ms,
		.options = &job.options,
		.error_topic = settings->kafka.error_topic[0] != '\0'
				       ? settings->kafka.error_topic
				       : settings->kafka.result_topic,
	};
	bool done = replay_all(&job, &err);
	replay_report_print(&job.report, job.replay, done);
	if (!done)
		fprintf(stderr, PROGRAM "replay: %s\n", err.text);
	return done ? EXIT_FINE : EXIT_FAILED;
}
