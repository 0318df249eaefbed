#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static int pipes[2];
static char written[4096];

static int start(void **state)
{
	(void)state;
	return pipe2(pipes, O_CLOEXEC);
}

static int stop(void **state)
{
	(void)state;
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

static struct log *new_log(enum log_level level, enum log_format format)
{
	struct log *log = log_new(pipes[1], level, format, NULL);
	assert_non_null(log);
	return log;
}

/* What was written since the last call, behind the time of the (first) line. */
static const char *after_time(struct log *log, const char *time_end)
{
	assert_true(log_flush(log, PATIENCE_MS));
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	ssize_t length = read(pipes[0], written, sizeof(written) - 1);
	fcntl(pipes[0], F_SETFL, 0);
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
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_warn(log, "line stopped", LOG_TEXT("cause", "credentials"), LOG_INT("waiting", -4),
		LOG_BOOL("ready", false), LOG_TEXT("none", NULL), LOG_TEXT("words", "a \"b\""));
	assert_string_equal(after_time(log, "Z "),
		"warn  line stopped cause=credentials waiting=-4 ready=false none=null "
		"words=\"a \\\"b\\\"\"\n");
	log_info(log, "no fields");
	assert_string_equal(after_time(log, "Z "), "info  no fields\n");
	log_free(log);
}

static void writes_one_json_object_a_line(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
	log_error(log, "two\nlines", LOG_TEXT("a", "tab\there"), LOG_INT("b", 1),
		LOG_BOOL("c", true));
	assert_string_equal(after_time(log, "Z\", "),
		"\"level\": \"error\", \"message\": "
		"\"two\\u000alines\", \"a\": \"tab\\u0009here\", "
		"\"b\": 1, \"c\": true}\n");
	log_free(log);
}

static void what_is_no_utf8_does_not_spoil_the_json(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	/* Of RFC 3629: a lone continuation, an overlong slash, a surrogate, one beyond 10FFFF, one
	 * cut off; then what is right. */
	log_info(log, "x", LOG_TEXT("a", "\x80|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82"),
		LOG_TEXT("b", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82"));
	assert_string_equal(after_time(log, "\"x\", "),
		"\"a\": \"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\\ufffd"
		"|\\ufffd\\ufffd\", \"b\": \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\"}\n");
	log_free(log);
}

static void a_line_break_cannot_forge_a_line(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_info(log, "one\nerror two", LOG_TEXT("a", "x\ny"));
	assert_string_equal(after_time(log, "Z "), "info  one error two a=\"x\\u000ay\"\n");
	log_free(log);
}

static void leaves_out_lines_below_the_level(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	log_info(log, "hidden");
	assert_string_equal(after_time(log, "Z "), "");
	assert_false(log_wants(log, LOG_LEVEL_INFO));
	log_set_level(log, LOG_LEVEL_DEBUG);
	assert_true(log_wants(log, LOG_LEVEL_DEBUG));
	log_debug(log, "shown");
	assert_string_equal(after_time(log, "Z "), "debug shown\n");
	log_free(log);
	log_free(NULL);
}

static void a_full_disk_is_counted_and_holds_nobody_up(void **state)
{
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct log *log = log_new(full, LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
	log_info(log, "lost");
	log_info(log, "lost too");
	assert_true(log_flush(log, PATIENCE_MS));
	assert_int_equal(log_dropped(log), 2);
	log_free(log);
	close(full);
}

/* Fills the pipe to its last byte; returns how many that were. */
static size_t fill_pipe(void)
{
	size_t filled = 0;
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	while (write(pipes[1], "\n", 1) == 1)
		filled++;
	fcntl(pipes[1], F_SETFL, 0);
	return filled;
}

static void a_pipe_that_nobody_reads_holds_nobody_up_and_the_gap_is_told(void **state)
{
	(void)state;
	static const char missing[] = "are missing lines=";
	struct log *log = new_log(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	size_t sent = 0;
	fill_pipe();
	for (; log_dropped(log) < 100; sent++)
		log_debug(log, "something");
	/* The pipe's reader is back: what was kept comes, and the number of what was not, in more
	 * than one piece where the log's thread was late. */
	FILE *in = fdopen(dup(pipes[0]), "r");
	size_t come = 0;
	size_t told = 0;
	while (come + told < sent) {
		char line[256];
		assert_non_null(fgets(line, sizeof(line), in));
		const char *gap = strstr(line, missing);
		come += strstr(line, "something\n") != NULL ? 1 : 0;
		told += gap != NULL ? strtoul(gap + strlen(missing), NULL, 10) : 0;
	}
	assert_true(sent > 100);
	assert_int_equal(told, 100);
	assert_string_equal(after_time(log, ""), "");
	fclose(in);
	log_free(log);
}

static void ends_although_nobody_reads(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	size_t filled = fill_pipe();
	log_info(log, "nobody will read this");
	assert_false(log_flush(log, 0));
	log_free(log);
	while (filled > 0) {
		ssize_t length = read(pipes[0], written, sizeof(written));
		assert_true(length > 0);
		filled -= (size_t)length;
	}
}

static void repeats_are_told_by_their_number(void **state)
{
	(void)state;
	struct log *log = new_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	for (int i = 0; i < 37; i++)
		log_warn(log, "broker 7 is gone", LOG_INT("number", i));
	log_info(log, "something else");
	log_free(log);
	log = new_log(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	for (int i = 0; i < 37; i++)
		log_debug(log, "all of it");
	log_info(log, "the end");
	log_free(log);
	FILE *in = fdopen(dup(pipes[0]), "r");
	char line[256] = "";
	size_t gone = 0;
	while (strstr(line, "more like this") == NULL) {
		assert_non_null(fgets(line, sizeof(line), in));
		gone += strstr(line, "warn  broker 7 is gone number=") != NULL;
	}
	assert_int_equal(gone, 20);
	assert_non_null(strstr(line, "warn  17 more like this in "));
	assert_non_null(strstr(line, " s like=\"broker 7 is gone\"\n"));
	size_t debug = 0;
	while (strstr(line, "the end") == NULL) {
		assert_non_null(fgets(line, sizeof(line), in));
		debug += strstr(line, "all of it") != NULL;
	}
	assert_int_equal(debug, 37);
	fclose(in);
}

int main(void)
{
	alarm(PATIENCE_MS / 1000); /* a read for which nothing comes must end, too */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_text_for_people, start, stop),
		cmocka_unit_test_setup_teardown(writes_one_json_object_a_line, start, stop),
		cmocka_unit_test_setup_teardown(
			what_is_no_utf8_does_not_spoil_the_json, start, stop),
		cmocka_unit_test_setup_teardown(a_line_break_cannot_forge_a_line, start, stop),
		cmocka_unit_test_setup_teardown(leaves_out_lines_below_the_level, start, stop),
		cmocka_unit_test_setup_teardown(
			a_full_disk_is_counted_and_holds_nobody_up, start, stop),
		cmocka_unit_test_setup_teardown(
			a_pipe_that_nobody_reads_holds_nobody_up_and_the_gap_is_told, start, stop),
		cmocka_unit_test_setup_teardown(ends_although_nobody_reads, start, stop),
		cmocka_unit_test_setup_teardown(repeats_are_told_by_their_number, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
