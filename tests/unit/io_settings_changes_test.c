#include "settings_fixture.h"

#include "base/mem.h"
#include "settings_table.h"

static void append_change(void *context, const struct settings_change *change)
{
	const char *place = change->place;
	bool in_file = strncmp(place, file, strlen(file)) == 0;
	buffer_append_format(context, "%s: %s -> %s, %s%s%s\n", change->name, change->from,
		change->to, in_file ? "FILE" : "", in_file ? place + strlen(file) : place,
		change->reloadable ? ", reloadable" : "");
}

/* Loads two texts and says what differs. */
static void differs(const char *before, const char *after, const char *expected)
{
	CLEANUP(load_fini) struct loaded first = {0};
	CLEANUP(load_fini) struct loaded second = {0};
	CLEANUP(buffer_fini) struct buffer found = {0};
	load_text(&first, before);
	load_text(&second, after);
	assert_non_null(first.settings);
	assert_non_null(second.settings);
	settings_compare(first.settings, second.settings, append_change, &found);
	assert_string_equal(buffer_text(&found), expected);
}

static void what_differs_is_named_with_both_values_and_the_place(void **state)
{
	(void)state;
	differs("", "", "");
	differs("retry = { max_attempts = 5; };", "", "");
	differs("", "\nretry = { max_attempts = 6; };",
		"retry.max_attempts: 5 -> 6, FILE:2, reloadable\n");
	differs("limits = { adaptive = false; };\nlog = { level = \"warn\"; };", "",
		"limits.adaptive: false -> true, default, reloadable\n"
		"log.level: \"warn\" -> \"info\", default, reloadable\n");
	differs("lookup = { max_buffered_bytes = 5000000000L; };",
		"lookup = { max_buffered_bytes = 5000000001L; };",
		"lookup.max_buffered_bytes: 5000000000 -> 5000000001, FILE:1\n");
	differs("kafka = { request_topics = [\"a\"]; };", "kafka = { request_topics = [\"b\"]; };",
		"kafka.request_topics: [\"a\"] -> [\"b\"], FILE:1\n");
	differs("kafka = { client = { socket_keepalive_enable = true; }; };",
		"kafka = {\n client = { socket_keepalive_enable = false; }; };",
		"kafka.client: { } -> { }, FILE:2\n");
	differs("", "kafka = { client = { socket_keepalive_enable = false; }; };",
		"kafka.client: { } -> { }, FILE:1\n");
}

static void a_password_that_differs_is_a_change_and_is_not_shown(void **state)
{
	(void)state;
	differs("care360 = { proxy = \"http://a:one@127.0.0.1:3128\"; };",
		"care360 = { proxy = \"http://a:two@127.0.0.1:3128\"; };",
		"care360.proxy: \"http://***@127.0.0.1:3128\" -> \"http://***@127.0.0.1:3128\", "
		"FILE:1\n");
}

static void what_is_reloadable_is_taken_over_and_nothing_else(void **state)
{
	(void)state;
	CLEANUP(load_fini) struct loaded before = {0};
	CLEANUP(load_fini) struct loaded after = {0};
	CLEANUP(buffer_fini) struct buffer left = {0};
	load_text(&before, "");
	load_text(&after,
		"retry = { max_attempts = 6; };\nlimits = { adaptive = false; };\n"
		"log = { level = \"warn\"; format = \"json\"; };\nlookup = { in_flight = 7; };\n"
		"kafka = { group_id = \"other\"; };");
	struct settings running = *before.settings;
	settings_take_reloadable(&running, after.settings);
	assert_int_equal(running.retry.max_attempts, 6);
	assert_false(running.limits.adaptive);
	assert_int_equal(running.log.level, LOG_LEVEL_WARN);
	settings_compare(&running, after.settings, append_change, &left);
	assert_string_equal(buffer_text(&left),
		"kafka.group_id: \"care360-lookup\" -> \"other\", FILE:5\n"
		"lookup.in_flight: 256 -> 7, FILE:4\n"
		"log.format: \"auto\" -> \"json\", FILE:3\n");
}

static void nothing_reloadable_has_memory_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_table_length; i++)
		if (settings_table[i].flags & SETTING_RELOADABLE)
			assert_int_not_equal(setting_size(&settings_table[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs_is_named_with_both_values_and_the_place),
		cmocka_unit_test(a_password_that_differs_is_a_change_and_is_not_shown),
		cmocka_unit_test(what_is_reloadable_is_taken_over_and_nothing_else),
		cmocka_unit_test(nothing_reloadable_has_memory_of_its_own),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
