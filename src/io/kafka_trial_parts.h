/*
 * Inside io: what trying brokers, in kafka_trial_broker.c, and trying topics and rights, in
 * kafka_trial.c, have in common.
 */
#ifndef IO_KAFKA_TRIAL_PARTS_H
#define IO_KAFKA_TRIAL_PARTS_H

#include <stdbool.h>

#include "base/error.h"
#include "io/trial.h"
#include "kafka_conf.h"

#define TRIAL_TEXT_SIZE 400

/* What goes on while things are tried. */
struct kafka_attempt {
	const struct settings *settings;
	trial_fn *tried;
	void *context;
	bool wrong; /* something was so far */
};

/* A client that belongs to no group's members, and its link. */
struct kafka_trial_client {
	struct kafka_link link;
	rd_kafka_t *handle;
	bool group_denied; /* the brokers said so */
};

/* Tells of a trial. */
void kafka_trial_tell(struct kafka_attempt *attempt, enum trial_state state, const char *what,
	const char *text, const char *advice);

/* Opens a client that knows the brokers `brokers`. kafka_trial_close() ends it in any case. */
bool kafka_trial_open(const struct settings *settings, struct kafka_trial_client *client,
	const char *brokers, struct error *err);
void kafka_trial_close(struct kafka_trial_client *client);

/* Tries each broker that kafka.brokers or the cluster names. True where one answers at least. */
bool kafka_trial_brokers(struct kafka_attempt *attempt);

#endif
