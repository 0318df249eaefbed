#include "history.h"

/* The sample that is `back` samples before the newest, which is 0. The lock is held. */
static const struct history_sample *sample_at(const struct history *history, size_t back)
{
	return &history->samples[(history->next + HISTORY_SIZE - 1 - back) % HISTORY_SIZE];
}

void history_add(struct history *history, const struct history_sample *sample)
{
	pthread_mutex_lock(&history->lock);
	history->samples[history->next] = *sample;
	history->next = (history->next + 1) % HISTORY_SIZE;
	if (history->count < HISTORY_SIZE)
		history->count++;
	pthread_mutex_unlock(&history->lock);
}

size_t history_copy(struct history *history, struct history_sample ret_samples[HISTORY_SIZE])
{
	pthread_mutex_lock(&history->lock);
	size_t count = history->count;
	for (size_t i = 0; i < count; i++)
		ret_samples[i] = *sample_at(history, count - 1 - i);
	pthread_mutex_unlock(&history->lock);
	return count;
}

bool history_before(
	struct history *history, int64_t now, int64_t age_ns, struct history_sample *ret_sample)
{
	pthread_mutex_lock(&history->lock);
	size_t back = 0;
	while (back + 1 < history->count && now - sample_at(history, back)->at < age_ns)
		back++;
	bool found = history->count > 0;
	if (found)
		*ret_sample = *sample_at(history, back);
	pthread_mutex_unlock(&history->lock);
	return found;
}
