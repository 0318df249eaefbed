/* `health`: asks the running service how it is; what container and systemd checks call. */
#include <stdio.h>

#include "app/commands.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "io/status_server.h"

#define PROGRAM "care360-lookup: "

/* Shorter than what container checks allow by default, so that they get to see the sentence. */
#define TIMEOUT_MS 4000

const struct command_option command_health_options[] = {
	{"ready", NULL, "ask whether it is ready, not only whether it is alive"},
	{0},
};

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

static bool ask(const char *listen, const char *path, int *ret_status, struct buffer *body,
	struct error *err)
{
	if (listen[0] == '\0')
		return error_set(err,
			"server.listen is empty, so the service answers nobody; give it an "
			"address, or do without this check");
	return status_ask(listen, path, TIMEOUT_MS, ret_status, body, err);
}

int command_health(const struct command_line *line)
{
	CLEANUP(free_settings) struct settings *settings = command_settings(line);
	if (settings == NULL)
		return EXIT_WRONG_USAGE;
	CLEANUP(buffer_fini) struct buffer body = {0};
	struct error err = {0};
	int status = 0;
	const char *path = command_flag(line, "ready") ? "/readyz" : "/livez";
	if (!ask(settings->server.listen, path, &status, &body, &err)) {
		fprintf(stderr, PROGRAM "health: %s\n", err.text);
		return EXIT_FAILED;
	}
	fputs(buffer_text(&body), stdout);
	return status == 200 ? EXIT_FINE : EXIT_FAILED;
}
