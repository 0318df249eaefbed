#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int pipes[2];
static char written[4096];

static int start(void **state)
{
	(void)state;
	return pipe2(pipes, O_NONBLOCK | O_CLOEXEC);
}

static int stop(void **state)
{
	(void)state;
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

/* What was written since the last call, behind the time of the (first) line. */
static const char *after_time(const char *time_end)
{
	ssize_t length = read(pipes[0], written, sizeof(written) - 1);
	if (length <= 0)
		return "";
	written[length] = '\0';
	const char *at = strstr(written, time_end);
	assert_non_null(at);
	return at + strlen(time_end);
}

static void writes_text_for_people(void **state)
{
	(void)state;
	struct log *log = log_new(pipes[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
	log_warn(log, "line stopped", LOG_TEXT("cause", "credentials"), LOG_INT("waiting", -4),
		LOG_BOOL("ready", false), LOG_TEXT("none", NULL), LOG_TEXT("words", "a \"b\""));
	assert_string_equal(after_time("Z "),
		"warn  line stopped cause=credentials waiting=-4 ready=false none=null "
		"words=\"a \\\"b\\\"\"\n");
	log_info(log, "no fields");
	assert_string_equal(after_time("Z "), "info  no fields\n");
	log_free(log);
}

static void writes_one_json_object_a_line(void **state)
{
	(void)state;
	struct log *log = log_new(pipes[1], LOG_LEVEL_INFO, LOG_FORMAT_AUTO, NULL);
	log_error(log, "two\nlines", LOG_TEXT("a", "tab\there"), LOG_INT("b", 1),
		LOG_BOOL("c", true));
	assert_string_equal(after_time("Z\", "), "\"level\": \"error\", \"message\": "
						 "\"two\\u000alines\", \"a\": \"tab\\u0009here\", "
						 "\"b\": 1, \"c\": true}\n");
	log_free(log);
}

static void a_line_break_cannot_forge_a_line(void **state)
{
	(void)state;
	struct log *log = log_new(pipes[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
	log_info(log, "one\nerror two", LOG_TEXT("a", "x\ny"));
	assert_string_equal(after_time("Z "), "info  one error two a=\"x\\u000ay\"\n");
	log_free(log);
}

static void leaves_out_lines_below_the_level(void **state)
{
	(void)state;
	struct log *log = log_new(pipes[1], LOG_LEVEL_WARN, LOG_FORMAT_TEXT, NULL);
	log_info(log, "hidden");
	assert_string_equal(after_time("Z "), "");
	assert_false(log_wants(log, LOG_LEVEL_INFO));
	log_set_level(log, LOG_LEVEL_DEBUG);
	assert_true(log_wants(log, LOG_LEVEL_DEBUG));
	log_debug(log, "shown");
	assert_string_equal(after_time("Z "), "debug shown\n");
	log_free(log);
	log_free(NULL);
}

static void counts_lines_that_cannot_be_written(void **state)
{
	(void)state;
	struct log *log = log_new(-1, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
	log_info(log, "lost");
	log_info(log, "lost too");
	assert_int_equal(log_dropped(log), 2);
	log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_text_for_people),
		cmocka_unit_test(writes_one_json_object_a_line),
		cmocka_unit_test(a_line_break_cannot_forge_a_line),
		cmocka_unit_test(leaves_out_lines_below_the_level),
		cmocka_unit_test(counts_lines_that_cannot_be_written),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
