#include "log_repeats.h"

#include <ctype.h>
#include <stdio.h>

/* FNV-1a, over everything but the digits. */
static uint64_t hash_of(enum log_level level, const char *message)
{
	uint64_t hash = UINT64_C(14695981039346656037) + (unsigned)level;
	for (const char *c = message; *c != '\0'; c++)
		if (!isdigit((unsigned char)*c))
			hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	return hash;
}

static bool is_over(const struct log_kind *kind, int64_t now)
{
	return now - kind->since >= LOG_REPEATS_WINDOW_NS;
}

static unsigned left_out(const struct log_kind *kind)
{
	return kind->count > LOG_REPEATS_WRITTEN ? kind->count - LOG_REPEATS_WRITTEN : 0;
}

static void take_out(struct log_repeats *repeats, size_t place)
{
	repeats->kinds[place] = repeats->kinds[--repeats->count];
}

/* Forgets kinds whose time is over and of which nothing is left to tell. */
static void forget_old(struct log_repeats *repeats, int64_t now)
{
	for (size_t i = repeats->count; i > 0; i--)
		if (is_over(&repeats->kinds[i - 1], now) && left_out(&repeats->kinds[i - 1]) == 0)
			take_out(repeats, i - 1);
}

bool log_repeats_admit(
	struct log_repeats *repeats, enum log_level level, const char *message, int64_t now)
{
	uint64_t hash = hash_of(level, message);
	forget_old(repeats, now);
	for (size_t i = 0; i < repeats->count; i++)
		if (repeats->kinds[i].hash == hash)
			return ++repeats->kinds[i].count <= LOG_REPEATS_WRITTEN;
	if (repeats->count == LOG_REPEATS_KINDS)
		return true;
	struct log_kind *kind = &repeats->kinds[repeats->count++];
	*kind = (struct log_kind){.hash = hash, .since = now, .count = 1, .level = level};
	snprintf(kind->message, sizeof(kind->message), "%s", message);
	return true;
}

bool log_repeats_take(struct log_repeats *repeats, int64_t now, bool all, struct log_kind *ret_kind,
	unsigned *ret_left_out)
{
	for (size_t i = 0; i < repeats->count; i++) {
		const struct log_kind *kind = &repeats->kinds[i];
		if (left_out(kind) == 0 || !(all || is_over(kind, now)))
			continue;
		*ret_kind = *kind;
		*ret_left_out = left_out(kind);
		take_out(repeats, i);
		return true;
	}
	return false;
}

int64_t log_repeats_due(const struct log_repeats *repeats)
{
	int64_t due = TIME_NEVER;
	for (size_t i = 0; i < repeats->count; i++) {
		int64_t end = repeats->kinds[i].since + LOG_REPEATS_WINDOW_NS;
		if (left_out(&repeats->kinds[i]) > 0 && end < due)
			due = end;
	}
	return due;
}
