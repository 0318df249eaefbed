#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kafka_conf.h"
#include "kafka_record.h"

/* A broker answers one request of a connection after the other: a fetch that waits for records
 * (fetch.wait.max.ms, 500) may be before the probe. */
#define PROBE_TIMEOUT_MS 700
#define PROBE_INTERVAL   (1 * NS_PER_S)

/* Something that is missing or denied, and was reported. */
struct trouble {
	char *resource; /* "topic care360.lookup-results" */
	char *topic;    /* its name; NULL: the group or the cluster */
	bool in_use;    /* a probe cannot tell when it is over */
	struct trouble *next;
};

void kafka_link_init(struct kafka_link *link, const char *name, const struct settings *settings,
	const char *probe_topic, void *owner, kafka_report_fn *report, void *context)
{
	*link = (struct kafka_link){
		.owner = owner,
		.report = report,
		.context = context,
		.name = name,
		.settings = settings,
		.probe_topic = probe_topic,
	};
	pthread_mutex_init(&link->lock, NULL);
}

static void trouble_free(struct trouble *trouble)
{
	if (trouble == NULL)
		return;
	free(trouble->resource);
	free(trouble->topic);
	free(trouble);
}

void kafka_link_fini(struct kafka_link *link)
{
	struct trouble *trouble = NULL;
	struct trouble *next = NULL;
	LL_FOREACH_SAFE (link->troubles, trouble, next)
		trouble_free(trouble);
	for (size_t i = 0; i < link->secret_count; i++) {
		explicit_bzero(link->secrets[i], strlen(link->secrets[i]));
		free(link->secrets[i]);
	}
	pthread_mutex_destroy(&link->lock);
	link->troubles = NULL;
	link->secret_count = 0;
}

/* Overwrites every secret that stands in the text. */
static void strike_secrets(const struct kafka_link *link, char *text)
{
	for (size_t i = 0; i < link->secret_count; i++) {
		size_t length = strlen(link->secrets[i]);
		for (char *at = text; (at = strstr(at, link->secrets[i])) != NULL; at += length)
			memset(at, '*', length);
	}
}

void kafka_link_report(struct kafka_link *link, const struct kafka_report *report)
{
	if (link->silent || link->report == NULL)
		return;
	char text[ERROR_TEXT_SIZE];
	snprintf(text, sizeof(text), "%s", report->text);
	strike_secrets(link, text);
	struct kafka_report clean = *report;
	clean.text = text;
	link->report(link->context, &clean);
}

void kafka_link_say(struct kafka_link *link, enum kafka_news news, enum log_level level,
	const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args); // NOLINT(clang-analyzer-valist.Uninitialized)
	va_end(args);
	kafka_link_report(link, &(struct kafka_report){
					.news = news,
					.level = level,
					.text = text,
					.partition = -1,
					.from_offset = -1,
					.to_offset = -1,
				});
}

/* The same about a resource. */
static void say_of(struct kafka_link *link, enum kafka_news news, enum log_level level,
	const char *resource, const char *text)
{
	kafka_link_report(link, &(struct kafka_report){
					.news = news,
					.level = level,
					.text = text,
					.resource = resource,
					.partition = -1,
					.from_offset = -1,
					.to_offset = -1,
				});
}

/* librdkafka's log, on any of its threads. */
static void log_written(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct kafka_link *link = rd_kafka_opaque(client);
	enum log_level ours = LOG_LEVEL_DEBUG;
	if (level <= 3)
		ours = LOG_LEVEL_ERROR;
	else if (level == 4)
		ours = LOG_LEVEL_WARN;
	else if (level <= 6)
		ours = LOG_LEVEL_INFO;
	/* One connection that failed is tried again; what matters of it is reported as news. */
	if (ours == LOG_LEVEL_ERROR && strcmp(facility, "FAIL") == 0)
		ours = LOG_LEVEL_WARN;
	/* AUTOCREATE: every few seconds, of brokers older than 0.11, as which the mock cluster
	 * passes itself off. */
	if (kafka_failure_is_told(facility, text) || strcmp(facility, "AUTOCREATE") == 0)
		ours = LOG_LEVEL_DEBUG;
	kafka_link_say(link, KAFKA_NEWS_LOG, ours, "%s: %s: %s", link->name, facility, text);
}

static void report_fatal(struct kafka_link *link, rd_kafka_t *client)
{
	char text[512] = "";
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, text, sizeof(text));
	kafka_link_say(link, KAFKA_NEWS_FATAL, LOG_LEVEL_ERROR, "the %s cannot go on: %s: %s",
		link->name, rd_kafka_err2name(code), text);
}

/* A broker's certificate, on any thread. Says what OpenSSL says, and notes what is wrong. */
// NOLINTNEXTLINE(readability-non-const-parameter): librdkafka's type
static int certificate_seen(rd_kafka_t *client, const char *broker, int32_t id, int *fault,
	int depth, const char *data, size_t size, char *text, size_t text_size, void *opaque)
{
	(void)client, (void)id, (void)depth, (void)data, (void)size;
	struct kafka_link *link = opaque;
	if (*fault == 0)
		return 1;
	pthread_mutex_lock(&link->lock);
	link->refusal.fault = *fault;
	snprintf(link->refusal.broker, sizeof(link->refusal.broker), "%s", broker);
	pthread_mutex_unlock(&link->lock);
	snprintf(text, text_size, "not trusted");
	return 0;
}

/*
 * A connection failed: notes why, where that says more than what is known, and has a probe find
 * out at once whether any broker is there.
 */
static void suspect_brokers(struct kafka_link *link, rd_kafka_resp_err_t code, const char *text)
{
	struct error why = {0};
	pthread_mutex_lock(&link->lock);
	enum kafka_failure failure =
		kafka_failure_explain(link->settings, code, text, &link->refusal, &why);
	/* "1/1 brokers are down" says less than what came before it. */
	if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && failure >= link->failure) {
		link->failure = failure;
		strike_secrets(link, why.text);
		link->why = why;
	}
	if (!link->suspect)
		link->next_probe_ns = 0;
	link->suspect = true;
	pthread_mutex_unlock(&link->lock);
}

/* librdkafka's errors, on the polling thread. */
static void error_raised(rd_kafka_t *client, int number, const char *text, void *opaque)
{
	struct kafka_link *link = opaque;
	rd_kafka_resp_err_t code = (rd_kafka_resp_err_t)number;
	switch (code) {
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__SSL:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		/* One connection less. librdkafka miscounts them: ask. */
		suspect_brokers(link, code, text);
		break;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		/* Of each partition; that the topic is gone is told once, elsewhere. */
		kafka_link_say(link, KAFKA_NEWS_LOG, LOG_LEVEL_DEBUG, "%s: %s", link->name, text);
		break;
	case RD_KAFKA_RESP_ERR__FATAL:
		if (!kafka_link_trouble(
			    link, rd_kafka_fatal_error(client, NULL, 0), NULL, text, true))
			report_fatal(link, client);
		break;
	default:
		if (!kafka_link_trouble(link, code, NULL, text, false))
			kafka_link_say(
				link, KAFKA_NEWS_OTHER, LOG_LEVEL_WARN, "%s: %s", link->name, text);
	}
}

void kafka_link_attach(struct kafka_link *link, rd_kafka_conf_t *conf)
{
	rd_kafka_conf_set_opaque(conf, link);
	rd_kafka_conf_set_log_cb(conf, log_written);
	rd_kafka_conf_set_error_cb(conf, error_raised);
	rd_kafka_conf_set_ssl_cert_verify_cb(conf, certificate_seen);
}

/* Adds a trouble, unless it is known. False where it is, or memory is out. The lock is held. */
static bool add_trouble(
	struct kafka_link *link, const char *resource, const char *topic, bool in_use)
{
	struct trouble *known = NULL;
	LL_FOREACH (link->troubles, known) {
		if (strcmp(known->resource, resource) == 0) {
			known->in_use = known->in_use || in_use;
			return false;
		}
	}
	struct trouble *trouble = mem_new(struct trouble);
	if (trouble == NULL)
		return false;
	trouble->resource = strdup(resource);
	trouble->topic = topic == NULL ? NULL : strdup(topic);
	trouble->in_use = in_use;
	if (trouble->resource == NULL || (topic != NULL && trouble->topic == NULL)) {
		trouble_free(trouble);
		return false;
	}
	LL_PREPEND(link->troubles, trouble);
	int64_t now = clock_monotonic_ns();
	if (link->next_probe_ns < now)
		link->next_probe_ns = now + PROBE_INTERVAL;
	return true;
}

static void begin_trouble(struct kafka_link *link, enum kafka_news news, const char *kind,
	const char *name, const char *topic, const char *text, bool in_use)
{
	char resource[300];
	snprintf(resource, sizeof(resource), "%s%s%s", kind, name[0] == '\0' ? "" : " ", name);
	char sentence[ERROR_TEXT_SIZE];
	if (news == KAFKA_NEWS_TOPIC_MISSING)
		snprintf(sentence, sizeof(sentence), "%s does not exist", resource);
	else
		snprintf(sentence, sizeof(sentence), "%s may not be used: %s", resource, text);
	pthread_mutex_lock(&link->lock);
	if (add_trouble(link, resource, topic, in_use))
		say_of(link, news, LOG_LEVEL_ERROR, resource, sentence);
	pthread_mutex_unlock(&link->lock);
}

bool kafka_link_trouble(struct kafka_link *link, rd_kafka_resp_err_t code, const char *topic,
	const char *text, bool in_use)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		if (topic == NULL)
			return false;
		begin_trouble(link, KAFKA_NEWS_TOPIC_MISSING, "topic", topic, topic, text, false);
		return true;
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
		if (topic == NULL)
			return false;
		begin_trouble(link, KAFKA_NEWS_ACCESS_DENIED, "topic", topic, topic, text, in_use);
		return true;
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		begin_trouble(link, KAFKA_NEWS_ACCESS_DENIED, "group",
			link->settings->kafka.group_id, NULL, text, true);
		return true;
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		begin_trouble(link, KAFKA_NEWS_ACCESS_DENIED, "cluster", "", NULL, text, true);
		return true;
	default:
		return false;
	}
}

/* Ends a trouble and reports that. The lock is held. */
static void end_trouble(struct kafka_link *link, struct trouble *trouble)
{
	char text[ERROR_TEXT_SIZE];
	snprintf(text, sizeof(text), "%s can be used again", trouble->resource);
	LL_DELETE(link->troubles, trouble);
	say_of(link, KAFKA_NEWS_TOPIC_FINE, LOG_LEVEL_INFO, trouble->resource, text);
	trouble_free(trouble);
}

static bool same_topic(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void kafka_link_fine(struct kafka_link *link, const char *topic)
{
	struct trouble *trouble = NULL;
	struct trouble *next = NULL;
	pthread_mutex_lock(&link->lock);
	LL_FOREACH_SAFE (link->troubles, trouble, next) {
		if (trouble->topic == NULL || same_topic(trouble->topic, topic))
			end_trouble(link, trouble);
	}
	pthread_mutex_unlock(&link->lock);
}

void kafka_link_alive(struct kafka_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->suspect = false;
	link->failure = link->told = KAFKA_FAILURE_NONE;
	link->why.text[0] = '\0';
	if (link->down) {
		link->down = false;
		kafka_link_say(link, KAFKA_NEWS_BROKERS_UP, LOG_LEVEL_INFO,
			"a Kafka broker can be used again");
	}
	struct trouble *trouble = NULL;
	struct trouble *next = NULL;
	LL_FOREACH_SAFE (link->troubles, trouble, next) {
		if (trouble->topic == NULL && !trouble->in_use)
			end_trouble(link, trouble);
	}
	pthread_mutex_unlock(&link->lock);
}

/* The lock is held. */
static void explain(const struct kafka_link *link, struct error *ret_sentence)
{
	error_set(ret_sentence, "no broker of %s can be used: %s", link->settings->kafka.brokers,
		link->why.text[0] == '\0' ? "none answers" : link->why.text);
}

bool kafka_link_explain(struct kafka_link *link, struct error *err)
{
	pthread_mutex_lock(&link->lock);
	explain(link, err);
	pthread_mutex_unlock(&link->lock);
	return false;
}

/* No broker answers: reported once, and again where more is known of why. */
static void went_down(struct kafka_link *link)
{
	pthread_mutex_lock(&link->lock);
	bool more = link->failure > KAFKA_FAILURE_CONNECTION && link->failure > link->told;
	if (link->suspect && (!link->down || more)) {
		struct error sentence;
		explain(link, &sentence);
		link->down = true;
		link->told = link->failure;
		kafka_link_say(link, KAFKA_NEWS_BROKERS_DOWN, LOG_LEVEL_ERROR, "%s", sentence.text);
	}
	pthread_mutex_unlock(&link->lock);
}

bool kafka_link_troubled(struct kafka_link *link)
{
	pthread_mutex_lock(&link->lock);
	bool troubled = link->suspect || link->down || link->troubles != NULL;
	pthread_mutex_unlock(&link->lock);
	return troubled;
}

bool kafka_link_down(struct kafka_link *link)
{
	pthread_mutex_lock(&link->lock);
	bool down = link->suspect || link->down;
	pthread_mutex_unlock(&link->lock);
	return down;
}

int kafka_link_wait_ms(struct kafka_link *link, int limit_ms)
{
	int64_t wait_ms = limit_ms;
	pthread_mutex_lock(&link->lock);
	if (link->suspect || link->down || link->troubles != NULL)
		wait_ms = (link->next_probe_ns - clock_monotonic_ns()) / NS_PER_MS + 1;
	pthread_mutex_unlock(&link->lock);
	if (wait_ms < 0)
		return 0;
	return wait_ms < limit_ms ? (int)wait_ms : limit_ms;
}

/*
 * A topic to ask about: one in trouble, in turns, else the one that shows that brokers are there.
 * NULL when out of memory. The lock is held.
 */
static char *choose_topic(struct kafka_link *link)
{
	const char *topic = link->probe_topic;
	struct trouble *first = link->troubles;
	if (first != NULL) {
		LL_DELETE(link->troubles, first);
		LL_APPEND(link->troubles, first);
		if (first->topic != NULL && !first->in_use)
			topic = first->topic;
	}
	return strdup(topic);
}

void kafka_link_probe(struct kafka_link *link, rd_kafka_t *client)
{
	char *topic = NULL;
	int64_t now = clock_monotonic_ns();
	pthread_mutex_lock(&link->lock);
	if ((link->suspect || link->down || link->troubles != NULL) && link->next_probe_ns <= now) {
		link->next_probe_ns = now + PROBE_INTERVAL;
		topic = choose_topic(link);
	}
	pthread_mutex_unlock(&link->lock);
	if (topic == NULL)
		return;

	bool answered = false;
	int32_t partitions = 0;
	rd_kafka_resp_err_t code =
		kafka_topic_ask(client, topic, PROBE_TIMEOUT_MS, &answered, &partitions);
	if (!answered) {
		went_down(link);
	} else {
		kafka_link_alive(link);
		struct trouble *trouble = NULL;
		struct trouble *next = NULL;
		pthread_mutex_lock(&link->lock);
		LL_FOREACH_SAFE (link->troubles, trouble, next) {
			if (code == RD_KAFKA_RESP_ERR_NO_ERROR && !trouble->in_use &&
				same_topic(trouble->topic, topic))
				end_trouble(link, trouble);
		}
		pthread_mutex_unlock(&link->lock);
	}
	free(topic);
}
