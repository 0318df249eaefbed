#include "settings_fixture.h"

#include <ctype.h>

#include "base/mem.h"

#define EXAMPLE "config/care360-lookup.cfg"

static void an_empty_file_and_no_file_are_the_defaults(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		static const char *const texts[] = {"", "# nothing\n\n/* here */ // either"};
		CLEANUP(load_fini) struct loaded loaded;
		if (i < 2)
			load_text(&loaded, texts[i]);
		else
			load(&loaded, &(struct settings_sources){0});
		assert_string_equal(buffer_text(&loaded.findings), "");
		const struct settings *settings = loaded.settings;
		assert_non_null(settings);
		assert_string_equal(settings->kafka.brokers, "localhost:9092");
		assert_int_equal(settings->kafka.request_topics.count, 1);
		assert_string_equal(
			settings->kafka.request_topics.items[0], "care360.lookup-requests");
		assert_int_equal(settings->lookup.forward_headers.count, 2);
		assert_int_equal(settings->lookup.max_buffered_bytes, 33554432);
		assert_int_equal(settings->retry.max_attempts, 5);
		assert_true(settings->lookup.coalesce);
		assert_int_equal(settings->log.level, LOG_LEVEL_INFO);
		assert_string_equal(
			settings_base_url(settings), "https://api.care360-next.carevalidate.com");
	}
}

static void reads_values_of_every_type(void **state)
{
	(void)state;
	CLEANUP(load_fini) struct loaded loaded;
	load_text(&loaded,
		"\xef\xbb\xbfkafka : {\n"
		"  brokers = \"127.0.0.1:9092, [::1]:9093,localhost\"\n"
		"  request_topics = [\"a\", \"b\"];\n"
		"  delivery = \"at_least_once\",\n"
		"  security = { protocol = \"ssl\"; ca_file = \"/ca \\\"x\\\".pem\"; };\n"
		"  client = { socket_keepalive_enable = true; debug = \"\"; };\n"
		"  consumer = { fetch_wait_max_ms = 50; };\n"
		"};\n"
		"care360 = { environment = \"staging\"; };\n"
		"lookup = { in_flight = 0x40; max_buffered_bytes = 8589934592L;\n"
		"  coalesce = FALSE; ordering = \"none\"; forward_headers = []; };\n");
	assert_string_equal(buffer_text(&loaded.findings), "");
	const struct settings *settings = loaded.settings;
	assert_string_equal(settings->kafka.brokers, "127.0.0.1:9092, [::1]:9093,localhost");
	assert_int_equal(settings->kafka.request_topics.count, 2);
	assert_string_equal(settings->kafka.request_topics.items[1], "b");
	assert_int_equal(settings->kafka.security.protocol, SECURITY_SSL);
	assert_string_equal(settings->kafka.security.ca_file, "/ca \"x\".pem");
	assert_int_equal(settings->kafka.client.count, 2);
	assert_string_equal(settings->kafka.client.items[0].name, "socket.keepalive.enable");
	assert_string_equal(settings->kafka.client.items[0].value, "true");
	assert_string_equal(settings->kafka.client.items[1].value, "");
	assert_string_equal(settings->kafka.consumer.items[0].name, "fetch.wait.max.ms");
	assert_string_equal(settings->kafka.consumer.items[0].value, "50");
	assert_int_equal(settings->lookup.in_flight, 64);
	assert_true(settings->lookup.max_buffered_bytes == INT64_C(8589934592));
	assert_false(settings->lookup.coalesce);
	assert_int_equal(settings->lookup.ordering, ORDERING_NONE);
	assert_int_equal(settings->lookup.forward_headers.count, 0);
	assert_string_equal(
		settings_base_url(settings), "https://api-staging.care360-next.carevalidate.com");
}

static void the_later_source_wins(void **state)
{
	(void)state;
	CLEANUP(load_fini) struct loaded loaded;
	static const char text[] =
		"lookup = { in_flight = 1; workers = 1; };\nlog = { level = \"warn\"; };\n"
		"kafka = { client = { a_b = 1; c = 1; }; };";
	write_file(text, sizeof(text) - 1);
	const char *const environment[] = {"CARE360_LOOKUP_LOOKUP_IN_FLIGHT=2",
		"CARE360_LOOKUP_LOOKUP_WORKERS=2", "CARE360_LOOKUP_KAFKA_REQUEST_TOPICS=x, y",
		"CARE360_LOOKUP_KAFKA_CLIENT_A_B=2", NULL};
	const char *const assignments[] = {"lookup.in_flight=4", "lookup.in_flight=3",
		"care360.base_url=https://example.org/base//", "kafka.client.c=3"};
	load(&loaded, &(struct settings_sources){.file = file,
			      .environment = environment,
			      .assignments = assignments,
			      .assignment_count = array_length(assignments)});
	assert_string_equal(buffer_text(&loaded.findings), "");
	assert_int_equal(loaded.settings->lookup.in_flight, 3);
	assert_int_equal(loaded.settings->lookup.workers, 2);
	assert_int_equal(loaded.settings->log.level, LOG_LEVEL_WARN);
	assert_int_equal(loaded.settings->kafka.request_topics.count, 2);
	assert_string_equal(loaded.settings->kafka.request_topics.items[1], "y");
	assert_int_equal(loaded.settings->kafka.client.count, 2);
	assert_string_equal(loaded.settings->kafka.client.items[0].value, "2");
	assert_string_equal(loaded.settings->kafka.client.items[1].value, "3");
	assert_string_equal(settings_base_url(loaded.settings), "https://example.org/base");
}

/* Texts */

static void close_stream(FILE **stream)
{
	if (*stream != NULL)
		fclose(*stream);
}

/* What a function writes, which the caller frees. */
static char *written_by(void (*write)(FILE *out))
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	assert_non_null(out);
	write(out);
	fclose(out);
	return text;
}

static char *shown(const struct settings *settings)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	assert_non_null(out);
	settings_show(settings, out);
	fclose(out);
	return text;
}

/* The line of a text that begins with these words, as words with one space between. */
static void line_of(const char *text, const char *name, char *ret_line, size_t size)
{
	const char *at = text;
	while (strncmp(at, name, strlen(name)) != 0 || at[strlen(name)] != ' ') {
		at = strchr(at, '\n');
		if (at == NULL || at[1] == '\0')
			fail_msg("no line %s", name);
		at++;
	}
	size_t length = 0;
	for (; *at != '\n' && length + 1 < size; at++)
		if (*at != ' ' || at[1] != ' ')
			ret_line[length++] = *at;
	ret_line[length] = '\0';
}

static void shows_values_units_and_sources(void **state)
{
	(void)state;
	CLEANUP(load_fini) struct loaded loaded;
	static const char text[] =
		"\nlookup = { in_flight = 77;\n forward_headers = [\"a\", \"b\\\"\"]; };"
		"kafka = { client = { socket_keepalive_enable = true; }; };";
	write_file(text, sizeof(text) - 1);
	const char *const environment[] = {
		"CARE360_LOOKUP_CARE360_PROXY=http://user:hunter2@proxy:3128", NULL};
	const char *const assignments[] = {"kafka.client.fetch.error.backoff.ms=5"};
	load(&loaded, &(struct settings_sources){.file = file,
			      .environment = environment,
			      .assignments = assignments,
			      .assignment_count = 1});
	assert_non_null(loaded.settings);
	CLEANUP(free_pointer) char *show = shown(loaded.settings);
	const struct {
		const char *name;
		const char *rest;
		bool from_file;
	} lines[] = {
		{"lookup.in_flight", "77 requests FILE:2", true},
		{"lookup.forward_headers", "[\"a\", \"b\\\"\"] FILE:3", true},
		{"lookup.workers", "0 default", false},
		{"care360.timeout_ms", "10000 ms default, reloadable", false},
		{"care360.proxy", "\"http://***@proxy:3128\" environment", false},
		{"kafka.client.socket_keepalive_enable", "\"true\" FILE:3", true},
		{"kafka.client.fetch_error_backoff_ms", "\"5\" command line", false},
		{"kafka.consumer", "{ } default", false},
		{"log.format", "\"auto\" default", false},
	};
	for (size_t i = 0; i < array_length(lines); i++) {
		char line[256];
		char wanted[256];
		line_of(show, lines[i].name, line, sizeof(line));
		const char *place = strstr(lines[i].rest, "FILE");
		snprintf(wanted, sizeof(wanted), "%s %.*s%s%s", lines[i].name,
			(int)(place == NULL ? strlen(lines[i].rest)
					    : (size_t)(place - lines[i].rest)),
			lines[i].rest, place == NULL ? "" : file, place == NULL ? "" : place + 4);
		assert_string_equal(line, wanted);
	}
	assert_null(strstr(show, "hunter2"));
	assert_null(strstr(show, "user:"));
}

static void the_example_is_in_config_and_loads_without_findings(void **state)
{
	(void)state;
	CLEANUP(free_pointer) char *example = written_by(settings_write_example);
	CLEANUP(close_stream) FILE *in = fopen(EXAMPLE, "re");
	assert_non_null(in);
	CLEANUP(free_pointer) char *kept = mem_new_array(char, strlen(example) + 2);
	assert_non_null(kept);
	size_t length = fread(kept, 1, strlen(example) + 1, in);
	if (length != strlen(example) || strcmp(kept, example) != 0)
		fail_msg("%s is old: care360-lookup check --example makes it anew", EXAMPLE);
	CLEANUP(load_fini) struct loaded loaded;
	CLEANUP(load_fini) struct loaded defaults;
	load_text(&loaded, example);
	assert_string_equal(buffer_text(&loaded.findings), "");
	load(&defaults, &(struct settings_sources){0});
	CLEANUP(free_pointer) char *first = shown(loaded.settings);
	CLEANUP(free_pointer) char *second = shown(defaults.settings);
	/* The same values: what differs is where each came from. */
	char *a = first;
	char *b = second;
	while (a != NULL && b != NULL) {
		char *line_a = strsep(&a, "\n");
		char *line_b = strsep(&b, "\n");
		char *source = strstr(line_a, file);
		if (source != NULL)
			assert_memory_equal(line_a, line_b, (size_t)(source - line_a));
		else
			assert_string_equal(line_a, line_b);
	}
}

/* The names of all settings, from the reference; the caller frees the text. */
static size_t all_names(char *reference, const char **ret_names, size_t size)
{
	size_t count = 0;
	char *rest = reference;
	while (rest != NULL) {
		char *line = strsep(&rest, "\n");
		if (strncmp(line, "| `", 3) != 0)
			continue;
		line[3 + strcspn(line + 3, "`")] = '\0';
		assert_true(count < size);
		ret_names[count++] = line + 3;
	}
	assert_true(count > 50);
	return count;
}

static void variable_of(const char *name, char *ret_variable, size_t size)
{
	snprintf(ret_variable, size, "CARE360_LOOKUP_%s", name);
	for (char *c = ret_variable; *c != '\0'; c++)
		*c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

static void no_two_settings_share_a_variable(void **state)
{
	(void)state;
	CLEANUP(free_pointer) char *reference = written_by(settings_write_reference);
	const char *names[128];
	size_t count = all_names(reference, names, array_length(names));
	for (size_t i = 0; i < count; i++) {
		char variable[128];
		variable_of(names[i], variable, sizeof(variable));
		for (size_t j = 0; j < count; j++) {
			char other[128];
			variable_of(names[j], other, sizeof(other));
			if (i != j && strcmp(variable, other) == 0)
				fail_msg("%s and %s share %s", names[i], names[j], variable);
			/* What begins so is a property of the group. */
			bool group = strcmp(names[j], "kafka.client") == 0 ||
				     strcmp(names[j], "kafka.consumer") == 0 ||
				     strcmp(names[j], "kafka.producer") == 0;
			if (group && strncmp(variable, other, strlen(other)) == 0 &&
				variable[strlen(other)] == '_')
				fail_msg("%s looks like a property of %s", names[i], names[j]);
		}
	}
}

/* "many" and a tab are no value of any setting. */
static void every_setting_can_be_set_by_its_variable(void **state)
{
	(void)state;
	CLEANUP(free_pointer) char *reference = written_by(settings_write_reference);
	const char *names[128];
	size_t count = all_names(reference, names, array_length(names));
	for (size_t i = 0; i < count; i++) {
		char variable[128];
		char given[160];
		char wanted[160];
		variable_of(names[i], variable, sizeof(variable));
		bool group = strstr(names[i], "kafka.client") != NULL ||
			     strstr(names[i], "kafka.consumer") != NULL ||
			     strstr(names[i], "kafka.producer") != NULL;
		snprintf(given, sizeof(given), "%s%s=many\t", variable, group ? "_X" : "");
		snprintf(
			wanted, sizeof(wanted), "environment: %s%s: ", variable, group ? "_X" : "");
		CLEANUP(load_fini) struct loaded loaded;
		load(&loaded, &(struct settings_sources){
				      .environment = (const char *const[]){given, NULL}});
		assert_null(loaded.settings);
		assert_memory_equal(buffer_text(&loaded.findings), wanted, strlen(wanted));
	}
}

/* Whatever a file holds, it is read or there is a finding, and memory stays whole. */
static void survives_every_cut_and_every_odd_byte(void **state)
{
	(void)state;
	static const char odd[] = "\"{}[]();=:,.@/*#\\\n\x01\xff 0x-L";
	CLEANUP(free_pointer) char *example = written_by(settings_write_example);
	size_t length = strlen(example);
	for (size_t i = 0; i < length; i += 7) {
		CLEANUP(load_fini) struct loaded cut;
		write_file(example, i);
		load(&cut, &(struct settings_sources){.file = file});
		CLEANUP(load_fini) struct loaded changed;
		char kept = example[i];
		example[i] = odd[(i / 7) % (sizeof(odd) - 1)];
		write_file(example, length);
		load(&changed, &(struct settings_sources){.file = file});
		example[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_and_no_file_are_the_defaults),
		cmocka_unit_test(reads_values_of_every_type),
		cmocka_unit_test(the_later_source_wins),
		cmocka_unit_test(shows_values_units_and_sources),
		cmocka_unit_test(the_example_is_in_config_and_loads_without_findings),
		cmocka_unit_test(no_two_settings_share_a_variable),
		cmocka_unit_test(every_setting_can_be_set_by_its_variable),
		cmocka_unit_test(survives_every_cut_and_every_odd_byte),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
