/*
 * Preloaded between the service and librdkafka (LD_PRELOAD), for the chaos suite: what the service
 * itself has no switch for, and must not have.
 *
 *	CHAOS_DIE="before|after FUNCTION N"   kill -9 at the Nth call of a function of librdkafka
 *	CHAOS_SPOIL=commits_early             stores the end of what was received as done
 *	CHAOS_SPOIL=drops                     has every 100th result written to the topic CHAOS_SINK
 *	CHAOS_SPOIL=doubles                   sends every 100th result twice
 *	CHAOS_FULL=FILE                       makes this file once a record finds the queue full
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#define EVERY 100

/* librdkafka's own function; POSIX has an object's address hold a function's. */
#define REAL(function) (*(__typeof__(&(function)) *)(void *[]){dlsym(RTLD_NEXT, #function)})

/* The name of who calls it is the function's that is counted. */
#define BEFORE reached("before", __func__)
#define AFTER  reached("after", __func__)

static void reached(const char *moment, const char *function)
{
	static atomic_long times;
	char chosen_moment[8];
	char chosen_function[64];
	char chosen_time[16];
	const char *die = getenv("CHAOS_DIE");
	if (die == NULL ||
		sscanf(die, "%7s %63s %15s", chosen_moment, chosen_function, chosen_time) != 3 ||
		strcmp(chosen_moment, moment) != 0 || strcmp(chosen_function, function) != 0)
		return;
	if (atomic_fetch_add(&times, 1) + 1 == strtol(chosen_time, NULL, 10))
		kill(getpid(), SIGKILL);
}

static bool spoils(const char *how)
{
	const char *chosen = getenv("CHAOS_SPOIL");
	return chosen != NULL && strcmp(chosen, how) == 0;
}

/* --- sending --- */

static rd_kafka_vu_t *part(rd_kafka_vu_t *parts, size_t count, rd_kafka_vtype_t type)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].vtype == type)
			return &parts[i];
	abort();
}

/* Has the service believe that a result is where it belongs. */
static void divert(rd_kafka_t *client, rd_kafka_vu_t *parts, size_t count)
{
	static rd_kafka_topic_t *_Atomic sink;
	if (sink == NULL)
		sink = rd_kafka_topic_new(client, getenv("CHAOS_SINK"), NULL);
	part(parts, count, RD_KAFKA_VTYPE_RKT)->u.rkt = sink;
}

/* Sends the record once more; its report has no tag. */
static void send_again(rd_kafka_t *client, const rd_kafka_vu_t *parts, size_t count)
{
	rd_kafka_vu_t copy[16];
	memcpy(copy, parts, count * sizeof(*parts));
	rd_kafka_vu_t *headers = part(copy, count, RD_KAFKA_VTYPE_HEADERS);
	headers->u.headers = rd_kafka_headers_copy(headers->u.headers);
	part(copy, count, RD_KAFKA_VTYPE_OPAQUE)->u.ptr = NULL;
	rd_kafka_error_t *error = REAL(rd_kafka_produceva)(client, copy, count);
	if (error != NULL) {
		rd_kafka_headers_destroy(headers->u.headers);
		rd_kafka_error_destroy(error);
	}
}

static void note_full(const rd_kafka_error_t *error)
{
	const char *file = getenv("CHAOS_FULL");
	if (file != NULL && error != NULL &&
		rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *client, const rd_kafka_vu_t *parts, size_t count)
{
	static atomic_uint sent;
	BEFORE;
	bool odd = atomic_fetch_add(&sent, 1) % EVERY == EVERY - 1;
	rd_kafka_vu_t changed[16];
	memcpy(changed, parts, count * sizeof(*parts));
	if (odd && spoils("doubles"))
		send_again(client, parts, count);
	if (odd && spoils("drops"))
		divert(client, changed, count);
	rd_kafka_error_t *error = REAL(rd_kafka_produceva)(client, changed, count);
	note_full(error);
	AFTER;
	return error;
}

typedef void report_fn(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);

static report_fn *the_services_own;

static void report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	if (message->_private != NULL)
		the_services_own(client, message, opaque);
}

void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf, report_fn *own)
{
	the_services_own = own;
	REAL(rd_kafka_conf_set_dr_msg_cb)(conf, report);
}

/* --- offsets --- */

/* Takes what was received for what is done. */
static void run_ahead(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *received = rd_kafka_topic_partition_list_copy(list);
	rd_kafka_position(client, received);
	for (int i = 0; i < list->cnt; i++)
		if (received->elems[i].offset > list->elems[i].offset)
			list->elems[i].offset = received->elems[i].offset;
	rd_kafka_topic_partition_list_destroy(received);
}

rd_kafka_resp_err_t rd_kafka_offsets_store(
	rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
	BEFORE;
	if (spoils("commits_early"))
		run_ahead(client, list);
	rd_kafka_resp_err_t code = REAL(rd_kafka_offsets_store)(client, list);
	AFTER;
	return code;
}

rd_kafka_resp_err_t rd_kafka_commit(
	rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list, int async)
{
	BEFORE;
	rd_kafka_resp_err_t code = REAL(rd_kafka_commit)(client, list, async);
	AFTER;
	return code;
}

/* --- transactions --- */

rd_kafka_error_t *rd_kafka_begin_transaction(rd_kafka_t *client)
{
	BEFORE;
	rd_kafka_error_t *error = REAL(rd_kafka_begin_transaction)(client);
	AFTER;
	return error;
}

rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(rd_kafka_t *client,
	const rd_kafka_topic_partition_list_t *list,
	const rd_kafka_consumer_group_metadata_t *group, int timeout_ms)
{
	BEFORE;
	rd_kafka_error_t *error =
		REAL(rd_kafka_send_offsets_to_transaction)(client, list, group, timeout_ms);
	AFTER;
	return error;
}

rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *client, int timeout_ms)
{
	BEFORE;
	rd_kafka_error_t *error = REAL(rd_kafka_commit_transaction)(client, timeout_ms);
	AFTER;
	return error;
}

/* --- time --- */

/*
 * libfaketime, where it is preloaded too, bends the clock that librdkafka reads and the waits of
 * POSIX threads, but not those of C11: a wait of a millisecond would last as long as the jump.
 */
int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
	int error = pthread_cond_timedwait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
	return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}
