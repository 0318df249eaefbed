/* What --help shows: for people, as man pages, and as completion for shells. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/usage.h"
#include "core/outcome.h"
#include "options.h"

static const char summary[] =
	"answers look-up requests from Kafka with the customer's latest Care360 case ID";

static const char exit_status[] = "0 fine, 1 failed at run time, 2 wrong usage or configuration.";

/* --- for people --- */

static void append_option(struct buffer *help, const struct command_option *option, char letter)
{
	char left[64] = "";
	char short_form[] = {'-', letter, ',', ' ', '\0'};
	const char *argument = option->argument == NULL ? "" : option->argument;
	snprintf(left, sizeof(left), "%s--%s%s%s", letter == '\0' ? "    " : short_form,
		option->name, argument[0] == '[' ? "" : " ", argument);
	buffer_append_format(help, "  %-24s  %s\n", left, option->help);
}

static void append_common(struct buffer *help)
{
	for (size_t i = 0; i < COMMON_OPTIONS; i++)
		append_option(help, &common_options[i].option, common_options[i].letter);
}

static void append_program(struct buffer *help, const struct command *commands)
{
	buffer_append_text(help, "Usage: " PROGRAM " [OPTIONS] COMMAND [OPTIONS]\n\n");
	buffer_append_format(help, "%c%s.\n\nCommands:\n", summary[0] - 'a' + 'A', summary + 1);
	for (const struct command *command = commands; command->name != NULL; command++)
		buffer_append_format(help, "  %-8s  %s\n", command->name, command->summary);
	buffer_append_text(help, "\nOptions of all commands:\n");
	append_common(help);
	buffer_append_format(help,
		"\n" PROGRAM " COMMAND --help shows the options of a command.\n"
		"Exit status: %s\n",
		exit_status);
}

static void append_command(struct buffer *help, const struct command *command)
{
	buffer_append_format(help, "Usage: " PROGRAM " %s [OPTIONS]\n\n%s\n\nOptions:\n",
		command->name, command->summary);
	for (size_t i = 0; i < own_option_count(command); i++)
		append_option(help, &command->options[i], '\0');
	append_common(help);
}

static void append_help(
	struct buffer *out, const struct command *commands, const struct command_line *line)
{
	if (line->command == NULL)
		append_program(out, commands);
	else
		append_command(out, line->command);
}

/* --- in other forms --- */

static const char *reason_value(size_t index)
{
	return index + 1 < REASON_COUNT ? reason_name((enum reason)(index + 1)) : NULL;
}

static const char *form_value(size_t index);

static const struct usage_values values[] = {
	{"REASON", reason_value, ""},
	{"NAME=VALUE", settings_name, "="},
	{"FORM", form_value, ""},
};

static const struct usage_section sections[] = {
	{.title = "REPLAYS",
		.text = "A request that is replayed goes into the partition it came from, with its "
			"key, "
			"value and headers and one header more, care360-replay-of, which names the "
			"first original as TOPIC/PARTITION/OFFSET, however often it is replayed. "
			"Its "
			"result has that header too.\n"
			"\n"
			"That is how it is known what was replayed before, without a state "
			"anywhere: it "
			"is skipped unless --again is given. A replay that failed again counts as "
			"a "
			"failure of its own; of a request that failed several times the last "
			"failure is "
			"replayed.\n"
			"\n"
			"Error events are read up to the ends that the partitions have when it "
			"starts, "
			"without joining the consumer group. Two replays of the same requests at "
			"the "
			"same time do not know of each other.\n"
			"\n"
			"On standard output it lists what could not be replayed, and ends with one "
			"line "
			"for the audit: filters and counts."},
	{.title = "SIGNALS",
		.text = "SIGTERM and SIGINT stop the service: what it has begun is finished. A "
			"second one, "
			"or the end of shutdown.timeout_ms, ends it at once with status 1."},
	{.title = "ENVIRONMENT",
		.text = "CARE360_LOOKUP_KAFKA_BROKERS and the like set kafka.brokers and the like; "
			"CARE360_API_KEY is the API key where there is no file with it; NO_COLOR "
			"turns "
			"colours off."},
	{.title = "FILES", .text = COMMAND_DEFAULT_CONFIG},
	{.title = "EXIT STATUS", .text = exit_status},
};

static void copy_option(struct usage_option *to, const struct command_option *from, char letter)
{
	*to = (struct usage_option){from->name, letter, from->argument, from->help};
}

/* Appends one of the forms made of the usage of the whole program. */
static void append_usage(struct buffer *out, const struct command *commands,
	void (*append)(struct buffer *out, const struct usage *usage))
{
	struct usage_option common[COMMON_OPTIONS];
	struct usage_option own[COMMANDS_MAX][OWN_OPTIONS_MAX];
	struct usage_command used[COMMANDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < COMMON_OPTIONS; i++)
		copy_option(&common[i], &common_options[i].option, common_options[i].letter);
	for (; count < COMMANDS_MAX && commands[count].name != NULL; count++) {
		size_t options = own_option_count(&commands[count]);
		for (size_t i = 0; i < options; i++)
			copy_option(&own[count][i], &commands[count].options[i], '\0');
		used[count] = (struct usage_command){
			commands[count].name, commands[count].summary, own[count], options};
	}
	append(out, &(struct usage){
			    .program = PROGRAM,
			    .summary = summary,
			    .arguments = "[OPTIONS] COMMAND [OPTIONS]",
			    .options = common,
			    .option_count = COMMON_OPTIONS,
			    .commands = used,
			    .command_count = count,
			    .values = values,
			    .value_count = array_length(values),
			    .sections = sections,
			    .section_count = array_length(sections),
			    .see_also = "care360-sim 1\ncare360-lookup.cfg 5",
		    });
}

static void append_settings(struct buffer *out, const struct usage *usage)
{
	(void)usage;
	settings_append_manual(out);
}

static const struct form {
	const char *name;
	void (*append)(struct buffer *out, const struct usage *usage);
} forms[] = {
	{"man", usage_append_manual},
	{"cfg", append_settings},
	{"bash", usage_append_bash},
	{"zsh", usage_append_zsh},
};

static const char *form_value(size_t index)
{
	return index < array_length(forms) ? forms[index].name : NULL;
}

static const struct form *find_form(const char *name, struct error *err)
{
	for (size_t i = 0; i < array_length(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	error_set(err, "--help=%s: there is no such form; those there are:", name);
	for (size_t i = 0; i < array_length(forms); i++)
		error_append(err, "%s %s", i == 0 ? "" : ",", forms[i].name);
	return NULL;
}

bool help_show(const struct command *commands, const struct command_line *line, struct error *err)
{
	CLEANUP(buffer_fini) struct buffer out = {0};
	if (line->help_form == NULL) {
		append_help(&out, commands, line);
	} else {
		const struct form *form = find_form(line->help_form, err);
		if (form == NULL)
			return false;
		append_usage(&out, commands, form->append);
	}
	fputs(buffer_text(&out), stdout);
	return !out.failed || error_memory(err);
}
