/*
 * Tries whether the brokers can be reached, and whether topics and rights are there.
 */
#ifndef IO_KAFKA_TRIAL_H
#define IO_KAFKA_TRIAL_H

#include <stdbool.h>

#include "io/settings.h"
#include "io/trial.h"

/*
 * Tries each broker that kafka.brokers or the cluster names, each topic, the right to read
 * requests, and the right to use the group. Nothing is written, no group is joined, and no record
 * is looked at: a service that runs meanwhile does not notice. Takes some seconds for each broker
 * that does not answer. True where nothing was wrong.
 */
bool kafka_try(const struct settings *settings, trial_fn *tried, void *context);

#endif
