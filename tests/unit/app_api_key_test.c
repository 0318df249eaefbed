#include "app/api_key.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char directory[] = "/tmp/api-key-test-XXXXXX";
static char path[64];
static char other[64];
static struct api_key *key;

static int start(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int each_start(void **state)
{
	(void)state;
	unsetenv("CARE360_API_KEY");
	key = api_key_new(path, NULL);
	return key == NULL ? -1 : 0;
}

static int each_stop(void **state)
{
	(void)state;
	api_key_free(take_pointer(key));
	unlink(path);
	unlink(other);
	return 0;
}

static void put(const char *file, const char *text, size_t length)
{
	int out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0);
	assert_int_equal(write(out, text, length), length);
	close(out);
}

static void put_text(const char *text)
{
	put(path, text, strlen(text));
}

/* A refresh that gives this key. */
static void expect(const char *text, bool changed)
{
	struct error err = {0};
	bool got = !changed;
	if (!api_key_refresh(key, &got, &err))
		fail_msg("%s", err.text);
	assert_true(got == changed);
	assert_true(bytes_equal(api_key_bytes(key), bytes_of_text(text)));
}

/* A refresh that fails, with the file's name and then this sentence; the key in use stays. */
static void expect_refused(const char *sentence, const char *in_use)
{
	struct error err = {0};
	bool changed = true;
	assert_false(api_key_refresh(key, &changed, &err));
	assert_true(changed); /* untouched */
	size_t length = strlen(path);
	if (strncmp(err.text, path, length) == 0)
		assert_string_equal(err.text + length, sentence);
	else
		assert_string_equal(err.text, sentence);
	assert_true(bytes_equal(api_key_bytes(key), bytes_of_text(in_use)));
}

static void reads_a_file_and_strips_one_line_end(void **state)
{
	(void)state;
	assert_null(api_key_bytes(key).data);
	put_text("first\n");
	expect("first", true);
	expect("first", false);
	put_text("second");
	expect("second", true);
	put_text("second\r\n");
	expect("second", false);
}

static void sees_a_key_of_the_same_length_written_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		char text[] = "key-a";
		text[4] = (char)('a' + i % 26);
		put_text(text);
		expect(text, true);
	}
}

/* A file that was written long ago is not read again until its times or its inode change. */
static void notices_any_change_of_an_old_file(void **state)
{
	(void)state;
	put_text("first");
	const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	sleep(3); /* the time of the inode's own change cannot be set */
	expect("first", true);
	expect("first", false);
	put_text("other");
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	expect("other", true);
}

static void follows_a_link_that_is_swapped(void **state)
{
	(void)state;
	char link_path[80];
	snprintf(link_path, sizeof(link_path), "%s.new", path);
	put(other, "one", 3);
	assert_int_equal(symlink(other, path), 0);
	expect("one", true);
	char second[80];
	snprintf(second, sizeof(second), "%s.2", other);
	put(second, "two", 3);
	assert_int_equal(symlink(second, link_path), 0);
	assert_int_equal(rename(link_path, path), 0);
	expect("two", true);
	unlink(second);
	struct error err = {0};
	bool changed = false;
	assert_false(api_key_refresh(key, &changed, &err));
	assert_non_null(strstr(err.text, "does not exist"));
	assert_true(bytes_equal(api_key_bytes(key), BYTES("two")));
}

static void takes_the_environment_where_there_is_no_file(void **state)
{
	(void)state;
	struct error err = {0};
	bool changed = false;
	assert_false(api_key_refresh(key, &changed, &err));
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "CARE360_API_KEY"));
	assert_null(api_key_bytes(key).data);
	setenv("CARE360_API_KEY", "from-env", 1);
	expect("from-env", true);
	expect("from-env", false);
	put_text("from-file");
	expect("from-file", true);
	unlink(path);
	expect("from-env", true);
}

static void keeps_the_former_key_where_the_new_one_is_unusable(void **state)
{
	(void)state;
	put_text("good");
	expect("good", true);
	put_text("");
	expect_refused(": is empty; it must hold the API key", "good");
	put_text("\n");
	expect_refused(": is empty; it must hold the API key", "good");
	put_text("a\nb");
	expect_refused(": holds more than one line; it must hold the API key alone", "good");
	put_text("a\n\n");
	expect_refused(": holds more than one line; it must hold the API key alone", "good");
	put_text("a\rb");
	expect_refused(": holds more than one line; it must hold the API key alone", "good");
	put(path, "a\0b", 3);
	expect_refused(
		": byte 2 is a space, a control character or not ASCII, which no API key has",
		"good");
	put_text("a b");
	expect_refused(
		": byte 2 is a space, a control character or not ASCII, which no API key has",
		"good");
	put_text("k\xc3\xa9y");
	expect_refused(
		": byte 2 is a space, a control character or not ASCII, which no API key has",
		"good");
	put_text("good");
	expect("good", false);
	setenv("CARE360_API_KEY", "a\nb", 1);
	unlink(path);
	expect_refused("CARE360_API_KEY: holds more than one line; it must hold the API key alone",
		"good");
}

static void refuses_more_than_4096_bytes(void **state)
{
	(void)state;
	static char text[8192];
	memset(text, 'k', sizeof(text));
	put(path, text, 4096);
	bool changed = false;
	assert_true(api_key_refresh(key, &changed, NULL));
	assert_int_equal(api_key_bytes(key).length, 4096);
	text[4096] = '\r';
	text[4097] = '\n';
	put(path, text, 4098);
	assert_true(api_key_refresh(key, &changed, NULL));
	assert_false(changed);
	put(path, text, 4099);
	assert_false(api_key_refresh(key, &changed, NULL));
	text[4096] = text[4097] = 'k';
	put(path, text, 4097);
	assert_false(api_key_refresh(key, &changed, NULL));
	put(path, text, sizeof(text));
	assert_false(api_key_refresh(key, &changed, NULL));
	assert_int_equal(api_key_bytes(key).length, 4096);
}

static void is_not_held_up_by_what_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(": is not a file; care360.api_key_file must name one", NULL);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(": is not a file; care360.api_key_file must name one", NULL);
	rmdir(path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, each_start, each_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_a_file_and_strips_one_line_end),
		TEST(sees_a_key_of_the_same_length_written_at_once),
		TEST(notices_any_change_of_an_old_file),
		TEST(follows_a_link_that_is_swapped),
		TEST(takes_the_environment_where_there_is_no_file),
		TEST(keeps_the_former_key_where_the_new_one_is_unusable),
		TEST(refuses_more_than_4096_bytes),
		TEST(is_not_held_up_by_what_is_no_file),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
