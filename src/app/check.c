#include <stdio.h>

#include "app/commands.h"
#include "base/mem.h"

const struct command_option command_check_options[] = {
	{"show", NULL, "print every setting in effect, its unit and where it came from"},
	{0},
};

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

int command_check(const struct command_line *line)
{
	CLEANUP(free_settings) struct settings *settings = command_settings(line);
	if (settings == NULL)
		return EXIT_WRONG_USAGE;
	if (command_flag(line, "show"))
		settings_show(settings, stdout);
	else
		puts("the configuration is fine");
	return EXIT_FINE;
}
