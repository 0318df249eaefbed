#include "base/usage.h"

#include <stdbool.h>
#include <string.h>

#include "base/mdoc.h"

static bool may_be_left_out(const struct usage_option *option)
{
	return option->argument != NULL && option->argument[0] == '[';
}

/* The argument's name: WORD of "[=WORD]". */
static struct bytes argument_name(const struct usage_option *option)
{
	struct bytes name = bytes_of_text(option->argument);
	if (may_be_left_out(option))
		name = (struct bytes){name.data + 2, name.length - 3};
	return name;
}

/* What an option's argument may be; NULL: nothing is said of it. */
static const struct usage_values *values_of(
	const struct usage *usage, const struct usage_option *option)
{
	for (size_t i = 0; i < usage->value_count && option->argument != NULL; i++)
		if (bytes_equal(argument_name(option), bytes_of_text(usage->values[i].argument)))
			return &usage->values[i];
	return NULL;
}

static bool takes_file(const struct usage_option *option)
{
	return option->argument != NULL && strcmp(option->argument, "FILE") == 0;
}

/* Calls `each` for every option there is: the program's own, then each command's. */
static void for_each_option(struct buffer *out, const struct usage *usage,
	void (*each)(
		struct buffer *out, const struct usage *usage, const struct usage_option *option))
{
	for (size_t i = 0; i < usage->option_count; i++)
		each(out, usage, &usage->options[i]);
	for (size_t i = 0; i < usage->command_count; i++)
		for (size_t j = 0; j < usage->commands[i].option_count; j++)
			each(out, usage, &usage->commands[i].options[j]);
}

/* The program's name as that of a function: its dashes are underscores. */
static void append_function(struct buffer *out, const struct usage *usage)
{
	buffer_append_text(out, "_");
	for (const char *c = usage->program; *c != '\0'; c++)
		buffer_append(out, *c == '-' ? "_" : c, 1);
}

static void append_value_list(struct buffer *out, const struct usage_values *values)
{
	const char *before = "";
	for (size_t i = 0; values->value(i) != NULL; i++) {
		buffer_append_format(out, "%s%s%s", before, values->value(i), values->more);
		before = " ";
	}
}

/* --- the man page --- */

static void append_option_item(struct buffer *out, const struct usage_option *option)
{
	buffer_append_text(out, ".It");
	if (option->letter != '\0')
		buffer_append_format(out, " Fl %c ,", option->letter);
	buffer_append_format(out, " Fl -%s", option->name);
	struct bytes name = option->argument == NULL ? (struct bytes){0} : argument_name(option);
	if (may_be_left_out(option))
		buffer_append_format(out, " Ns Op = Ns Ar %.*s", (int)name.length, name.data);
	else if (option->argument != NULL)
		buffer_append_format(out, " Ar %s", option->argument);
	buffer_append_text(out, "\n");
	mdoc_sentence(out, option->help);
}

static void append_option_items(
	struct buffer *out, const struct usage_option *options, size_t count)
{
	if (count == 0)
		return;
	buffer_append_text(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < count; i++)
		append_option_item(out, &options[i]);
	buffer_append_text(out, ".El\n");
}

void usage_append_manual(struct buffer *out, const struct usage *usage)
{
	mdoc_begin(out, usage->program, 1, usage->summary);
	mdoc_section(out, "SYNOPSIS");
	buffer_append_format(out, ".Nm\n.Ar %s\n", usage->arguments);
	mdoc_section(out, "DESCRIPTION");
	buffer_append_format(out, ".Nm\n%s.\n", usage->summary);
	if (usage->command_count > 0)
		mdoc_section(out, "COMMANDS");
	for (size_t i = 0; i < usage->command_count; i++) {
		const struct usage_command *command = &usage->commands[i];
		buffer_append_format(out, ".Ss %s\n", command->name);
		mdoc_sentence(out, command->summary);
		append_option_items(out, command->options, command->option_count);
	}
	mdoc_section(out, "OPTIONS");
	append_option_items(out, usage->options, usage->option_count);
	for (size_t i = 0; i < usage->section_count; i++) {
		mdoc_section(out, usage->sections[i].title);
		if (usage->sections[i].literal)
			mdoc_literal(out, usage->sections[i].text);
		else
			mdoc_paragraphs(out, usage->sections[i].text);
	}
	if (usage->see_also != NULL)
		mdoc_see_also(out, usage->see_also);
}

/* --- bash --- */

/* "--set | --config | -c |" ..., of the options whose arguments stand in a word of their own. */
static void append_pattern(
	struct buffer *out, const struct usage *usage, const struct usage_option *option)
{
	(void)usage;
	if (option->argument == NULL || may_be_left_out(option))
		return;
	if (option->letter != '\0')
		buffer_append_format(out, "-%c | ", option->letter);
	buffer_append_format(out, "--%s | ", option->name);
}

/* The case of an option's argument. */
static void append_bash_argument(
	struct buffer *out, const struct usage *usage, const struct usage_option *option)
{
	const struct usage_values *values = values_of(usage, option);
	if (option->argument == NULL)
		return;
	buffer_append_text(out, "\t");
	if (option->letter != '\0' && !may_be_left_out(option))
		buffer_append_format(out, "-%c | ", option->letter);
	buffer_append_format(out, "--%s)\n", option->name);
	if (values != NULL) {
		buffer_append_text(out, "\t\twords=\"");
		append_value_list(out, values);
		buffer_append_text(out, "\"\n");
	} else if (takes_file(option)) {
		buffer_append_text(out, "\t\tcompopt -o filenames\n"
					"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n");
	}
	buffer_append_text(out, "\t\t;;\n");
}

static void append_words(struct buffer *out, const struct usage_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer_append_format(out, " --%s", options[i].name);
}

/* What may stand where no argument is due. */
static void append_bash_words(struct buffer *out, const struct usage *usage)
{
	buffer_append_text(out, "\t\twords=\"");
	for (size_t i = 0; i < usage->command_count; i++)
		buffer_append_format(out, "%s%s", i == 0 ? "" : " ", usage->commands[i].name);
	append_words(out, usage->options, usage->option_count);
	buffer_append_text(out, "\"\n");
	if (usage->command_count == 0)
		return;
	buffer_append_text(out, "\t\tcase $command in\n");
	for (size_t i = 0; i < usage->command_count; i++) {
		const struct usage_command *command = &usage->commands[i];
		buffer_append_format(out, "\t\t%s) words=\"", command->name);
		append_words(out, command->options, command->option_count);
		append_words(out, usage->options, usage->option_count);
		buffer_append_text(out, "\" ;;\n");
	}
	buffer_append_text(out, "\t\tesac\n");
}

static void append_bash_command(struct buffer *out, const struct usage *usage)
{
	if (usage->command_count == 0)
		return;
	buffer_append_text(out, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
				"\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	size_t before = out->length;
	for_each_option(out, usage, append_pattern);
	if (out->length >= before + 3) {
		out->length -= 3; /* the last " | " */
		buffer_append_text(out, ") ((i++)) ;;\n\t\t");
	}
	for (size_t i = 0; i < usage->command_count; i++)
		buffer_append_format(out, "%s%s", i == 0 ? "" : " | ", usage->commands[i].name);
	buffer_append_text(out, ") command=${COMP_WORDS[i]}; break ;;\n"
				"\t\tesac\n\tdone\n");
}

void usage_append_bash(struct buffer *out, const struct usage *usage)
{
	buffer_append_format(out, "# Completion of %s for bash.\n", usage->program);
	append_function(out, usage);
	buffer_append_text(out,
		"()\n{\n"
		"\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tlocal words='' list='' command='' i\n"
		"\tCOMPREPLY=()\n"
		"\t# bash takes --option=value apart.\n"
		"\tif [[ $word == = || $before == = ]]; then\n"
		"\t\t[[ $word == = ]] && word='' || before=${COMP_WORDS[COMP_CWORD - 2]}\n"
		"\t\t[[ $before == -* ]] || return 0\n"
		"\tfi\n");
	append_bash_command(out, usage);
	buffer_append_text(out, "\tcase $before in\n");
	for_each_option(out, usage, append_bash_argument);
	buffer_append_text(out, "\t*)\n");
	append_bash_words(out, usage);
	buffer_append_text(out,
		"\t\t;;\n"
		"\tesac\n"
		"\t[[ -n $words ]] || return 0\n"
		"\t# Of a list, the last one is completed.\n"
		"\t[[ $word != *,* ]] || list=${word%,*},\n"
		"\tmapfile -t COMPREPLY < <(compgen -P \"$list\" -W \"$words\" -- "
		"\"${word##*,}\")\n"
		"\t[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o "
		"nospace\n"
		"}\ncomplete -F ");
	append_function(out, usage);
	buffer_append_format(out, " %s\n", usage->program);
}

/* --- zsh --- */

/* Text inside single quotes, in which _arguments and _describe give a meaning to some letters. */
static void append_zsh_text(struct buffer *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\'')
			buffer_append_text(out, "'\\''");
		else if (strchr("[]:\\", *c) != NULL)
			buffer_append_format(out, "\\%c", *c);
		else
			buffer_append(out, c, 1);
	}
}

static void append_zsh_argument(
	struct buffer *out, const struct usage *usage, const struct usage_option *option)
{
	const struct usage_values *values = values_of(usage, option);
	struct bytes name = argument_name(option);
	buffer_append_format(
		out, "%s:%.*s:", may_be_left_out(option) ? ":" : "", (int)name.length, name.data);
	if (values != NULL) {
		buffer_append_format(
			out, " compadd%s - ", values->more[0] == '\0' ? "" : " -S \"\"");
		append_value_list(out, values);
	} else if (takes_file(option)) {
		buffer_append_text(out, "_files");
	}
}

static void append_zsh_options(struct buffer *out, const struct usage *usage,
	const struct usage_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct usage_option *option = &options[i];
		/* One that takes an argument may be repeated. */
		const char *end = option->argument == NULL ? "[" : "=[";
		const char *repeat = option->argument == NULL || may_be_left_out(option) ? "" : "*";
		if (may_be_left_out(option))
			end = "=-[";
		buffer_append_format(out, " \\\n\t\t'%s--%s%s", repeat, option->name, end);
		append_zsh_text(out, option->help);
		buffer_append_text(out, "]");
		if (option->argument != NULL)
			append_zsh_argument(out, usage, option);
		buffer_append_text(out, "'");
		if (option->letter == '\0')
			continue;
		buffer_append_format(out, " \\\n\t\t'%s-%c[", repeat, option->letter);
		append_zsh_text(out, option->help);
		buffer_append_text(out, "]");
		if (option->argument != NULL && !may_be_left_out(option))
			append_zsh_argument(out, usage, option);
		buffer_append_text(out, "'");
	}
}

static void append_zsh_commands(struct buffer *out, const struct usage *usage)
{
	buffer_append_text(out, " \\\n\t\t'1:command:->command' '*::argument:->argument'\n"
				"\tcase $state in\n"
				"\tcommand)\n\t\tlocal -a commands=(");
	for (size_t i = 0; i < usage->command_count; i++) {
		buffer_append_format(out, "\n\t\t\t'%s:", usage->commands[i].name);
		append_zsh_text(out, usage->commands[i].summary);
		buffer_append_text(out, "'");
	}
	buffer_append_text(out, "\n\t\t)\n\t\t_describe command commands\n\t\t;;\n"
				"\targument)\n\t\tcase $words[1] in\n");
	for (size_t i = 0; i < usage->command_count; i++) {
		const struct usage_command *command = &usage->commands[i];
		buffer_append_format(out, "\t\t%s) _arguments", command->name);
		append_zsh_options(out, usage, command->options, command->option_count);
		append_zsh_options(out, usage, usage->options, usage->option_count);
		buffer_append_text(out, "\n\t\t\t;;\n");
	}
	buffer_append_text(out, "\t\tesac\n\t\t;;\n\tesac\n");
}

void usage_append_zsh(struct buffer *out, const struct usage *usage)
{
	buffer_append_format(
		out, "#compdef %s\n# Completion of %s for zsh.\n", usage->program, usage->program);
	append_function(out, usage);
	buffer_append_text(out, "()\n{\n\tlocal curcontext=$curcontext state line\n"
				"\ttypeset -A opt_args\n\t_arguments -C");
	append_zsh_options(out, usage, usage->options, usage->option_count);
	if (usage->command_count > 0)
		append_zsh_commands(out, usage);
	buffer_append_text(out, usage->command_count > 0 ? "}\n\n" : "\n}\n\n");
	append_function(out, usage);
	buffer_append_text(out, " \"$@\"\n");
}
