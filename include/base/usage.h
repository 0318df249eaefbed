/*
 * Usage: what a program's command line takes, as tables, and what is made of them: the man page,
 * and completion for bash and zsh. The texts are appended to a buffer, whose `failed` tells where
 * memory ran out.
 */
#ifndef BASE_USAGE_H
#define BASE_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct usage_option {
	const char *name;     /* without the two dashes */
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none; "[=WORD]": may be left out */
	const char *help;
};

/* A word that chooses what the program does, with options that stand after it. */
struct usage_command {
	const char *name;
	const char *summary;
	const struct usage_option *options;
	size_t option_count;
};

/* What an option's argument of this name may be. Those that nothing is said of complete to nothing,
 * but FILE to files. */
struct usage_values {
	const char *argument;
	const char *(*value)(size_t index); /* NULL after the last */
	const char *more; /* what follows each, where the argument goes on: "="; "": nothing */
};

/* A section of the man page. */
struct usage_section {
	const char *title; /* "EXIT STATUS" */
	const char
		*text; /* paragraphs with empty lines between them, as mdoc_paragraphs() has it */
	bool literal;  /* is shown as it stands */
};

struct usage {
	const char *program;
	const char *summary;   /* a sentence without its full stop */
	const char *arguments; /* "[OPTIONS] COMMAND [OPTIONS]" */
	const struct usage_option *options;
	size_t option_count;
	const struct usage_command *commands;
	size_t command_count;
	const struct usage_values *values;
	size_t value_count;
	const struct usage_section *sections;
	size_t section_count;
	const char *see_also; /* "care360-sim 1", a page of the manual a line; NULL: none */
};

/* Its man page, of section 1, in mdoc(7). */
void usage_append_manual(struct buffer *out, const struct usage *usage);

/* A script that bash reads to complete its command line. */
void usage_append_bash(struct buffer *out, const struct usage *usage);

/* The same for zsh, as an autoloaded function. */
void usage_append_zsh(struct buffer *out, const struct usage *usage);

#endif
