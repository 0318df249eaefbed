/*
 * Inside io: why a connection to a broker failed, in words for whoever has to mend it.
 *
 * librdkafka names its own properties, calls an unknown authority and a wrong name by one sentence,
 * and repeats itself at every attempt. What it says is turned into a sentence that stays the same
 * while the reason does.
 */
#ifndef IO_KAFKA_FAILURE_H
#define IO_KAFKA_FAILURE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"
#include "io/settings.h"

/* The later ones tell more: they say that a broker is there. */
enum kafka_failure {
	KAFKA_FAILURE_NONE,
	KAFKA_FAILURE_CONNECTION,
	KAFKA_FAILURE_TLS,
	KAFKA_FAILURE_LOGIN,
};

/* The last certificate that was refused. */
struct kafka_refusal {
	int fault; /* OpenSSL's number; 0: none was */
	char broker[256];
};

/* Explains an error that librdkafka raised about a connection. */
enum kafka_failure kafka_failure_explain(const struct settings *settings, rd_kafka_resp_err_t code,
	const char *text, const struct kafka_refusal *refusal, struct error *ret_why);

/* Whether a line of librdkafka's log says no more than the explanation does. */
bool kafka_failure_is_told(const char *facility, const char *text);

#endif
