#include "app/commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spelling.h"
#include "options.h"

/* What getopt_long returns: the letter of a common option, or SET, or OWN and the row of a
 * command's. */
enum { SET = 1, OWN = 256 };

const struct common_option common_options[COMMON_OPTIONS] = {
	{{"config", "FILE", "read this configuration (" COMMAND_DEFAULT_CONFIG ")"}, 'c'},
	{{"set", "NAME=VALUE", "set one setting, such as lookup.in_flight=64; may be repeated"},
		'\0'},
	{{"help", "[=FORM]",
		 "show this; after a command, its options; as man or cfg (man pages), bash or zsh "
		 "(completion)"},
		'h'},
	{{"version", NULL, "show the version"}, 'V'},
};

size_t own_option_count(const struct command *command)
{
	size_t count = 0;
	while (command != NULL && command->options != NULL && command->options[count].name != NULL)
		count++;
	return count < OWN_OPTIONS_MAX ? count : OWN_OPTIONS_MAX;
}

static int has_argument(const struct command_option *option)
{
	if (option->argument == NULL)
		return no_argument;
	return option->argument[0] == '[' ? optional_argument : required_argument;
}

static struct option long_option(const struct command_option *option, int value)
{
	return (struct option){.name = option->name, .has_arg = has_argument(option), .val = value};
}

/* Everything that may stand on the command line; `command` is NULL before it is known. */
struct option_set {
	const struct command *commands; /* all there are */
	const struct command *command;
	struct option longs[COMMON_OPTIONS + OWN_OPTIONS_MAX + 1];
};

static void fill(
	struct option_set *set, const struct command *commands, const struct command *command)
{
	*set = (struct option_set){.commands = commands, .command = command};
	size_t count = 0;
	for (size_t i = 0; i < COMMON_OPTIONS; i++) {
		const struct common_option *common = &common_options[i];
		set->longs[count++] =
			long_option(&common->option, common->letter == '\0' ? SET : common->letter);
	}
	for (size_t i = 0; i < own_option_count(command); i++)
		set->longs[count++] = long_option(&command->options[i], OWN + (int)i);
}

static const struct command *command_with_option(const struct command *commands, const char *name)
{
	for (; commands->name != NULL; commands++)
		for (size_t i = 0; i < own_option_count(commands); i++)
			if (strcmp(commands->options[i].name, name) == 0)
				return commands;
	return NULL;
}

/* The name of the option that was probably meant, or NULL. */
static const char *nearest_option(const struct option_set *set, const char *name)
{
	const char *nearest = NULL;
	size_t best = spelling_near(name) + 1;
	for (const struct option *option = set->longs; option->name != NULL; option++) {
		size_t distance = spelling_distance(name, option->name);
		/* An abbreviation that several begin with. */
		if (name[0] != '\0' && strncmp(name, option->name, strlen(name)) == 0)
			distance = 0;
		if (distance < best) {
			best = distance;
			nearest = option->name;
		}
	}
	return nearest;
}

static bool refuse_unknown(const struct option_set *set, const char *argument, struct error *err)
{
	char name[SPELLING_MAX + 1] = "";
	size_t length = strcspn(argument, "=");
	if (length < 2 || length - 2 >= sizeof(name) || strncmp(argument, "--", 2) != 0)
		return error_set(err, "there is no option %s", argument);
	memcpy(name, argument + 2, length - 2);
	const struct command *other = command_with_option(set->commands, name);
	if (set->command == NULL && other != NULL)
		return error_set(err, "--%s is an option of %s and stands after it: %s --%s", name,
			other->name, other->name, name);
	const char *nearest = nearest_option(set, name);
	if (nearest == NULL)
		error_set(err, "there is no option --%s", name);
	else
		error_set(err, "there is no option --%s; did you mean --%s?", name, nearest);
	return set->command == NULL ? false : error_prefix(err, "%s", set->command->name);
}

/* What getopt_long did not like about an argument; `value` is its optopt. */
static bool refuse_option(const struct option_set *set, bool value_missing, int value,
	const char *argument, struct error *err)
{
	for (const struct option *option = set->longs; option->name != NULL; option++)
		if (value != 0 && option->val == value)
			return error_set(err, "--%s %s", option->name,
				value_missing ? "needs a value" : "takes no value");
	if (value != 0 && value < OWN)
		return error_set(err, "there is no option -%c", value);
	return refuse_unknown(set, argument, err);
}

static void take(struct command_line *line, const struct option_set *set, int found)
{
	switch (found) {
	case 'c':
		line->config = optarg;
		break;
	case SET:
		line->assignments[line->assignment_count++] = optarg;
		break;
	case 'h':
		line->help = true;
		line->help_form = optarg;
		break;
	case 'V':
		line->version = true;
		break;
	default:
		line->given[line->given_count++] =
			(struct command_given){set->command->options[found - OWN].name, optarg};
	}
}

/* Reads options up to the first argument that is none, which begins at *at, and moves *at on. */
static bool read_options(struct command_line *line, const struct option_set *set, int *at,
	int count, char **arguments, struct error *err)
{
	/* getopt_long skips the first, and starts anew where optind is 0. */
	char **rest = arguments + *at - 1;
	optind = 0;
	opterr = 0;
	int found = 0;
	while ((found = getopt_long(count - *at + 1, rest, "+:c:hV", set->longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			return refuse_option(set, found == ':', optopt, rest[optind - 1], err);
		take(line, set, found);
	}
	*at += optind - 1;
	return true;
}

static const struct command *find_command(
	const struct command *commands, const char *name, struct error *err)
{
	const char *nearest = NULL;
	size_t best = spelling_near(name) + 1;
	for (const struct command *command = commands; command->name != NULL; command++) {
		size_t distance = spelling_distance(name, command->name);
		if (strcmp(name, command->name) == 0)
			return command;
		if (distance < best) {
			best = distance;
			nearest = command->name;
		}
	}
	if (nearest != NULL)
		error_set(err, "there is no command %s; did you mean %s?", name, nearest);
	else
		error_set(err, "there is no command %s", name);
	return NULL;
}

bool command_line_read(struct command_line *ret_line, const struct command *commands, int count,
	char **arguments, struct error *err)
{
	*ret_line = (struct command_line){0};
	/* There cannot be more options than arguments. */
	ret_line->assignments = mem_new_array(const char *, (size_t)count + 1);
	ret_line->given = mem_new_array(struct command_given, (size_t)count + 1);
	if (ret_line->assignments == NULL || ret_line->given == NULL)
		return error_memory(err);
	struct option_set set;
	int at = 1;
	fill(&set, commands, NULL);
	if (!read_options(ret_line, &set, &at, count, arguments, err))
		return false;
	if (at >= count)
		return ret_line->help || ret_line->version ||
		       error_set(err, "a command is needed, such as %s", commands[0].name);
	ret_line->command = find_command(commands, arguments[at], err);
	if (ret_line->command == NULL)
		return false;
	at++;
	fill(&set, commands, ret_line->command);
	if (!read_options(ret_line, &set, &at, count, arguments, err))
		return false;
	if (at < count)
		return error_set(err, "%s: what is \"%s\" for? It takes options alone",
			ret_line->command->name, arguments[at]);
	return true;
}

void command_line_fini(struct command_line *line)
{
	free(line->assignments);
	free(line->given);
	*line = (struct command_line){0};
}

bool command_flag(const struct command_line *line, const char *name)
{
	for (size_t i = 0; i < line->given_count; i++)
		if (strcmp(line->given[i].name, name) == 0)
			return true;
	return false;
}

const char *command_value(const struct command_line *line, const char *name)
{
	for (size_t i = line->given_count; i > 0; i--)
		if (strcmp(line->given[i - 1].name, name) == 0)
			return line->given[i - 1].value;
	return NULL;
}

/* Settings */

struct settings_sources command_sources(const struct command_line *line)
{
	return (struct settings_sources){
		.file = line->config == NULL ? COMMAND_DEFAULT_CONFIG : line->config,
		.file_may_be_missing = line->config == NULL,
		.environment = (const char *const *)environ,
		.assignments = line->assignments,
		.assignment_count = line->assignment_count,
	};
}

struct settings *command_settings(const struct command_line *line)
{
	CLEANUP(settings_report_fini) struct settings_report report = {0};
	struct error err = {0};
	struct settings_sources sources = command_sources(line);
	struct settings *settings = settings_load(&sources, &report, &err);
	for (size_t i = 0; i < report.count; i++)
		fprintf(stderr, "%s\n", report.findings[i].text);
	if (settings == NULL)
		fprintf(stderr, PROGRAM ": %s\n", err.text);
	return settings;
}

static int run_line(const struct command *commands, const struct command_line *line)
{
	struct error err = {0};
	if (line->help && !help_show(commands, line, &err)) {
		fprintf(stderr, PROGRAM ": %s\n", err.text);
		return EXIT_WRONG_USAGE;
	}
	if (line->help)
		return EXIT_FINE;
	if (line->version || line->command == NULL) {
		puts(PROGRAM " " CARE360_VERSION);
		return EXIT_FINE;
	}
	return line->command->run(line);
}

int commands_main(const struct command *commands, int count, char **arguments)
{
	CLEANUP(command_line_fini) struct command_line line = {0};
	struct error err = {0};
	if (!command_line_read(&line, commands, count, arguments, &err)) {
		fprintf(stderr, PROGRAM ": %s (--help shows commands and options)\n", err.text);
		return EXIT_WRONG_USAGE;
	}
	int status = run_line(commands, &line);
	/* A full disk must not pass for success. */
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) && status == EXIT_FINE) {
		fprintf(stderr, PROGRAM ": standard output cannot be written: %s\n",
			strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
