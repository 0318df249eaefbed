/*
 * The demo's scene: the broker in this process, the API and the service as children, and the way to
 * talk to them.
 */
#ifndef APP_DEMO_SCENE_H
#define APP_DEMO_SCENE_H

#include <stdbool.h>

#include "base/error.h"
#include "demo_child.h"
#include "io/mock_cluster.h"

#define DEMO_REQUESTS "care360.lookup-requests"
#define DEMO_RESULTS  "care360.lookup-results"

struct demo_scene {
	struct mock_cluster *cluster;
	struct demo_child api;
	struct demo_child service;
	unsigned api_port;
	unsigned service_port;
	char directory[512]; /* of files that last as long as the demo */
	bool keep_directory;
};

/* Starts the broker. End the scene with demo_scene_fini() in any case. */
bool demo_scene_init(struct demo_scene *scene, struct error *err);

/* Starts the API and the service. The user's own --set come after ours. */
bool demo_scene_start(
	struct demo_scene *scene, const char *const *assignments, size_t count, struct error *err);

/* Ends the children, and takes the files away unless they are worth a look. */
void demo_scene_fini(struct demo_scene *scene);

/* Whether both children run. False and err saying which one does not, and where its log is. */
bool demo_scene_intact(struct demo_scene *scene, struct error *err);

/* Changes the simulator as it runs: `change` is a JSON object as care360-sim --help tells. */
bool demo_scene_change_api(const struct demo_scene *scene, const char *change, struct error *err);

/* Takes the service's key away from the API's list, or puts it back. */
bool demo_scene_set_key_known(const struct demo_scene *scene, bool known, struct error *err);

/*
 * Asks the service whether it is ready, and for the sentence that it says of it. False, with the
 * reason in its place and ret_ready as it was, while nobody answers.
 */
bool demo_scene_ready(const struct demo_scene *scene, bool *ret_ready, struct error *ret_sentence);

#endif
