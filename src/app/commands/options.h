/*
 * Inside app: the options common to all commands, and the help that is made of the tables.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/commands.h"

#define PROGRAM         "care360-lookup"
#define OWN_OPTIONS_MAX 16 /* of one command */
#define COMMANDS_MAX    16

struct common_option {
	struct command_option option;
	char letter; /* 0: none */
};

#define COMMON_OPTIONS 4
extern const struct common_option common_options[COMMON_OPTIONS];

/* How many options of its own a command has. NULL is fine. */
size_t own_option_count(const struct command *command);

/*
 * Prints the help that a command line asks for to standard output: of the program, of its command,
 * or all there is in another form, such as a man page. False and err where there is no such form.
 */
bool help_show(const struct command *commands, const struct command_line *line, struct error *err);

#endif
