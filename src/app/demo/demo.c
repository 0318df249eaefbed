/*
 * `demo`: everything at once, nothing to install or configure.
 *
 * It plays the acts of the table below: requests are fed to the broker, results are read from it
 * and shown beside their requests, and now and then the API misbehaves. One thread does it all, in
 * small turns; the service is a process of its own, the same program as it runs in production.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/mem.h"
#include "demo_request.h"
#include "demo_scene.h"
#include "demo_screen.h"
#include "io/consumer.h"
#include "io/producer.h"

#define TURN_MS          10
#define LOOK_EVERY       (100 * NS_PER_MS) /* at the service */
#define PATIENCE         (12 * NS_PER_S)   /* for the results of an act */
#define TRICKLE          2                 /* requests a second that keep it running */
#define MOST_OUTCOMES    16
#define CLOSE_TIMEOUT_MS 1000

const struct command_option command_demo_options[] = {
	{"keep-running", NULL, "go on with a slow trickle of requests until Ctrl-C, to play with"},
	{0},
};

/* A request that was fed. */
struct sent {
	int64_t at;
	int64_t duration; /* until its result was read; -1: none yet */
	char shown[64];
};

/* How many results ended in one way. */
struct outcome_count {
	char text[64];
	size_t count;
};

struct demo {
	struct demo_screen screen;
	struct demo_scene scene;
	struct settings *settings;
	struct consumer *consumer;
	struct producer *producer;
	sigset_t signals;
	bool interrupted;
	bool show; /* each result, as it comes */
	char tag;  /* its address stands for each source and record */

	struct sent *sent; /* by the number of the request */
	size_t sent_count;
	size_t sent_room;
	size_t planned;
	size_t answered;
	size_t repeats;
	int64_t first_result_at;
	int64_t started_at;
	struct outcome_count outcomes[MOST_OUTCOMES];
	size_t outcome_count;

	int64_t looked_at;
	bool was_ready;
	bool stopped;          /* the line, after it ran */
	struct error sentence; /* how the service says it is */
	struct error failure;
};

/* --- results --- */

static const char *member_text(json_object *object, const char *name)
{
	json_object *member = NULL;
	if (!json_object_object_get_ex(object, name, &member) ||
		json_object_get_string(member) == NULL)
		return "";
	return json_object_get_string(member);
}

static void count_outcome(struct demo *demo, const char *text)
{
	size_t i = 0;
	while (i < demo->outcome_count && strcmp(demo->outcomes[i].text, text) != 0)
		i++;
	if (i == MOST_OUTCOMES)
		return;
	if (i == demo->outcome_count)
		snprintf(demo->outcomes[demo->outcome_count++].text, sizeof(demo->outcomes[0].text),
			"%s", text);
	demo->outcomes[i].count++;
}

/* Reads a result: how it ended, for counting, and a text for people. False where it is none. */
static bool read_result(const struct record *record, char *outcome, size_t outcome_size, char *text,
	size_t text_size, bool *ret_found)
{
	json_tokener *tokener = json_tokener_new();
	if (tokener == NULL)
		return false;
	json_object *result =
		json_tokener_parse_ex(tokener, record->value.data, (int)record->value.length);
	json_tokener_free(tokener);
	json_object *error = NULL;
	*ret_found = strcmp(member_text(result, "outcome"), "found") == 0;
	json_object_object_get_ex(result, "error", &error);
	if (*ret_found) {
		snprintf(outcome, outcome_size, "found");
		snprintf(text, text_size, "case %s", member_text(result, "caseId"));
	} else {
		snprintf(outcome, outcome_size, "error: %s", member_text(error, "reason"));
		snprintf(text, text_size, "%s: %s", member_text(error, "reason"),
			member_text(error, "message"));
	}
	bool read = result != NULL;
	json_object_put(result);
	return read;
}

/* The request that a result belongs to, by its key; NULL where somebody else sent it. */
static struct sent *find_sent(struct demo *demo, struct bytes key)
{
	char text[24];
	if (key.data == NULL || key.length >= sizeof(text) || !bytes_start_with(key, BYTES("r-")))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)key.length, key.data);
	size_t number = strtoul(text + 2, NULL, 10);
	return number < demo->sent_count ? &demo->sent[number] : NULL;
}

static bool received(void *context, const struct record *record, void *source, struct error *err)
{
	struct demo *demo = context;
	char outcome[64] = "";
	char text[256] = "";
	bool found = false;
	(void)source;
	if (record->value.data == NULL ||
		!read_result(record, outcome, sizeof(outcome), text, sizeof(text), &found))
		return error_set(err, "a result is no JSON");
	int64_t now = clock_monotonic_ns();
	struct sent *sent = find_sent(demo, record->key);
	enum demo_tone tone = found ? TONE_GOOD : TONE_ERROR;
	if (sent == NULL) {
		demo_screen_pair(&demo->screen, "(a request of yours)", tone, text, 0);
		return true;
	}
	if (sent->duration >= 0) {
		demo->repeats++;
		return true;
	}
	sent->duration = now - sent->at;
	demo->answered++;
	if (demo->first_result_at == 0)
		demo->first_result_at = now;
	count_outcome(demo, outcome);
	if (demo->show)
		demo_screen_pair(&demo->screen, sent->shown, tone, text, sent->duration);
	return true;
}

static void *assigned(void *context, const char *topic, int32_t partition)
{
	struct demo *demo = context;
	(void)topic;
	(void)partition;
	return &demo->tag;
}

static void revoked(void *context, void *const *sources, size_t count, bool lost)
{
	(void)context;
	(void)sources;
	(void)count;
	(void)lost;
}

static void reported(void *context, const struct kafka_report *report)
{
	(void)context;
	(void)report;
}

static void delivered(void *context, void *tag, enum delivery_status status, const char *text)
{
	struct demo *demo = context;
	(void)tag;
	if (status != DELIVERY_ACKNOWLEDGED)
		error_set(&demo->failure, "a request could not be sent: %s", text);
}

/* --- requests --- */

static bool feed_one(struct demo *demo, struct error *err)
{
	if (demo->sent_count == demo->sent_room) {
		size_t room = demo->sent_room == 0 ? 4096 : 2 * demo->sent_room;
		struct sent *sent = realloc(demo->sent, room * sizeof(*sent));
		if (sent == NULL)
			return error_memory(err);
		demo->sent = sent;
		demo->sent_room = room;
	}
	struct demo_request request;
	demo_request_make((int)demo->sent_count, &request);
	struct sent *sent = &demo->sent[demo->sent_count];
	*sent = (struct sent){.at = clock_monotonic_ns(), .duration = -1};
	snprintf(sent->shown, sizeof(sent->shown), "%s", request.shown);
	if (producer_send(demo->producer, DEMO_REQUESTS, bytes_of_text(request.key),
		    bytes_of_text(request.value), request.headers, request.header_count, NULL,
		    err) != SEND_QUEUED)
		return false;
	demo->sent_count++;
	return true;
}

/* --- turns --- */

/* Looks at how the service says it is, and tells when the line stops or runs again. */
static void look_at_service(struct demo *demo, int64_t now)
{
	if (now < demo->looked_at + LOOK_EVERY)
		return;
	demo->looked_at = now;
	bool ready = false;
	if (!demo_scene_ready(&demo->scene, &ready, &demo->sentence))
		return; /* a busy machine is no news, nor is what it says before it has begun */
	if (demo->was_ready && !ready) {
		demo->stopped = true;
		demo_screen_say(
			&demo->screen, TONE_STOP, "  the line stops: %s", demo->sentence.text);
	} else if (ready && demo->stopped) {
		demo->stopped = false;
		demo_screen_say(
			&demo->screen, TONE_GOOD, "  the line runs again: what waited is answered");
	}
	demo->was_ready = ready;
}

/* Serves everything for a moment. False when the demo is over: interrupted, or err says why. */
static bool turn(struct demo *demo, struct error *err)
{
	static const struct timespec at_once = {0};
	if (sigtimedwait(&demo->signals, NULL, &at_once) > 0) {
		demo->interrupted = true;
		return false;
	}
	producer_poll(demo->producer, 0);
	if (!consumer_poll(demo->consumer, TURN_MS, 1000, err))
		return false;
	if (demo->failure.text[0] != '\0')
		return error_set(err, "%s", demo->failure.text);
	int64_t now = clock_monotonic_ns();
	look_at_service(demo, now);
	demo_screen_progress(&demo->screen, demo->answered, demo->planned,
		demo->was_ready ? "answered" : demo->sentence.text, now);
	return demo_scene_intact(&demo->scene, err);
}

/* Feeds at a rate for a while. */
static bool feed(struct demo *demo, size_t rate, int64_t duration, struct error *err)
{
	int64_t begun = clock_monotonic_ns();
	int64_t passed = 0;
	for (size_t fed = 0; passed < duration; passed = clock_monotonic_ns() - begun) {
		for (; fed * NS_PER_S < rate * (size_t)passed; fed++)
			if (!feed_one(demo, err))
				return false;
		if (!turn(demo, err))
			return false;
	}
	return true;
}

/* Waits until every request has its result, and the service says that it is ready. */
static bool catch_up(struct demo *demo, struct error *err)
{
	int64_t until = clock_monotonic_ns() + PATIENCE;
	while (demo->answered < demo->sent_count || !demo->was_ready) {
		if (!turn(demo, err))
			return false;
		if (clock_monotonic_ns() > until) {
			demo->scene.keep_directory = true;
			return error_set(err,
				"%zu requests are not answered; the service says \"%s\": see %s",
				demo->sent_count - demo->answered, demo->sentence.text,
				demo->scene.directory);
		}
	}
	return true;
}

/* --- the acts --- */

static bool forget_key(struct demo *demo, struct error *err)
{
	return demo_scene_set_key_known(&demo->scene, false, err);
}

static bool know_key(struct demo *demo, struct error *err)
{
	return demo_scene_set_key_known(&demo->scene, true, err);
}

static bool break_api(struct demo *demo, struct error *err)
{
	return demo_scene_change_api(&demo->scene, "{\"faults\": [\"status_503\"]}", err);
}

static bool mend_api(struct demo *demo, struct error *err)
{
	return demo_scene_change_api(&demo->scene, "{\"faults\": []}", err);
}

/* A part of the show: something begins, requests come in for a while, and it is put right. */
struct act {
	const char *title;
	bool (*begin)(struct demo *demo, struct error *err);
	const char *turn_of_events; /* said when it is put right */
	bool (*end)(struct demo *demo, struct error *err);
	size_t at_once; /* requests at its beginning */
	size_t rate;    /* and then, in a second */
	int64_t duration_ms;
	bool hidden; /* results are counted, not shown */
};

static const struct act acts[] = {
	{"The service joins its consumer group; the first requests wait for it.", NULL, NULL, NULL,
		8, 0, 0, false},
	{"Requests come in, and what Care360 knows comes back.", NULL, NULL, NULL, 0, 20, 2500,
		false},
	{"Care360 refuses the API key from now on, as if it had been revoked.", forget_key,
		"The key is good again.", know_key, 0, 20, 2500, false},
	{"Care360 is down: 503 to every request.", break_api, "Care360 is back.", mend_api, 0, 20,
		3000, false},
	{"1000 requests at once; their results are counted, not shown.", NULL, NULL, NULL, 1000, 0,
		0, true},
};

static size_t act_size(const struct act *act)
{
	return act->at_once + act->rate * (size_t)act->duration_ms / 1000;
}

static bool feed_at_once(struct demo *demo, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (!feed_one(demo, err))
			return false;
		if (i % 100 == 99 && !turn(demo, err))
			return false;
	}
	return true;
}

static bool play(struct demo *demo, const struct act *act, struct error *err)
{
	demo_screen_say(&demo->screen, TONE_TITLE, "\n%s", act->title);
	demo->show = !act->hidden;
	int64_t begun = clock_monotonic_ns();
	if (act->begin != NULL && !act->begin(demo, err))
		return false;
	if (!feed_at_once(demo, act->at_once, err) ||
		!feed(demo, act->rate, act->duration_ms * NS_PER_MS, err))
		return false;
	if (act->end != NULL) {
		demo_screen_say(&demo->screen, TONE_TITLE, "\n%s", act->turn_of_events);
		if (!act->end(demo, err))
			return false;
	}
	if (!catch_up(demo, err))
		return false;
	int64_t passed = clock_monotonic_ns() - begun;
	if (act->hidden)
		demo_screen_say(&demo->screen, TONE_PLAIN, "  answered in %.1f s: %.0f a second",
			(double)passed / (double)NS_PER_S,
			(double)act_size(act) * (double)NS_PER_S / (double)passed);
	return true;
}

static bool play_all(struct demo *demo, bool keep_running, struct error *err)
{
	for (size_t i = 0; i < array_length(acts); i++)
		demo->planned += act_size(&acts[i]);
	for (size_t i = 0; i < array_length(acts); i++)
		if (!play(demo, &acts[i], err))
			return false;
	if (!keep_running)
		return true;
	demo_screen_say(&demo->screen, TONE_TITLE,
		"\nIt goes on with a few requests a second. Ctrl-C ends it.");
	demo->show = true;
	demo->planned = 0;
	while (feed(demo, TRICKLE, NS_PER_S, err))
		;
	return false;
}

/* --- beginning and end --- */

static bool connect_clients(struct demo *demo, struct error *err)
{
	CLEANUP(buffer_fini) struct buffer brokers = {0};
	buffer_append_format(
		&brokers, "kafka.brokers=%s", mock_cluster_brokers(demo->scene.cluster));
	const char *const assignments[] = {buffer_text(&brokers), "kafka.group_id=demo",
		"kafka.request_topics=" DEMO_RESULTS, "kafka.result_topic=" DEMO_REQUESTS,
		"kafka.consumer.fetch_wait_max_ms=10"};
	const struct settings_sources sources = {
		.assignments = assignments, .assignment_count = array_length(assignments)};
	struct settings_report report = {0};
	demo->settings = settings_load(&sources, &report, err);
	if (demo->settings == NULL && report.count > 0)
		error_set(err, "%s", report.findings[0].text);
	settings_report_fini(&report);
	if (demo->settings == NULL)
		return false;
	const struct consumer_callbacks callbacks = {demo, assigned, revoked, received, reported};
	demo->producer = producer_new(demo->settings, delivered, reported, demo, err);
	if (demo->producer != NULL)
		demo->consumer = consumer_new(demo->settings, &callbacks, err);
	return demo->consumer != NULL;
}

static void show_addresses(struct demo *demo, bool keep_running)
{
	const struct demo_scene *scene = &demo->scene;
	const char *brokers = mock_cluster_brokers(scene->cluster);
	struct demo_screen *screen = &demo->screen;
	demo_screen_say(screen, TONE_TITLE,
		"care360-lookup: a Kafka broker, the Care360 API and the service, all on this "
		"machine");
	demo_screen_say(screen, TONE_PLAIN, "  broker   %s (librdkafka's mock cluster)", brokers);
	demo_screen_say(screen, TONE_PLAIN, "  API      http://127.0.0.1:%u (care360-sim)",
		scene->api_port);
	demo_screen_say(screen, TONE_PLAIN, "  service  http://127.0.0.1:%u/ (its status page)",
		scene->service_port);
	if (!keep_running)
		return;
	demo_screen_say(screen, TONE_PLAIN, "\nJoin in from another terminal:");
	demo_screen_say(screen, TONE_PLAIN, "  kcat -b %s -t " DEMO_RESULTS " -C", brokers);
	demo_screen_say(screen, TONE_PLAIN,
		"  echo '{\"email\": \"you@example.org\"}' | kcat -b %s -t " DEMO_REQUESTS " -P",
		brokers);
	demo_screen_say(screen, TONE_PLAIN,
		"  curl -X PUT http://127.0.0.1:%u/_sim/settings -d '{\"faults\": "
		"[\"status_503=30\"]}'",
		scene->api_port);
	demo_screen_say(screen, TONE_PLAIN, "The service's log and configuration are in %s.",
		scene->directory);
}

static int compare_durations(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void show_durations(struct demo *demo)
{
	CLEANUP(free_pointer) int64_t *durations = mem_new_array(int64_t, demo->answered + 1);
	size_t count = 0;
	for (size_t i = 0; i < demo->sent_count && durations != NULL; i++)
		if (demo->sent[i].duration >= 0)
			durations[count++] = demo->sent[i].duration;
	if (count == 0)
		return;
	qsort(durations, count, sizeof(*durations), compare_durations);
	char half[DEMO_DURATION_SIZE];
	char most[DEMO_DURATION_SIZE];
	char slowest[DEMO_DURATION_SIZE];
	demo_duration_text(durations[count / 2], half);
	demo_duration_text(durations[count * 95 / 100], most);
	demo_duration_text(durations[count - 1], slowest);
	demo_screen_say(&demo->screen, TONE_PLAIN,
		"  from request to result: half within %s, 95%% within %s; the slowest waited %s",
		half, most, slowest);
}

static void show_summary(struct demo *demo)
{
	struct demo_screen *screen = &demo->screen;
	demo_screen_say(screen, TONE_TITLE, "\n%zu requests, %zu answered, %zu repeated",
		demo->sent_count, demo->answered, demo->repeats);
	for (size_t i = 0; i < demo->outcome_count; i++)
		demo_screen_say(screen, TONE_PLAIN, "  %6zu  %s", demo->outcomes[i].count,
			demo->outcomes[i].text);
	show_durations(demo);
	if (demo->first_result_at != 0) {
		char first[DEMO_DURATION_SIZE];
		demo_duration_text(demo->first_result_at - demo->started_at, first);
		demo_screen_say(screen, TONE_PLAIN,
			"  the first result was there %s after the start", first);
	}
}

static void demo_fini(struct demo *demo)
{
	demo_screen_close(&demo->screen);
	producer_free(demo->producer);
	if (demo->consumer != NULL)
		consumer_close(demo->consumer, CLOSE_TIMEOUT_MS, NULL);
	consumer_free(demo->consumer);
	settings_free(demo->settings);
	demo_scene_fini(&demo->scene);
	free(demo->sent);
}

/* Threads of librdkafka inherit the mask: signals come to turn() alone. */
static void catch_signals(struct demo *demo)
{
	sigemptyset(&demo->signals);
	sigaddset(&demo->signals, SIGINT);
	sigaddset(&demo->signals, SIGTERM);
	sigaddset(&demo->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &demo->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int command_demo(const struct command_line *line)
{
	CLEANUP(demo_fini) struct demo demo = {.started_at = clock_monotonic_ns()};
	struct error err = {0};
	bool keep_running = command_flag(line, "keep-running");
	catch_signals(&demo);
	demo_screen_open(&demo.screen);
	bool fine = demo_scene_init(&demo.scene, &err) && connect_clients(&demo, &err) &&
		    demo_scene_start(&demo.scene, line->assignments, line->assignment_count, &err);
	if (fine) {
		show_addresses(&demo, keep_running);
		fine = play_all(&demo, keep_running, &err);
		demo_screen_close(&demo.screen);
		show_summary(&demo);
	}
	if (!fine && !demo.interrupted) {
		fprintf(stderr, "care360-lookup: demo: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (!demo.interrupted && !keep_running)
		demo_screen_say(&demo.screen, TONE_PLAIN,
			"\nTo play with it, and to look at its status page: care360-lookup demo "
			"--keep-running");
	return EXIT_FINE;
}
