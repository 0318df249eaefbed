/*
 * Inside io: what the consumer and the producer share of librdkafka, a `kafka_link` each.
 *
 * The link is the client's voice: it turns librdkafka's callbacks into reports, strikes secrets out
 * of them, and remembers what is wrong (no broker, a missing topic, a right that is not there), so
 * that each trouble is reported once when it comes and once when it goes.
 *
 * librdkafka says when a trouble comes, and rarely when it goes. So while there is one,
 * kafka_link_probe(), called from the client's polling thread, asks a broker about it, for at most
 * PROBE_TIMEOUT_MS every PROBE_INTERVAL. What was refused in use although the topic may be
 * described cannot be asked for: that is over when a record went through, which the client says
 * with kafka_link_fine().
 *
 * Threads: callbacks of librdkafka come on its own threads (the log) and on the polling thread;
 * troubles come from every thread that sends. The lock guards the list of troubles and keeps
 * reports in order.
 */
#ifndef IO_KAFKA_CONF_H
#define IO_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "io/kafka.h"
#include "io/settings.h"
#include "kafka_failure.h"

enum kafka_role {
	KAFKA_CONSUMER,
	KAFKA_PRODUCER,
	KAFKA_READER, /* a consumer that is in no group */
};

struct trouble;

#define MAX_SECRETS 4

struct kafka_link {
	void *owner; /* the client: what librdkafka's callbacks get is the link */
	kafka_report_fn *report;
	void *context;
	const char *name; /* "consumer", "producer" */
	const struct settings *settings;
	const char *probe_topic; /* asked about to see whether a broker is there */
	char *secrets[MAX_SECRETS];
	size_t secret_count;
	_Atomic(bool) silent; /* reports nothing any more */

	pthread_mutex_t lock; /* guards what follows */
	struct trouble *troubles;
	bool suspect; /* a connection was lost: a probe will tell */
	bool down;    /* no broker answered the last probe, which was reported */
	struct kafka_refusal refusal;
	enum kafka_failure failure; /* what is known of why no broker can be used */
	enum kafka_failure told;    /* what of it was reported */
	struct error why;
	int64_t next_probe_ns;
};

void kafka_link_init(struct kafka_link *link, const char *name, const struct settings *settings,
	const char *probe_topic, void *owner, kafka_report_fn *report, void *context);
void kafka_link_fini(struct kafka_link *link);

/* Makes librdkafka's log and errors come to the link, which becomes the opaque. */
void kafka_link_attach(struct kafka_link *link, rd_kafka_conf_t *conf);

/* Reports a sentence, without secrets. */
void kafka_link_say(struct kafka_link *link, enum kafka_news news, enum log_level level,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void kafka_link_report(struct kafka_link *link, const struct kafka_report *report);

/*
 * Looks at an error code. Where it means that a topic, the group or the cluster is missing or may
 * not be used, remembers and reports that, and returns true. `in_use`: the broker refused a record,
 * or to give some.
 */
bool kafka_link_trouble(struct kafka_link *link, rd_kafka_resp_err_t code, const char *topic,
	const char *text, bool in_use);

/* A record went to or came from the topic, or the group (NULL) has taken us in: what was wrong is
 * over. */
void kafka_link_fine(struct kafka_link *link, const char *topic);

/* A broker answered. */
void kafka_link_alive(struct kafka_link *link);

/* Writes that no broker can be used, and why, as far as is known. Always returns false. */
bool kafka_link_explain(struct kafka_link *link, struct error *err);

/* Whether no broker is there, as far as is known. */
bool kafka_link_down(struct kafka_link *link);

/* Whether there is anything wrong; cheap. */
bool kafka_link_troubled(struct kafka_link *link);

/* Asks the brokers about what is wrong, if it is time to. On the polling thread. */
void kafka_link_probe(struct kafka_link *link, rd_kafka_t *rk);

/* How long until kafka_link_probe() has something to do, at most `limit_ms`. */
int kafka_link_wait_ms(struct kafka_link *link, int limit_ms);

/*
 * A configuration made from the settings, with the link's callbacks set and the link as opaque.
 * NULL and err, naming the setting as the user wrote it.
 */
rd_kafka_conf_t *kafka_conf_new(const struct settings *settings, enum kafka_role role,
	struct kafka_link *link, struct error *err);

/* Adds to a producer's configuration what transactions need. False and err, naming the setting. */
bool kafka_conf_add_transactions(
	rd_kafka_conf_t *conf, const struct settings *settings, struct error *err);

/* Makes a client from `conf`, which is used up either way. */
rd_kafka_t *kafka_client_new(rd_kafka_conf_t *conf, enum kafka_role role, struct error *err);

/* For tests: whether this version of librdkafka is refused, and why. */
bool kafka_version_check(int version, const char *strategy, struct error *err);

#endif
