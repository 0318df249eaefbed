#include "replay_options.h"

#include <string.h>

#include "base/clock.h"
#include "base/spelling.h"

#define MS_PER_S INT64_C(1000)

const struct command_option command_replay_options[] = {
	{"reason", "REASON", "error events of this reason; may be repeated, or a list a,b"},
	{"since", "TIME",
		"failed since then: 2026-11-24T03:00:00Z, or a span back from now, as 2h"},
	{"until", "TIME", "failed before then"},
	{"again", NULL, "also what was replayed before"},
	{"dry-run", NULL, "publish nothing, and show what would be"},
	{0},
};

/* Reasons */

static const char *nearest_reason(const char *name)
{
	const char *nearest = NULL;
	size_t best = spelling_near(name) + 1;
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		const char *known = reason_name((enum reason)reason);
		size_t distance = spelling_distance(name, known);
		if (distance < best) {
			best = distance;
			nearest = known;
		}
	}
	return nearest;
}

static bool refuse_reason(struct bytes name, struct error *err)
{
	char text[SPELLING_MAX + 1] = "";
	if (name.length > SPELLING_MAX)
		return error_set(err, "--reason: is too long to be one");
	memcpy(text, name.data, name.length);
	const char *nearest = nearest_reason(text);
	if (nearest != NULL)
		return error_set(
			err, "--reason: there is no reason %s; did you mean %s?", text, nearest);
	error_set(err, "--reason: there is no reason %s; those there are:", text);
	for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		error_append(err, "%s %s", reason == REASON_NONE + 1 ? "" : ",",
			reason_name((enum reason)reason));
	return false;
}

/* "a,b" */
static bool read_reasons(const char *list, struct replay_filter *filter, struct error *err)
{
	for (;;) {
		size_t length = strcspn(list, ",");
		struct bytes name = bytes_trimmed((struct bytes){list, length});
		enum reason reason = reason_named(name);
		if (reason == REASON_COUNT)
			return refuse_reason(name, err);
		filter->reasons[reason] = true;
		if (list[length] == '\0')
			return true;
		list += length + 1;
	}
}

static bool read_all_reasons(
	const struct command_line *line, struct replay_filter *filter, struct error *err)
{
	if (command_value(line, "reason") == NULL) {
		for (int reason = REASON_NONE; reason < REASON_COUNT; reason++)
			filter->reasons[reason] = reason_retryable((enum reason)reason);
		return true;
	}
	for (size_t i = 0; i < line->given_count; i++)
		if (strcmp(line->given[i].name, "reason") == 0 &&
			!read_reasons(line->given[i].value, filter, err))
			return false;
	return true;
}

/* Times */

#define LONGEST_SPAN_S (INT64_C(100) * 366 * 86400)

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return INT64_C(7) * 86400;
	default:
		return 0;
	}
}

/* "2h", "1d12h" */
static bool read_span(const char *text, int64_t *ret_seconds)
{
	int64_t seconds = 0;
	do {
		int64_t number = 0;
		size_t digits = strspn(text, "0123456789");
		for (size_t i = 0; i < digits && number < LONGEST_SPAN_S; i++)
			number = number * 10 + (text[i] - '0');
		int64_t unit = digits == 0 ? 0 : unit_seconds(text[digits]);
		if (unit == 0 || number > LONGEST_SPAN_S / unit)
			return false;
		seconds += number * unit;
		text += digits + 1;
	} while (*text != '\0' && seconds <= LONGEST_SPAN_S);
	*ret_seconds = seconds;
	return seconds <= LONGEST_SPAN_S;
}

/* Leaves *ret_ms as it is where the option was not given. */
static bool read_time(const struct command_line *line, const char *name, int64_t now_ms,
	int64_t *ret_ms, struct error *err)
{
	const char *text = command_value(line, name);
	int64_t seconds = 0;
	if (text == NULL || rfc3339_parse(bytes_of_text(text), ret_ms))
		return true;
	if (!read_span(text, &seconds))
		return error_set(err,
			"--%s: \"%s\" is neither a time such as 2026-11-24T03:00:00Z nor a span "
			"such as 90m, 2h or 1d",
			name, text);
	*ret_ms = now_ms - seconds * MS_PER_S;
	return true;
}

bool replay_options_read(const struct command_line *line, int64_t now_ms,
	struct replay_options *ret_options, struct error *err)
{
	struct replay_options options = {
		.filter = {.since_ms = INT64_MIN, .until_ms = INT64_MAX},
		.again = command_flag(line, "again"),
		.dry_run = command_flag(line, "dry-run"),
	};
	if (!read_all_reasons(line, &options.filter, err) ||
		!read_time(line, "since", now_ms, &options.filter.since_ms, err) ||
		!read_time(line, "until", now_ms, &options.filter.until_ms, err))
		return false;
	if (options.filter.since_ms >= now_ms)
		return error_set(err, "--since: lies in the future");
	if (options.filter.since_ms >= options.filter.until_ms)
		return error_set(err, "--until: is not after --since");
	*ret_options = options;
	return true;
}
