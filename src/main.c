/*
 * care360-lookup: the commands, a table of contents.
 */
#include "app/commands.h"

static const struct command commands[] = {
	{"run", "consume, look up and publish until SIGTERM or SIGINT", command_run, NULL},
	{"check", "read the configuration and report every mistake", command_check,
		command_check_options},
	{"lookup", "ask the API for one customer's latest case ID; exit status 3: there is none",
		command_lookup, command_lookup_options},
	{"replay", "publish again the requests behind error events", command_replay,
		command_replay_options},
	{"health", "ask the running service whether it is alive; exit status 0 or 1",
		command_health, command_health_options},
	{"demo", "everything at once: broker, API, service and requests; nothing to configure",
		command_demo, command_demo_options},
	{0},
};

int main(int count, char **arguments)
{
	return commands_main(commands, count, arguments);
}
