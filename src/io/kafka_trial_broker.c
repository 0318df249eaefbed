/*
 * Each broker is tried by a client of its own that knows no other. librdkafka connects, agrees on
 * TLS and logs in by itself; where that fails, its link knows how far it came, and why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka_trial_parts.h"

#define ANSWER_MS  5000     /* for a broker to answer */
#define ASK_MS     200      /* for each time it is asked */
#define ANOTHER_NS NS_PER_S /* how long after a failure another address is given its chance */

/* How far a connection comes, step by step. */
enum step { STEP_CONNECTION, STEP_TLS, STEP_LOGIN, STEP_ANSWER, STEP_COUNT };

static const char *const step_names[STEP_COUNT] = {
	[STEP_CONNECTION] = "connection",
	[STEP_TLS] = "TLS",
	[STEP_LOGIN] = "login",
	[STEP_ANSWER] = "answer",
};

/* The step that a failure is of, and what to do about it. */
static const struct {
	enum step step;
	const char *advice;
} failures[] = {
	[KAFKA_FAILURE_NONE] = {STEP_ANSWER,
		"look at the address, at firewalls on the way, and whether the port goes with "
		"kafka.security.protocol"},
	[KAFKA_FAILURE_CONNECTION] = {STEP_CONNECTION,
		"does the broker run, is the address right, and does the port go with "
		"kafka.security.protocol?"},
	[KAFKA_FAILURE_TLS] = {STEP_TLS,
		"is this a port for TLS? Look at kafka.security.ca_file, certificate_file and "
		"key_file"},
	[KAFKA_FAILURE_LOGIN] = {STEP_LOGIN,
		"look at kafka.security.sasl_mechanism, username and password_file"},
};

/* The addresses of brokers to try, each once. */
struct addresses {
	char **items;
	size_t count;
	size_t given; /* so many of them are in kafka.brokers; the cluster named the others */
};

static void addresses_fini(struct addresses *addresses)
{
	for (size_t i = 0; i < addresses->count; i++)
		free(addresses->items[i]);
	free(addresses->items);
}

static void add_address(struct addresses *addresses, const char *address)
{
	for (size_t i = 0; i < addresses->count; i++)
		if (strcmp(addresses->items[i], address) == 0)
			return;
	char **items = reallocarray(addresses->items, addresses->count + 1, sizeof(char *));
	char *copy = strdup(address);
	if (items != NULL)
		addresses->items = items;
	if (items == NULL || copy == NULL)
		free(copy);
	else
		items[addresses->count++] = copy;
}

/* Those of kafka.brokers, with the port that librdkafka takes where none is given. */
static void add_given(struct addresses *addresses, const char *brokers)
{
	CLEANUP(free_pointer) char *copy = strdup(brokers);
	char *rest = copy;
	while (rest != NULL) {
		char full[512];
		const char *broker = strsep(&rest, ",");
		broker += strspn(broker, " ");
		const char *bracket = strchr(broker, ']');
		bool port = strchr(bracket == NULL ? broker : bracket, ':') != NULL;
		snprintf(full, sizeof(full), "%s%s", broker, port ? "" : ":9092");
		add_address(addresses, full);
	}
	addresses->given = addresses->count;
}

static void add_named(struct addresses *addresses, const struct rd_kafka_metadata *metadata)
{
	for (int i = 0; i < metadata->broker_cnt; i++) {
		char full[512];
		const char *host = metadata->brokers[i].host;
		bool v6 = strchr(host, ':') != NULL;
		snprintf(full, sizeof(full), "%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "",
			metadata->brokers[i].port);
		add_address(addresses, full);
	}
}

static bool uses_step(const struct settings *settings, enum step step)
{
	int protocol = settings->kafka.security.protocol;
	if (step == STEP_TLS)
		return protocol == SECURITY_SSL || protocol == SECURITY_SASL_SSL;
	if (step == STEP_LOGIN)
		return protocol == SECURITY_SASL_PLAINTEXT || protocol == SECURITY_SASL_SSL;
	return true;
}

static void tell_step(struct kafka_attempt *attempt, const char *address, enum step step,
	enum trial_state state, const char *text, const char *advice)
{
	char what[TRIAL_TEXT_SIZE];
	snprintf(what, sizeof(what), "broker %s %s", address, step_names[step]);
	kafka_trial_tell(attempt, state, what, text, advice);
}

/* Tells of the steps before `end`, which went well. */
static void tell_steps(struct kafka_attempt *attempt, const char *address, enum step end)
{
	const __typeof__(attempt->settings->kafka.security) *security =
		&attempt->settings->kafka.security;
	char login[TRIAL_TEXT_SIZE];
	snprintf(login, sizeof(login), "%s%s by %s", security->username[0] == '\0' ? "" : "as ",
		security->username, security->sasl_mechanism);
	const char *const texts[STEP_COUNT] = {
		[STEP_CONNECTION] = "is there",
		[STEP_TLS] = "the certificate is trusted",
		[STEP_LOGIN] = login,
	};
	for (enum step step = STEP_CONNECTION; step < end; step++)
		if (uses_step(attempt->settings, step))
			tell_step(attempt, address, step, TRIAL_FINE, texts[step], NULL);
}

static void tell_failure(struct kafka_attempt *attempt, const char *address,
	enum kafka_failure failure, const char *why, bool named)
{
	char none[64];
	enum step step = failures[failure].step;
	snprintf(none, sizeof(none), "none within %d s", ANSWER_MS / 1000);
	if (failure != KAFKA_FAILURE_NONE)
		tell_steps(attempt, address, step);
	tell_step(attempt, address, step, TRIAL_WRONG, failure == KAFKA_FAILURE_NONE ? none : why,
		named ? "the cluster names this address, not kafka.brokers: its "
			"advertised.listeners must be reached from here"
		      : failures[failure].advice);
}

static enum kafka_failure failure_so_far(struct kafka_link *link, struct error *ret_why)
{
	pthread_mutex_lock(&link->lock);
	enum kafka_failure failure = link->failure;
	*ret_why = link->why;
	pthread_mutex_unlock(&link->lock);
	return failure;
}

/*
 * Asks a broker what it knows, until it answers or fails: then once more for a while, since its
 * name may stand for another address. NULL, and why, where no answer comes.
 */
static const struct rd_kafka_metadata *ask(
	struct kafka_trial_client *client, enum kafka_failure *ret_failure, struct error *ret_why)
{
	const struct rd_kafka_metadata *metadata = NULL;
	int64_t now = clock_monotonic_ns();
	int64_t deadline = now + ANSWER_MS * NS_PER_MS;
	bool failed = false;
	while (now < deadline) {
		if (rd_kafka_metadata(client->handle, 0, NULL, &metadata, ASK_MS) ==
			RD_KAFKA_RESP_ERR_NO_ERROR)
			return metadata;
		/* Only then librdkafka tells the link what it knows. */
		rd_kafka_message_t *message = rd_kafka_consumer_poll(client->handle, 0);
		if (message != NULL)
			rd_kafka_message_destroy(message);
		now = clock_monotonic_ns();
		*ret_failure = failure_so_far(&client->link, ret_why);
		if (!failed && *ret_failure != KAFKA_FAILURE_NONE) {
			failed = true;
			deadline = now + ANOTHER_NS;
		}
	}
	return NULL;
}

/* Tries one broker; adds those that it names. True where it answers. */
static bool try_broker(struct kafka_attempt *attempt, struct addresses *addresses, size_t number)
{
	const char *address = addresses->items[number];
	struct kafka_trial_client client = {0};
	struct error why = {0};
	enum kafka_failure failure = KAFKA_FAILURE_NONE;
	const struct rd_kafka_metadata *metadata = NULL;
	tell_step(attempt, address, STEP_CONNECTION, TRIAL_BEGINS, NULL, NULL);
	bool open = kafka_trial_open(attempt->settings, &client, address, &why);
	if (open)
		metadata = ask(&client, &failure, &why);
	bool answered = metadata != NULL;
	if (!open) {
		tell_step(attempt, address, STEP_CONNECTION, TRIAL_WRONG, why.text, NULL);
	} else if (!answered) {
		tell_failure(attempt, address, failure, why.text, number >= addresses->given);
	} else {
		char text[64];
		snprintf(text, sizeof(text), "the cluster has %d broker%s", metadata->broker_cnt,
			metadata->broker_cnt == 1 ? "" : "s");
		tell_steps(attempt, address, STEP_ANSWER);
		tell_step(attempt, address, STEP_ANSWER, TRIAL_FINE, text, NULL);
		add_named(addresses, metadata);
		rd_kafka_metadata_destroy(metadata);
	}
	kafka_trial_close(&client);
	return answered;
}

bool kafka_trial_brokers(struct kafka_attempt *attempt)
{
	CLEANUP(addresses_fini) struct addresses addresses = {0};
	bool answered = false;
	add_given(&addresses, attempt->settings->kafka.brokers);
	/* Each that answers may add others. */
	for (size_t i = 0; i < addresses.count; i++)
		answered = try_broker(attempt, &addresses, i) || answered;
	return answered;
}
