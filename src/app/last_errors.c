#include "last_errors.h"

void last_errors_note(struct last_errors *last, const struct last_error *error)
{
	pthread_mutex_lock(&last->lock);
	last->errors[last->next] = *error;
	last->next = (last->next + 1) % LAST_ERRORS;
	if (last->count < LAST_ERRORS)
		last->count++;
	pthread_mutex_unlock(&last->lock);
}

size_t last_errors_copy(struct last_errors *last, struct last_error ret_errors[LAST_ERRORS])
{
	pthread_mutex_lock(&last->lock);
	size_t count = last->count;
	for (size_t i = 0; i < count; i++)
		ret_errors[i] = last->errors[(last->next + LAST_ERRORS - 1 - i) % LAST_ERRORS];
	pthread_mutex_unlock(&last->lock);
	return count;
}
