#include "app/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static int nothing(const struct command_line *line)
{
	(void)line;
	return EXIT_FINE;
}

static const struct command_option replay_options[] = {
	{"reason", "REASON", "may be repeated"},
	{"since", "TIME", "from then on"},
	{"dry-run", NULL, "do nothing"},
	{0},
};

static const struct command commands[] = {
	{"run", "runs", nothing, NULL},
	{"replay", "replays", nothing, replay_options},
	{0},
};

#define ARGUMENTS_MAX 16

/* Reads a command line whose arguments are separated by a space. */
static bool read_text(struct command_line *line, char *text, struct error *err)
{
	char *arguments[ARGUMENTS_MAX + 1] = {"care360-lookup"};
	int count = 1;
	char *rest = text;
	while (rest != NULL && *rest != '\0') {
		assert_true(count < ARGUMENTS_MAX);
		arguments[count++] = strsep(&rest, " ");
	}
	return command_line_read(line, commands, count, arguments, err);
}

static void reads(struct command_line *line, char *text)
{
	struct error err = {0};
	if (!read_text(line, text, &err))
		fail_msg("%s: %s", text, err.text);
}

static void common_options_stand_before_or_after_the_command(void **state)
{
	(void)state;
	static char texts[][80] = {
		"-c a.cfg --set x=1 run --set y=2",
		"run -c a.cfg --set x=1 --set=y=2",
		"--config=a.cfg run --set x=1 --set y=2",
		"--set x=1 --set y=2 run -ca.cfg",
		"-c b.cfg --set x=1 run --conf a.cfg --set y=2",
	};
	for (size_t i = 0; i < array_length(texts); i++) {
		CLEANUP(command_line_fini) struct command_line line;
		reads(&line, texts[i]);
		assert_string_equal(line.command->name, "run");
		assert_string_equal(line.config, "a.cfg");
		assert_int_equal(line.assignment_count, 2);
		assert_string_equal(line.assignments[0], "x=1");
		assert_string_equal(line.assignments[1], "y=2");
		struct settings_sources sources = command_sources(&line);
		assert_string_equal(sources.file, "a.cfg");
		assert_false(sources.file_may_be_missing);
		assert_int_equal(sources.assignment_count, 2);
	}
}

static void the_default_file_may_be_missing(void **state)
{
	(void)state;
	char text[] = "run";
	CLEANUP(command_line_fini) struct command_line line;
	reads(&line, text);
	struct settings_sources sources = command_sources(&line);
	assert_string_equal(sources.file, "/etc/care360-lookup/care360-lookup.cfg");
	assert_true(sources.file_may_be_missing);
}

static void a_commands_own_options_follow_it(void **state)
{
	(void)state;
	char text[] = "replay --reason a --dry-run --since 1h --reason=b --since 2h";
	CLEANUP(command_line_fini) struct command_line line;
	reads(&line, text);
	assert_string_equal(line.command->name, "replay");
	assert_true(command_flag(&line, "dry-run"));
	assert_false(command_flag(&line, "again"));
	assert_string_equal(command_value(&line, "since"), "2h");
	assert_null(command_value(&line, "until"));
	assert_int_equal(line.given_count, 5);
	assert_string_equal(line.given[0].name, "reason");
	assert_string_equal(line.given[0].value, "a");
	assert_string_equal(line.given[3].value, "b");
	assert_null(line.given[1].value);
}

static void help_and_version_need_no_command(void **state)
{
	(void)state;
	static char texts[][20] = {"--help", "-h", "--version", "-V", "run -h", "run --version"};
	for (size_t i = 0; i < array_length(texts); i++) {
		CLEANUP(command_line_fini) struct command_line line;
		reads(&line, texts[i]);
		assert_true(line.help != line.version);
		assert_true((line.command == NULL) == (i < 4));
	}
}

static void wrong_usage_is_named_with_what_was_meant(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *error;
	} wrong[] = {
		{"", "a command is needed, such as run"},
		{"rnu", "there is no command rnu; did you mean run?"},
		{"frobnicate", "there is no command frobnicate"},
		{"--confg a run", "there is no option --confg; did you mean --config?"},
		{"run --frobnicate", "run: there is no option --frobnicate"},
		{"replay --dryrun", "replay: there is no option --dryrun; did you mean --dry-run?"},
		{"replay --resaon=x",
			"replay: there is no option --resaon; did you mean --reason?"},
		{"--dry-run replay",
			"--dry-run is an option of replay and stands after it: replay --dry-run"},
		{"replay --s 1", "replay: there is no option --s; did you mean --set?"},
		{"run -x", "there is no option -x"},
		{"run -s", "there is no option -s"},
		{"run --set", "--set needs a value"},
		{"run -c", "--config needs a value"},
		{"replay --since", "--since needs a value"},
		{"replay --dry-run=yes", "--dry-run takes no value"},
		{"run fast", "run: what is \"fast\" for? It takes options alone"},
		{"run -- fast", "run: what is \"fast\" for? It takes options alone"},
		{"run -", "run: what is \"-\" for? It takes options alone"},
	};
	for (size_t i = 0; i < array_length(wrong); i++) {
		char text[80];
		struct error err = {0};
		CLEANUP(command_line_fini) struct command_line line;
		strcpy(text, wrong[i].text);
		if (read_text(&line, text, &err))
			fail_msg("%s was read", wrong[i].text);
		assert_string_equal(err.text, wrong[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_options_stand_before_or_after_the_command),
		cmocka_unit_test(the_default_file_may_be_missing),
		cmocka_unit_test(a_commands_own_options_follow_it),
		cmocka_unit_test(help_and_version_need_no_command),
		cmocka_unit_test(wrong_usage_is_named_with_what_was_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
