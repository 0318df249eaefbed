#include "replay_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"

void replay_report_malformed(const struct record *record, const char *why)
{
	printf("%s/%" PRId32 "/%" PRId64 ": not a readable error event: %s\n", record->topic,
		record->partition, record->offset, why);
}

/* What is worth a line; NULL for what went as it should. */
static const char *line_of(const struct replay_report *report, const struct replay_item *item)
{
	switch (item->fate) {
	case REPLAY_CHOSEN:
		return report->searched ? "no longer in its topic" : NULL;
	case REPLAY_REPLACED:
		return "another record has its place now";
	case REPLAY_READ:
		return report->options->dry_run ? "would be replayed" : "not replayed";
	case REPLAY_SENT:
		return "sent, but not acknowledged: may be replayed or not";
	default:
		return NULL;
	}
}

static void print_item(const struct replay_report *report, const struct replay_item *item)
{
	const char *line = line_of(report, item);
	char failed[RFC3339_SIZE];
	if (line == NULL)
		return;
	rfc3339_format(item->failed_ms, failed);
	printf("%s/%" PRId32 "/%" PRId64 ": %s (%s, %s)\n", item->topic, item->partition,
		item->offset, line, reason_name(item->reason), failed);
}

/* Requests that an early end left where they were, or sent without an acknowledgement. */
static size_t not_replayed(
	const struct replay_report *report, const size_t counts[static REPLAY_FATES])
{
	return (report->options->dry_run ? 0 : counts[REPLAY_READ]) + counts[REPLAY_SENT] +
	       (report->searched ? 0 : counts[REPLAY_CHOSEN]);
}

static void print_count(size_t count, const char *one, const char *many)
{
	if (count > 0)
		printf("%7zu %s\n", count, count == 1 ? one : many);
}

static void print_summary(
	const struct replay_report *report, const size_t counts[static REPLAY_FATES])
{
	bool dry = report->options->dry_run;
	if (report->matched == 0)
		puts("No error event matches.");
	print_count(report->matched, "error event matches", "error events match");
	print_count(report->repeats, "of a request that had one already",
		"of requests that had one already");
	print_count(counts[REPLAY_BEFORE], "request was replayed before (--again replays it too)",
		"requests were replayed before (--again replays them too)");
	print_count(report->searched ? counts[REPLAY_CHOSEN] : 0,
		"request is no longer in its topic", "requests are no longer in their topics");
	print_count(counts[REPLAY_REPLACED], "request's place has another record now",
		"requests' places have other records now");
	print_count(dry ? counts[REPLAY_READ] : 0, "request would be replayed",
		"requests would be replayed");
	print_count(counts[REPLAY_PUBLISHED], "request replayed", "requests replayed");
	print_count(not_replayed(report, counts), "request not replayed", "requests not replayed");
	print_count(report->elsewhere, "error event is of a topic not in kafka.request_topics",
		"error events are of topics not in kafka.request_topics");
	print_count(
		report->malformed, "error event is not readable", "error events are not readable");
}

static void append_reasons(struct buffer *line, const struct replay_filter *filter)
{
	const char *before = "";
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		if (!filter->reasons[reason])
			continue;
		buffer_append_format(line, "%s%s", before, reason_name((enum reason)reason));
		before = ",";
	}
}

static void append_time(struct buffer *line, const char *name, int64_t wall_ms)
{
	char text[RFC3339_SIZE] = "-";
	if (wall_ms != INT64_MIN && wall_ms != INT64_MAX)
		rfc3339_format(wall_ms, text);
	buffer_append_format(line, " %s=%s", name, text);
}

static void print_audit(
	const struct replay_report *report, const size_t counts[static REPLAY_FATES], bool done)
{
	CLEANUP(buffer_fini) struct buffer line = {0};
	const struct replay_options *options = report->options;
	buffer_append_text(&line, "audit: replay");
	append_time(&line, "time", report->began_ms);
	buffer_append_format(&line, " error_events=%s reason=", report->error_topic);
	append_reasons(&line, &options->filter);
	append_time(&line, "since", options->filter.since_ms);
	append_time(&line, "until", options->filter.until_ms);
	buffer_append_format(&line, " again=%s dry_run=%s", options->again ? "yes" : "no",
		options->dry_run ? "yes" : "no");
	buffer_append_format(&line,
		" matched=%zu repeats=%zu replayed_before=%zu gone=%zu replaced=%zu %s=%zu "
		"not_replayed=%zu elsewhere=%zu malformed=%zu ended=%s",
		report->matched, report->repeats, counts[REPLAY_BEFORE],
		report->searched ? counts[REPLAY_CHOSEN] : 0, counts[REPLAY_REPLACED],
		options->dry_run ? "would_replay" : "replayed",
		options->dry_run ? counts[REPLAY_READ] : counts[REPLAY_PUBLISHED],
		not_replayed(report, counts), report->elsewhere, report->malformed,
		done ? "complete" : "early");
	puts(buffer_text(&line));
}

void replay_report_print(const struct replay_report *report, const struct replay *replay, bool done)
{
	size_t counts[REPLAY_FATES] = {0};
	size_t requests = 0;
	struct replay_item *const *items = NULL;
	if (replay != NULL)
		items = replay_items(replay, &requests);
	for (size_t i = 0; i < requests; i++) {
		counts[items[i]->fate]++;
		print_item(report, items[i]);
	}
	print_summary(report, counts);
	print_audit(report, counts, done);
}
