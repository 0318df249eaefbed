#include "demo_scene.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "loopback.h"

#define PARTITIONS         4
#define SERVICE_ENDS_MS    4000
#define API_ENDS_MS        1000
#define START_TIMEOUT_MS   5000
#define REQUEST_TIMEOUT_MS 5000
#define LOOK_TIMEOUT_MS    500 /* it is asked again soon */

/* Nothing but a demo's: it opens nothing. */
static const char key[] = "demo-key-that-opens-nothing";

struct path {
	char text[640];
};

static struct path file_path(const struct demo_scene *scene, const char *name)
{
	struct path path;
	snprintf(path.text, sizeof(path.text), "%s/%s", scene->directory, name);
	return path;
}

static bool write_file(
	const struct demo_scene *scene, const char *name, const char *text, struct error *err)
{
	struct path path = file_path(scene, name);
	FILE *file = fopen(path.text, "we");
	if (file == NULL || fputs(text, file) < 0) {
		error_system(err, errno, "%s", path.text);
		if (file != NULL)
			fclose(file);
		return false;
	}
	fclose(file);
	return true;
}

/*
 * What the service is told. Windows and intervals are short, so that there is something to be seen
 * soon. The mock cluster keeps whoever asks for new records waiting for the whole of the time that
 * he is ready to wait, even where one comes meanwhile.
 */
static bool write_configuration(const struct demo_scene *scene, struct error *err)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	buffer_append_format(&text,
		"kafka = { brokers = \"%s\"; consumer = { fetch_wait_max_ms = 10; }; };\n"
		"care360 = { base_url = \"http://127.0.0.1:%u\"; api_key_file = \"%s\"; };\n"
		"breaker = { min_requests = 10; window_ms = 2000; probe_interval_ms = 500; };\n"
		"retry = { max_backoff_ms = 500; };\n"
		"server = { listen = \"127.0.0.1:%u\"; };\n"
		"shutdown = { timeout_ms = 3000; };\n"
		"log = { format = \"text\"; };\n",
		mock_cluster_brokers(scene->cluster), scene->api_port,
		file_path(scene, "api-key").text, scene->service_port);
	return write_file(scene, "care360-lookup.cfg", buffer_text(&text), err) &&
	       write_file(scene, "api-key", key, err);
}

static bool start_api(struct demo_scene *scene, struct error *err)
{
	char program[4096];
	char listen[32];
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", scene->api_port);
	struct path key_path = file_path(scene, "api-key");
	const char *const arguments[] = {"care360-sim", "--listen", listen, "--api-key-file",
		key_path.text, "--latency", "40", "--latency-jitter", "40", NULL};
	return demo_program_path("care360-sim", program, sizeof(program), err) &&
	       demo_child_start(&scene->api, program, arguments,
		       file_path(scene, "care360-sim.log").text, err);
}

static bool start_service(
	struct demo_scene *scene, const char *const *assignments, size_t count, struct error *err)
{
	char program[4096];
	struct path configuration = file_path(scene, "care360-lookup.cfg");
	CLEANUP(free_pointer) const char **arguments = mem_new_array(const char *, 2 * count + 5);
	if (arguments == NULL)
		return error_memory(err);
	size_t used = 0;
	arguments[used++] = "care360-lookup";
	arguments[used++] = "run";
	arguments[used++] = "-c";
	arguments[used++] = configuration.text;
	for (size_t i = 0; i < count; i++) {
		arguments[used++] = "--set";
		arguments[used++] = assignments[i];
	}
	return demo_program_path(NULL, program, sizeof(program), err) &&
	       demo_child_start(&scene->service, program, arguments,
		       file_path(scene, "care360-lookup.log").text, err);
}

static bool wait_for_api(struct demo_scene *scene, struct error *err)
{
	for (int waited_ms = 0; waited_ms < START_TIMEOUT_MS; waited_ms += 10) {
		CLEANUP(buffer_fini) struct buffer body = {0};
		int status = 0;
		if (loopback_call(scene->api_port, "GET", "/_sim/settings", NULL, LOOK_TIMEOUT_MS,
			    &status, &body, NULL))
			return true;
		if (!demo_child_runs(&scene->api))
			break;
		poll(NULL, 0, 10);
	}
	if (scene->api.pid == 0 && WIFEXITED(scene->api.status) &&
		WEXITSTATUS(scene->api.status) == 127)
		return error_set(err, "there is no care360-sim beside this program, nor in PATH");
	scene->keep_directory = true;
	return error_set(
		err, "care360-sim did not start: see %s", file_path(scene, "care360-sim.log").text);
}

/* Where a read-only container cannot write to /tmp, it has shared memory of its own. */
static bool make_directory(struct demo_scene *scene, struct error *err)
{
	const char *temporary = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
	if (temporary == NULL || temporary[0] != '/' || strlen(temporary) > 480)
		temporary = "/tmp";
	const char *const places[] = {temporary, "/dev/shm"};
	for (size_t i = 0; i < array_length(places); i++) {
		snprintf(scene->directory, sizeof(scene->directory), "%s/care360-demo-XXXXXX",
			places[i]);
		if (mkdtemp(scene->directory) != NULL)
			return true;
		if (i == 0)
			error_system(err, errno, "%s", scene->directory);
	}
	scene->directory[0] = '\0';
	return false;
}

bool demo_scene_init(struct demo_scene *scene, struct error *err)
{
	*scene = (struct demo_scene){0};
	if (!make_directory(scene, err))
		return false;
	scene->cluster = mock_cluster_new(1, err);
	return scene->cluster != NULL &&
	       mock_cluster_add_topic(scene->cluster, DEMO_REQUESTS, PARTITIONS, err) &&
	       mock_cluster_add_topic(scene->cluster, DEMO_RESULTS, PARTITIONS, err);
}

bool demo_scene_start(
	struct demo_scene *scene, const char *const *assignments, size_t count, struct error *err)
{
	scene->api_port = loopback_free_port(err);
	scene->service_port = scene->api_port == 0 ? 0 : loopback_free_port(err);
	return scene->service_port != 0 && write_configuration(scene, err) &&
	       start_service(scene, assignments, count, err) && start_api(scene, err) &&
	       wait_for_api(scene, err);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void demo_scene_fini(struct demo_scene *scene)
{
	demo_child_end(&scene->service, SERVICE_ENDS_MS);
	demo_child_end(&scene->api, API_ENDS_MS);
	mock_cluster_free(scene->cluster);
	scene->cluster = NULL;
	if (scene->directory[0] != '\0' && !scene->keep_directory)
		nftw(scene->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	scene->directory[0] = '\0';
}

bool demo_scene_intact(struct demo_scene *scene, struct error *err)
{
	const char *name = NULL;
	if (!demo_child_runs(&scene->service))
		name = "care360-lookup";
	else if (!demo_child_runs(&scene->api))
		name = "care360-sim";
	if (name == NULL)
		return true;
	scene->keep_directory = true;
	return error_set(err, "%s ended by itself: see %s/%s.log", name, scene->directory, name);
}

bool demo_scene_change_api(const struct demo_scene *scene, const char *change, struct error *err)
{
	CLEANUP(buffer_fini) struct buffer body = {0};
	int status = 0;
	if (!loopback_call(scene->api_port, "PUT", "/_sim/settings", change, REQUEST_TIMEOUT_MS,
		    &status, &body, err))
		return false;
	return status == 200 ||
	       error_set(err, "care360-sim refuses %s: %s", change, buffer_text(&body));
}

bool demo_scene_set_key_known(const struct demo_scene *scene, bool known, struct error *err)
{
	char change[96];
	snprintf(change, sizeof(change), "{\"api_key\": \"%s\"}", known ? key : "another-key");
	return demo_scene_change_api(scene, change, err);
}

bool demo_scene_ready(const struct demo_scene *scene, bool *ret_ready, struct error *ret_sentence)
{
	CLEANUP(buffer_fini) struct buffer body = {0};
	int status = 0;
	if (!loopback_call(scene->service_port, "GET", "/readyz", NULL, LOOK_TIMEOUT_MS, &status,
		    &body, ret_sentence))
		return false;
	const char *text = buffer_text(&body);
	if (strncmp(text, "stopped: ", 9) == 0)
		text += 9;
	error_set(ret_sentence, "%.*s", (int)strcspn(text, "\r\n"), text);
	*ret_ready = status == 200;
	return true;
}
