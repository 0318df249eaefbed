#include <stdio.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/mem.h"
#include "io/kafka.h"
#include "online.h"
#include "status/metrics.h"

const struct command_option command_check_options[] = {
	{"online", NULL, "try brokers, topics, rights and the API's address, too"},
	{"show", NULL, "print every setting in effect, its unit and where it came from"},
	{"example", NULL, "print a configuration file with every setting at its default"},
	{"reference", NULL, "print what each setting means, as a Markdown table"},
	{"metrics", NULL, "print what each metric of /metrics means, as a Markdown table"},
	{0},
};

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

static void say_fine(const struct command_line *line)
{
	if (line->config != NULL)
		printf("%s: the configuration is fine\n", line->config);
	else if (access(COMMAND_DEFAULT_CONFIG, F_OK) == 0)
		puts(COMMAND_DEFAULT_CONFIG ": the configuration is fine");
	else
		puts("the configuration is fine (there is no " COMMAND_DEFAULT_CONFIG
		     ", so it is made of defaults, the environment and --set)");
}

int command_check(const struct command_line *line)
{
	if (command_flag(line, "example")) {
		settings_write_example(stdout);
		return EXIT_FINE;
	}
	if (command_flag(line, "reference")) {
		settings_write_reference(stdout);
		return EXIT_FINE;
	}
	if (command_flag(line, "metrics")) {
		metrics_write_reference(stdout);
		return EXIT_FINE;
	}
	CLEANUP(free_settings) struct settings *settings = command_settings(line);
	if (settings == NULL)
		return EXIT_WRONG_USAGE;
	/* What io/settings cannot know: the names and values that librdkafka takes. */
	struct error err = {0};
	if (!kafka_settings_check(settings, &err)) {
		fprintf(stderr, "care360-lookup: %s\n", err.text);
		return EXIT_WRONG_USAGE;
	}
	if (command_flag(line, "show"))
		settings_show(settings, stdout);
	else
		say_fine(line);
	if (command_flag(line, "online"))
		return online_try(settings, stdout) ? EXIT_FINE : EXIT_FAILED;
	return EXIT_FINE;
}
