#include "io/kafka_trial.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka_trial_parts.h"

#define ANSWER_MS 5000 /* for an answer of the brokers */
#define POLL_MS   100
#define ASK_MS    1000 /* for each time they are asked */

void kafka_trial_tell(struct kafka_attempt *attempt, enum trial_state state, const char *what,
	const char *text, const char *advice)
{
	const struct trial trial = {state, what, text, advice};
	attempt->wrong = attempt->wrong || state == TRIAL_WRONG;
	attempt->tried(attempt->context, &trial);
}

/* Clients */

void kafka_trial_close(struct kafka_trial_client *client)
{
	client->link.silent = true;
	if (client->handle != NULL)
		rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	kafka_link_fini(&client->link);
}

/* What a trial needs otherwise than the service: it does not wait long, and wants to see the end.
 */
static bool set_properties(rd_kafka_conf_t *conf, const char *brokers, struct error *err)
{
	const char *const properties[][2] = {
		{"bootstrap.servers", brokers},
		{"enable.partition.eof", "true"},
		{"fetch.wait.max.ms", "10"},
		{"socket.connection.setup.timeout.ms", "2000"},
		{"api.version.request.timeout.ms", "2000"},
	};
	char text[512];
	for (size_t i = 0; i < array_length(properties); i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], text,
			    sizeof(text)) != RD_KAFKA_CONF_OK)
			return error_set(err, "%s", text);
	return true;
}

bool kafka_trial_open(const struct settings *settings, struct kafka_trial_client *client,
	const char *brokers, struct error *err)
{
	kafka_link_init(&client->link, "trial", settings, NULL, NULL, NULL, NULL);
	rd_kafka_conf_t *conf = kafka_conf_new(settings, KAFKA_CONSUMER, &client->link, err);
	if (conf == NULL)
		return false;
	if (!set_properties(conf, brokers, err)) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	client->handle = kafka_client_new(conf, KAFKA_CONSUMER, err);
	if (client->handle != NULL)
		rd_kafka_poll_set_consumer(client->handle);
	return client->handle != NULL;
}

/* Topics and rights */

/* Tells of an answer that is an error. */
static void tell_denied(struct kafka_attempt *attempt, const char *what, rd_kafka_resp_err_t code,
	const char *right)
{
	char advice[TRIAL_TEXT_SIZE];
	switch (code) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		kafka_trial_tell(attempt, TRIAL_WRONG, what, "does not exist",
			"create it: the service never creates topics");
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		snprintf(advice, sizeof(advice), "the brokers' ACLs must allow %s", right);
		kafka_trial_tell(attempt, TRIAL_WRONG, what, "access denied", advice);
		break;
	default:
		kafka_trial_tell(attempt, TRIAL_WRONG, what, rd_kafka_err2str(code), NULL);
	}
}

/* How many partitions a topic has, and how many of them have no leader. */
static rd_kafka_resp_err_t count_partitions(
	rd_kafka_t *client, const char *topic, int *ret_count, int *ret_leaderless)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle == NULL)
		return rd_kafka_last_error();
	rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, ANSWER_MS);
	rd_kafka_topic_destroy(handle);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return code;
	code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt > 0)
		code = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (metadata->topic_cnt == 1 && metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
		code = metadata->topics[0].err;
	*ret_leaderless = 0;
	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < metadata->topics[0].partition_cnt;
		i++)
		*ret_leaderless += metadata->topics[0].partitions[i].leader < 0;
	*ret_count = code == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	return code;
}

static bool try_topic(struct kafka_attempt *attempt, rd_kafka_t *client, const char *topic)
{
	char what[TRIAL_TEXT_SIZE];
	char right[TRIAL_TEXT_SIZE];
	char text[64];
	int count = 0;
	int leaderless = 0;
	snprintf(what, sizeof(what), "topic %s", topic);
	snprintf(right, sizeof(right), "Describe on the topic %s", topic);
	kafka_trial_tell(attempt, TRIAL_BEGINS, what, NULL, NULL);
	rd_kafka_resp_err_t code = count_partitions(client, topic, &count, &leaderless);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		tell_denied(attempt, what, code, right);
		return false;
	}
	snprintf(text, sizeof(text), "%d partition%s%s", count, count == 1 ? "" : "s",
		leaderless > 0 ? ", some of them without a leader" : "");
	kafka_trial_tell(attempt, leaderless > 0 ? TRIAL_WRONG : TRIAL_FINE, what, text,
		leaderless > 0 ? "a broker is missing from the cluster" : NULL);
	return true;
}

/* What the client has to tell next; timed out: nothing. librdkafka tells once that the group may
 * not be used, whatever is being asked just then: so that is kept. */
static rd_kafka_resp_err_t poll_client(struct kafka_trial_client *client, int timeout_ms)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(client->handle, timeout_ms);
	if (message == NULL)
		return RD_KAFKA_RESP_ERR__TIMED_OUT;
	rd_kafka_resp_err_t code = message->err;
	rd_kafka_message_destroy(message);
	if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
		client->group_denied = true;
	return code;
}

/* Waits for the end of a partition to be seen, or for what is wrong. */
static rd_kafka_resp_err_t wait_for_end(struct kafka_trial_client *client)
{
	int64_t deadline = clock_monotonic_ns() + ANSWER_MS * NS_PER_MS;
	while (clock_monotonic_ns() < deadline) {
		rd_kafka_resp_err_t code = poll_client(client, POLL_MS);
		if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF || code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return RD_KAFKA_RESP_ERR_NO_ERROR;
		if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
			return code;
	}
	return RD_KAFKA_RESP_ERR__TIMED_OUT;
}

/* Fetches from the end of a topic, where there is nothing yet. */
static void try_reading(
	struct kafka_attempt *attempt, struct kafka_trial_client *client, const char *topic)
{
	char what[TRIAL_TEXT_SIZE];
	char right[TRIAL_TEXT_SIZE];
	snprintf(what, sizeof(what), "right to read %s", topic);
	snprintf(right, sizeof(right), "Read on the topic %s", topic);
	kafka_trial_tell(attempt, TRIAL_BEGINS, what, NULL, NULL);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_END;
	rd_kafka_resp_err_t code = rd_kafka_assign(client->handle, list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = wait_for_end(client);
	rd_kafka_assign(client->handle, NULL);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka_trial_tell(attempt, TRIAL_FINE, what, "granted", NULL);
	else
		tell_denied(attempt, what, code, right);
}

/* Asks for the group's offsets, again and again while no coordinator is found: one who may not know
 * of the group finds none. */
static rd_kafka_resp_err_t ask_for_offsets(
	struct kafka_trial_client *client, rd_kafka_topic_partition_list_t *partitions)
{
	int64_t deadline = clock_monotonic_ns() + ANSWER_MS * NS_PER_MS;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	while (code == RD_KAFKA_RESP_ERR__TIMED_OUT && clock_monotonic_ns() < deadline) {
		if (client->group_denied)
			return RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
		code = rd_kafka_committed(client->handle, partitions, ASK_MS);
		poll_client(client, 0);
	}
	return code;
}

/* To ask for the group's offsets needs a right to the group, and joins nothing. */
static void try_group(struct kafka_attempt *attempt, struct kafka_trial_client *client)
{
	const char *group = attempt->settings->kafka.group_id;
	char what[TRIAL_TEXT_SIZE];
	char right[TRIAL_TEXT_SIZE];
	snprintf(what, sizeof(what), "right to use the group %s", group);
	snprintf(right, sizeof(right), "Read on the group %s", group);
	kafka_trial_tell(attempt, TRIAL_BEGINS, what, NULL, NULL);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(
		list, attempt->settings->kafka.request_topics.items[0], 0);
	rd_kafka_resp_err_t code = ask_for_offsets(client, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		kafka_trial_tell(attempt, TRIAL_FINE, what, "granted", NULL);
	else
		tell_denied(attempt, what, code, right);
}

static void leave_writing_out(struct kafka_attempt *attempt, const char *topic)
{
	char what[TRIAL_TEXT_SIZE];
	snprintf(what, sizeof(what), "right to write %s", topic);
	kafka_trial_tell(attempt, TRIAL_LEFT_OUT, what, "only a record would show it", NULL);
}

static void try_resources(struct kafka_attempt *attempt, struct kafka_trial_client *client)
{
	const struct settings *settings = attempt->settings;
	const char *error_topic = settings->kafka.error_topic;
	const struct text_list *requests = &settings->kafka.request_topics;
	for (size_t i = 0; i < requests->count; i++)
		if (try_topic(attempt, client->handle, requests->items[i]))
			try_reading(attempt, client, requests->items[i]);
	if (try_topic(attempt, client->handle, settings->kafka.result_topic))
		leave_writing_out(attempt, settings->kafka.result_topic);
	if (error_topic[0] != '\0' && strcmp(error_topic, settings->kafka.result_topic) != 0 &&
		try_topic(attempt, client->handle, error_topic))
		leave_writing_out(attempt, error_topic);
	try_group(attempt, client);
}

bool kafka_try(const struct settings *settings, trial_fn *tried, void *context)
{
	struct kafka_attempt attempt = {.settings = settings, .tried = tried, .context = context};
	struct kafka_trial_client client = {0};
	struct error err = {0};
	if (!kafka_trial_brokers(&attempt)) {
		kafka_trial_tell(
			&attempt, TRIAL_LEFT_OUT, "topics and rights", "no broker answers", NULL);
		return false;
	}
	if (kafka_trial_open(settings, &client, settings->kafka.brokers, &err))
		try_resources(&attempt, &client);
	else
		kafka_trial_tell(&attempt, TRIAL_WRONG, "topics and rights", err.text, NULL);
	kafka_trial_close(&client);
	return !attempt.wrong;
}
