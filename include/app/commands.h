/*
 * Commands: what can follow the program's name, and how a command line is read.
 *
 * main.c lists the commands. Each is a function that gets the command line, already read, and
 * returns the exit status:
 *
 *	int command_check(const struct command_line *line)
 *	{
 *		CLEANUP(free_settings) struct settings *settings = command_settings(line);
 *		if (settings == NULL)
 *			return EXIT_WRONG_USAGE;
 *		...
 *
 * Data goes to standard output, all else to standard error.
 */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "io/settings.h"

#define COMMAND_DEFAULT_CONFIG "/etc/care360-lookup/care360-lookup.cfg"

enum exit_status {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,      /* at run time */
	EXIT_WRONG_USAGE = 2, /* or a wrong configuration */
	EXIT_NO_CASE = 3,     /* lookup: the API has no case for these details */
};

/* An option of one command. A table of them ends with one without a name. */
struct command_option {
	const char *name;     /* without the two dashes */
	const char *argument; /* what --help calls its value; NULL: takes none; "[=WORD]": it may
				 be left out */
	const char *help;
};

struct command_line;

/* A row of the table in main.c. */
struct command {
	const char *name;
	const char *summary;
	int (*run)(const struct command_line *line);
	const struct command_option *options; /* NULL: none of its own */
};

/* An option as it was given. */
struct command_given {
	const char *name;
	const char *value; /* NULL: takes none */
};

/* A command line, read. What it points to is argv and the tables. */
struct command_line {
	const struct command *command;
	const char *config;       /* -c; NULL: the default file, if it is there */
	const char **assignments; /* --set */
	size_t assignment_count;
	struct command_given *given; /* the command's own options, in their order */
	size_t given_count;
	bool help;
	const char *help_form; /* --help=FORM; NULL: as text for people */
	bool version;
};

/*
 * Reads a command line against a table of commands that ends with one without a name. The options
 * common to all (-c, --set, -h, -V) may stand before the command. `command` stays NULL where only
 * help or the version is asked for. False and err where the usage is wrong, or memory is out. End
 * it with command_line_fini() in any case.
 */
bool command_line_read(struct command_line *ret_line, const struct command *commands, int count,
	char **arguments, struct error *err);
void command_line_fini(struct command_line *line);

/* Whether an option without a value was given. */
bool command_flag(const struct command_line *line, const char *name);

/* The last value given for an option; NULL: none. Those that may repeat are read from `given`. */
const char *command_value(const struct command_line *line, const char *name);

/* Where this command line says that settings come from; valid as long as it is. */
struct settings_sources command_sources(const struct command_line *line);

/*
 * Loads the settings, and prints what is wrong or odd to standard error. NULL: they cannot be used,
 * and the command ends with EXIT_WRONG_USAGE.
 */
struct settings *command_settings(const struct command_line *line);

/* All of main(): reads the command line, shows help where asked, runs the command. */
int commands_main(const struct command *commands, int count, char **arguments);

/* The commands and their options. */
int command_run(const struct command_line *line);
int command_check(const struct command_line *line);
extern const struct command_option command_check_options[];
int command_lookup(const struct command_line *line);
extern const struct command_option command_lookup_options[];
int command_replay(const struct command_line *line);
extern const struct command_option command_replay_options[];
int command_health(const struct command_line *line);
extern const struct command_option command_health_options[];
int command_demo(const struct command_line *line);
extern const struct command_option command_demo_options[];

#endif
