#include "io/settings.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/mem.h"

#define EXAMPLE "config/care360-lookup.cfg"

static char directory[] = "/tmp/settings-test-XXXXXX";
static char file[64]; /* a file that each test writes anew */

static int start(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/a.cfg", directory);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(directory);
}

static void write_file(const char *text, size_t length)
{
	FILE *out = fopen(file, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, length, out), length);
	assert_int_equal(fclose(out), 0);
}

/* What loading came to: the settings, if any, and all findings, a line each, FILE for the file. */
struct loaded {
	struct settings *settings;
	struct settings_report report;
	struct buffer findings;
};

static void load_fini(struct loaded *loaded)
{
	settings_free(loaded->settings);
	settings_report_fini(&loaded->report);
	buffer_fini(&loaded->findings);
}

static void load(struct loaded *loaded, const struct settings_sources *sources)
{
	struct error err = {0};
	*loaded = (struct loaded){0};
	loaded->settings = settings_load(sources, &loaded->report, &err);
	size_t mistakes = 0;
	for (size_t i = 0; i < loaded->report.count; i++) {
		const char *text = loaded->report.findings[i].text;
		mistakes += !loaded->report.findings[i].warning;
		if (strncmp(text, file, strlen(file)) == 0) {
			buffer_append_text(&loaded->findings, "FILE");
			text += strlen(file);
		}
		buffer_append_format(&loaded->findings, "%s\n", text);
	}
	assert_true((loaded->settings == NULL) == (mistakes > 0));
	assert_true((loaded->settings == NULL) == (err.text[0] != '\0'));
}

static void load_text(struct loaded *loaded, const char *text)
{
	write_file(text, strlen(text));
	load(loaded, &(struct settings_sources){.file = file});
}

/* A configuration, or one line of another source, and all that is found in it. */
struct example {
	const char *given;
	const char *findings;
};

static int wrong;

static void expect(const char *given, const char *got, const char *wanted)
{
	if (strcmp(got, wanted) == 0)
		return;
	wrong++;
	print_error("of: %s\nfound:  %swanted: %s\n", given, got, wanted);
}

static void expect_of_files(const struct example *examples, size_t count)
{
	wrong = 0;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(load_fini) struct loaded loaded;
		load_text(&loaded, examples[i].given);
		expect(examples[i].given, buffer_text(&loaded.findings), examples[i].findings);
	}
	assert_int_equal(wrong, 0);
}

static void expect_of_assignments(const struct example *examples, size_t count)
{
	wrong = 0;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(load_fini) struct loaded loaded;
		load(&loaded, &(struct settings_sources){
				      .assignments = &examples[i].given, .assignment_count = 1});
		expect(examples[i].given, buffer_text(&loaded.findings), examples[i].findings);
	}
	assert_int_equal(wrong, 0);
}

static void expect_of_variables(const struct example *examples, size_t count)
{
	wrong = 0;
	for (size_t i = 0; i < count; i++) {
		CLEANUP(load_fini) struct loaded loaded;
		const char *const environment[] = {"PATH=/bin", examples[i].given, NULL};
		load(&loaded, &(struct settings_sources){.environment = environment});
		expect(examples[i].given, buffer_text(&loaded.findings), examples[i].findings);
	}
	assert_int_equal(wrong, 0);
}

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

static void names_wrong_names_and_the_nearest_right_one(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka = {\n brokres = \"a\";\n};",
			"FILE:2: kafka.brokres: no such setting; did you mean kafka.brokers?\n"},
		{"kakfa = { brokers = \"a\"; };",
			"FILE:1: kakfa: no such group of settings; did you mean kafka?\n"},
		{"kafka = { in_flight = 5; };", "FILE:1: kafka.in_flight: no such setting; did you "
						"mean lookup.in_flight?\n"},
		{"kafka = { security = { sasl_mecanism = \"x\"; }; };",
			"FILE:1: kafka.security.sasl_mecanism: no such setting; did you mean "
			"kafka.security.sasl_mechanism?\n"},
		{"\n\nnonsense = 1;", "FILE:3: nonsense: no such setting\n"},
		{"zzz = { a = 1; b = 2; };", "FILE:1: zzz: no such group of settings\n"},
		{"in_flight = 5;",
			"FILE:1: in_flight: no such setting; did you mean lookup.in_flight?\n"},
	};
	expect_of_files(examples, array_length(examples));
}

static void refuses_wrong_types_and_values(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka = 5;", "FILE:1: kafka: must be a group { ... }, not a number\n"},
		{"kafka = { brokers = 9092; };",
			"FILE:1: kafka.brokers: must be a text in double quotes, not a number\n"},
		{"kafka = { request_topics = \"a\"; };",
			"FILE:1: kafka.request_topics: must be a list of texts such as [\"a\", "
			"\"b\"], not a text\n"},
		{"kafka = { request_topics = [1]; };",
			"FILE:1: kafka.request_topics: item 1 must be a text in double quotes, not "
			"a number\n"},
		{"kafka = { request_topics = []; };",
			"FILE:1: kafka.request_topics: must hold at least one text\n"},
		{"kafka = { request_topics = [\"a\", \"a\"]; };",
			"FILE:1: kafka.request_topics: a is in it twice\n"},
		{"kafka = { request_topics = [\"a b\"]; };",
			"FILE:1: kafka.request_topics: item 1: is no name of a topic: 1 to 249 "
			"letters, digits, '.', '_' or '-'\n"},
		{"kafka = { group_id = \"\"; };", "FILE:1: kafka.group_id: must not be empty\n"},
		{"kafka = { group_id = \"a\\tb\"; };",
			"FILE:1: kafka.group_id: holds a line break, a tab or another control "
			"character\n"},
		{"kafka = { client = [1]; };",
			"FILE:1: kafka.client: must be a group such as { socket_keepalive_enable = "
			"true; }, not a list\n"},
		{"kafka = { client = { a = 1.5; }; };", "FILE:1: kafka.client.a: must be a text, a "
							"whole number, true or false, not "
							"a number with a fraction\n"},
		{"lookup = { in_flight = \"many\"; };",
			"FILE:1: lookup.in_flight: must be a whole number, not a text\n"},
		{"lookup = { in_flight = 1.5; };",
			"FILE:1: lookup.in_flight: must be a whole number, not a number with a "
			"fraction\n"},
		{"lookup = { coalesce = 1; };",
			"FILE:1: lookup.coalesce: must be true or false, not a number\n"},
		{"lookup = { ordering = \"Keys\"; };",
			"FILE:1: lookup.ordering: no such choice; did you mean key? (allowed: key, "
			"partition, none)\n"},
		{"log = { level = \"fatal\"; };",
			"FILE:1: log.level: no such choice; allowed: debug, info, warn, error\n"},
		{"lookup = { forward_headers = [\"Content-Type\", \"CE_id\", \"care360-x\"]; };",
			"FILE:1: lookup.forward_headers: item 1: Content-Type cannot be forwarded: "
			"results have content-type, ce_* and care360-* headers of their own\n"
			"FILE:1: lookup.forward_headers: item 2: CE_id cannot be forwarded: "
			"results "
			"have content-type, ce_* and care360-* headers of their own\n"
			"FILE:1: lookup.forward_headers: item 3: care360-x cannot be forwarded: "
			"results have content-type, ce_* and care360-* headers of their own\n"},
	};
	expect_of_files(examples, array_length(examples));
}

/* libconfig 1.5 reads most of these as another number, without an error. */
static void refuses_integers_that_do_not_fit(void **state)
{
	(void)state;
	static const char range[] = "FILE:1: lookup.in_flight: is too large; allowed: 1 to 65536 "
				    "requests\n";
	static const char *const large[] = {"65537", "2147483648", "4294967297", "99999999999",
		"99999999999999999999999", "0x1FFFFFFFFF", "0x100000001L", "0xFFFFFFFFFFFFFFFFFF",
		"9223372036854775808L"};
	wrong = 0;
	for (size_t i = 0; i < array_length(large); i++) {
		CLEANUP(load_fini) struct loaded loaded;
		char text[128];
		snprintf(text, sizeof(text), "lookup = { in_flight = %s; };", large[i]);
		load_text(&loaded, text);
		expect(text, buffer_text(&loaded.findings), range);
	}
	assert_int_equal(wrong, 0);
	static const struct example examples[] = {
		{"lookup = { in_flight = 0; };",
			"FILE:1: lookup.in_flight: is too small; allowed: 1 to 65536 requests\n"},
		{"lookup = { in_flight = -99999999999; };",
			"FILE:1: lookup.in_flight: is too small; allowed: 1 to 65536 requests\n"},
		{"care360 = { timeout_ms = 10s; };",
			"FILE:1: care360.timeout_ms: \"10s\": write the number alone, in the "
			"setting's own unit\n"},
		{"kafka = { client = { a = 99999999999; b = -5; }; };", ""},
	};
	expect_of_files(examples, array_length(examples));
}

static void explains_what_is_no_libconfig(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka.brokers = \"a\";\nlookup = { in_flight = 0; };",
			"FILE:1: kafka.brokers: names in the file hold no dots; write kafka = { "
			"brokers = ...; };\n"
			"FILE:2: lookup.in_flight: is too small; allowed: 1 to 65536 requests\n"},
		{"lookup = {\n in_flight = 5\n workers 2;\n};",
			"FILE:3: cannot be understood, on this line or the one before; settings "
			"are "
			"written name = value; and groups name = { ... };\n"},
		{"log = {\n level = \"info;\n};\n",
			"FILE:2: log.level: the text that begins on this line is not closed; put a "
			"\" at its end\n"},
		{"log = {\n level = \"info\";\n",
			"FILE:1: the '{' on this line is not closed; put a "
			"'}' at its end\n"},
		{"kafka = {\n request_topics = [\"a\";\n};\n",
			"FILE:1: the '{' on this line is not closed; put a '}' at its end\n"},
		{"# fine\n/* log = 5;\n", "FILE:2: the comment that begins here is not closed; put "
					  "*/ at its end\n"},
		{"retry = { max_attempts = 2; };\nlog = { level = \"info\"; level = \"warn\"; };\n"
		 "retry = { max_attempts = 3; };",
			"FILE:2: log.level: is given twice, first on line 2; leave one of them "
			"out\n"
			"FILE:3: retry: is given twice, first on line 1; put all of the group in "
			"one place\n"
			"FILE:3: retry.max_attempts: is given twice, first on line 1; leave one of "
			"them out\n"},
		{"@include \"other.cfg\"\n",
			"FILE:1: @include is not supported: a configuration is one file\n"},
		{"log = { level = \"in\\x00fo\"; };",
			"FILE:1: log.level: a text cannot hold a zero byte (\\x00)\n"},
		{"kafka = { request_topics = [\"a\", 1]; };",
			"FILE:1: all values in [ ] must be of one type\n"},
	};
	expect_of_files(examples, array_length(examples));
}

static void names_what_is_no_readable_file(void **state)
{
	(void)state;
	CLEANUP(load_fini) struct loaded missing;
	load(&missing, &(struct settings_sources){.file = "/nowhere/x.cfg"});
	assert_string_equal(
		buffer_text(&missing.findings), "/nowhere/x.cfg: there is no such file\n");
	CLEANUP(load_fini) struct loaded may;
	load(&may,
		&(struct settings_sources){.file = "/nowhere/x.cfg", .file_may_be_missing = true});
	assert_string_equal(buffer_text(&may.findings), "");
	CLEANUP(load_fini) struct loaded folder;
	load(&folder, &(struct settings_sources){.file = "/", .file_may_be_missing = true});
	assert_string_equal(
		buffer_text(&folder.findings), "/: is a directory; name a file in it\n");
	CLEANUP(load_fini) struct loaded zero;
	write_file("log = {\n\0 };", 12);
	load(&zero, &(struct settings_sources){.file = file});
	assert_string_equal(
		buffer_text(&zero.findings), "FILE:2: holds a zero byte: this is no text file\n");
}

static void reports_all_mistakes_in_the_order_of_lines(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"retry = {\n max_attempts = 0;\n bakoff = 1;\n};\n"
		 "kafka = {\n brokers = \"far:9092\";\n client = { acks = 1; };\n};\n",
			"FILE:2: retry.max_attempts: is too small; allowed: 1 to 50\n"
			"FILE:3: retry.bakoff: no such setting\n"
			"FILE:6: kafka.brokers: far:9092 is another machine, and "
			"kafka.security.protocol plaintext would send patient data there "
			"unencrypted; use ssl, or set kafka.allow_plaintext to true\n"
			"FILE:7: kafka.client.acks: cannot be changed: what the service promises "
			"depends on it\n"},
	};
	expect_of_files(examples, array_length(examples));
}

static void checks_the_form_of_addresses(void **state)
{
	(void)state;
	static const char broker[] = " is no broker's address; write host:port,host:port (an IPv6 "
				     "address in brackets)\n";
	static const char listen[] = "--set server.listen: must be ADDRESS:PORT, such as "
				     "127.0.0.1:8080, or [::]:8080 for all of this machine's "
				     "addresses\n";
	static const char url[] = "--set care360.base_url: is no valid address; write https://host "
				  "or https://host:port/path\n";
	static const struct {
		const char *given;
		const char *bad; /* NULL: fine */
	} brokers[] = {{"localhost", NULL}, {"localhost:1,[::1]:65535,127.0.0.2", NULL},
		{"localhost:0", "localhost:0"}, {"localhost:65536", "localhost:65536"},
		{"localhost,,localhost", ""}, {"a b:1", "a b:1"}, {"::1:9092", "::1:9092"},
		{"localhost:9092x", "localhost:9092x"}, {"PLAINTEXT://h:1", "PLAINTEXT://h:1"},
		{"[::1]9092", "[::1]9092"}, {"localhost:", "localhost:"}, {"[::1", "[::1"}};
	wrong = 0;
	for (size_t i = 0; i < array_length(brokers); i++) {
		CLEANUP(load_fini) struct loaded loaded;
		char given[128];
		char wanted[256] = "";
		snprintf(given, sizeof(given), "kafka.brokers=%s", brokers[i].given);
		if (brokers[i].bad != NULL)
			snprintf(wanted, sizeof(wanted), "--set kafka.brokers: \"%s\"%s",
				brokers[i].bad, broker);
		load(&loaded,
			&(struct settings_sources){.assignments = (const char *const[]){given},
				.assignment_count = 1});
		expect(given, buffer_text(&loaded.findings), wanted);
	}
	assert_int_equal(wrong, 0);
	static const struct example examples[] = {
		{"server.listen=[::]:8080", ""},
		{"server.listen=0.0.0.0:0", ""},
		{"server.listen=", ""},
		{"server.listen=8080", listen},
		{"server.listen=localhost:8080", listen},
		{"server.listen=::1:8080", listen},
		{"server.listen=127.0.0.1:99999", listen},
		{"server.listen=[::1]:+80", listen},
		{"care360.base_url=https://h/a/b", ""},
		{"care360.base_url=http://127.9.9.9:1", ""},
		{"care360.base_url=http://[::1]:1", ""},
		{"care360.base_url=HTTPS://h", ""},
		{"care360.base_url=ftp://h", "--set care360.base_url: must begin with https:// (or "
					     "http:// for tests)\n"},
		{"care360.base_url=https://", url},
		{"care360.base_url=https://h:x", url},
		{"care360.base_url=https://h/a b", url},
		{"care360.base_url=https://h?x=1",
			"--set care360.base_url: must end before the '?': the service adds the "
			"query\n"},
		{"care360.base_url=https://u:secret@h",
			"--set care360.base_url: must not hold a user name or password\n"},
		{"care360.proxy=http://proxy:3128", ""},
		{"care360.proxy=proxy:3128",
			"--set care360.proxy: must be http://host:port or https://host:port, with "
			"user:password@ before the host where the proxy wants them\n"},
	};
	expect_of_assignments(examples, array_length(examples));
}

static void refuses_what_does_not_go_together(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka = {\n request_topics = [\"a\", \"b\"];\n result_topic = \"b\";\n};",
			"FILE:3: kafka.request_topics: b is kafka.result_topic too: the service "
			"would read its own results\n"},
		{"kafka = {\n error_topic = \"care360.lookup-requests\";\n};",
			"FILE:2: kafka.request_topics: care360.lookup-requests is "
			"kafka.error_topic "
			"too: the service would read its own error events\n"},
		{"kafka = { brokers = \"far:1\"; allow_plaintext = true; };", ""},
		{"kafka = { brokers = \"far:1\"; security = { protocol = \"ssl\"; }; };", ""},
		{"kafka = { brokers = \"localhost,far:1\";\n security = { protocol = "
		 "\"sasl_plaintext\"; sasl_mechanism = \"GSSAPI\"; }; };",
			"FILE:2: kafka.brokers: far:1 is another machine, and "
			"kafka.security.protocol sasl_plaintext would send patient data there "
			"unencrypted; use sasl_ssl, or set kafka.allow_plaintext to true\n"},
		{"kafka = { security = { protocol = \"sasl_ssl\"; }; };",
			"FILE:1: kafka.security.sasl_mechanism: must be set where "
			"kafka.security.protocol is sasl_ssl or sasl_plaintext\n"},
		{"kafka = { security = { protocol = \"sasl_ssl\"; sasl_mechanism = \"PLAIN\"; }; "
		 "};",
			"FILE:1: kafka.security.username: must be set where "
			"kafka.security.sasl_mechanism is PLAIN\n"
			"FILE:1: kafka.security.password_file: must be set where "
			"kafka.security.sasl_mechanism is PLAIN\n"},
		{"kafka = { security = { protocol = \"sasl_ssl\"; sasl_mechanism = "
		 "\"OAUTHBEARER\"; username = \"u\"; }; };",
			"FILE:1: kafka.security.oauth_client_secret_file: must be set where "
			"kafka.security.sasl_mechanism is OAUTHBEARER\n"},
		{"kafka = { security = { sasl_mechanism = \"PLAIN\"; }; };",
			"FILE:1: kafka.security.sasl_mechanism: warning: is not used, since "
			"kafka.security.protocol is neither sasl_ssl nor sasl_plaintext\n"},
		{"kafka = { security = { certificate_file = \"/c\"; }; };",
			"FILE:1: kafka.security.key_file: must be set where "
			"kafka.security.certificate_file is\n"},
		{"kafka = { security = { key_file = \"/k\"; }; };",
			"FILE:1: kafka.security.certificate_file: must be set where "
			"kafka.security.key_file is\n"},
		{"kafka = { delivery = \"exactly_once\"; };",
			"FILE:1: kafka.delivery: exactly_once is not available in this version "
			"yet; "
			"use at_least_once\n"},
		{"kafka = { transactional_id = \"x\"; };",
			"FILE:1: kafka.transactional_id: warning: is not used: kafka.delivery is "
			"at_least_once, not exactly_once\n"},
		{"care360 = { base_url = \"http://far:80/x\"; };",
			"FILE:1: care360.base_url: http:// would send patient data and the API key "
			"to far unencrypted; use https://, or set care360.allow_plain_http to "
			"true\n"},
		{"care360 = { base_url = \"http://far:80/x\"; allow_plain_http = true; };", ""},
		{"care360 = { base_url = \"http://10.0.0.1\"; };",
			"FILE:1: care360.base_url: http:// would send patient data and the API key "
			"to 10.0.0.1 unencrypted; use https://, or set care360.allow_plain_http to "
			"true\n"},
		{"care360 = { base_url = \"http://[2001:db8::1]\"; };",
			"FILE:1: care360.base_url: http:// would send patient data and the API key "
			"to 2001:db8::1 unencrypted; use https://, or set care360.allow_plain_http "
			"to true\n"},
		/* Nothing follows from a value that was refused, or from half a file. */
		{"kafka = { brokers = \"far:1\"; allow_plaintext = \"yes\"; };",
			"FILE:1: kafka.allow_plaintext: must be true or false, not a text\n"},
		{"kafka = { brokers = \"far:1\"; };\nlog = { level = \"info",
			"FILE:2: log.level: the text that begins on this line is not closed; put a "
			"\" at its end\n"},
		{"retry = { max_backoff_ms = 50; };",
			"FILE:1: retry.initial_backoff_ms: is 100, more than retry.max_backoff_ms, "
			"which is 50\n"},
	};
	expect_of_files(examples, array_length(examples));
}

static void refuses_properties_that_are_the_services_own(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka.client.bootstrap_servers=a",
			"--set kafka.client.bootstrap_servers: cannot be set here; use "
			"kafka.brokers\n"},
		{"kafka.consumer.group.id=a",
			"--set kafka.consumer.group.id: cannot be set here; use kafka.group_id\n"},
		{"kafka.producer.sasl_password=a",
			"--set kafka.producer.sasl_password: a secret must not stand here; use "
			"kafka.security.password_file\n"},
		{"kafka.producer.SSL_KEY_PEM=a",
			"--set kafka.producer.SSL_KEY_PEM: a secret must not stand here; use "
			"kafka.security.key_file\n"},
		{"kafka.consumer.enable_auto_commit=true",
			"--set kafka.consumer.enable_auto_commit: cannot be changed: what the "
			"service promises depends on it\n"},
		{"kafka.client.log_level=7",
			"--set kafka.client.log_level: cannot be set here; use log.level\n"},
		{"kafka.producer.partitioner=random", ""},
		{"kafka.client.socket_keepalive_enable=true", ""},
	};
	expect_of_assignments(examples, array_length(examples));
}

static void reads_assignments(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"kafka.broker=a:1",
			"--set kafka.broker: no such setting; did you mean kafka.brokers?\n"},
		{"kafka=1", "--set kafka: is a group of settings; name one of them\n"},
		{"kafka.client=1", "--set kafka.client: is a group of librdkafka properties; name "
				   "one, such as "
				   "kafka.client.socket_keepalive_enable\n"},
		{"lookup.in_flight", "--set lookup.in_flight: must be NAME=VALUE, such as "
				     "lookup.in_flight=64\n"},
		{"=5", "--set : no such setting\n"},
		{"lookup.in_flight=many",
			"--set lookup.in_flight: must be a whole number from 1 to 65536\n"},
		{"lookup.in_flight=",
			"--set lookup.in_flight: must be a whole number from 1 to 65536\n"},
		{"lookup.in_flight=0x40",
			"--set lookup.in_flight: must be a whole number from 1 to 65536\n"},
		{"lookup.in_flight=99999999999999999999999",
			"--set lookup.in_flight: is too large; allowed: 1 to 65536 requests\n"},
		{"lookup.coalesce=yes", "--set lookup.coalesce: must be true or false\n"},
		{"kafka.request_topics=a,,b",
			"--set kafka.request_topics: item 2: must not be empty\n"},
		{"lookup.forward_headers=", ""},
		{"care360.proxy=http://u:secret@proxy:1",
			"--set care360.proxy: holds a password, which everybody could read in the "
			"list of processes; set it in the file or the environment\n"},
	};
	expect_of_assignments(examples, array_length(examples));
}

static void reads_the_environment(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"CARE360_LOOKUP_LOG_LEVEL=loud",
			"environment: CARE360_LOOKUP_LOG_LEVEL: no such choice; allowed: debug, "
			"info, warn, error\n"},
		{"CARE360_LOOKUP_KAFKA_BROKER=a",
			"environment: CARE360_LOOKUP_KAFKA_BROKER: warning: no setting has this "
			"variable; did you mean CARE360_LOOKUP_KAFKA_BROKERS?\n"},
		{"CARE360_LOOKUP_NONSENSE=a", "environment: CARE360_LOOKUP_NONSENSE: warning: no "
					      "setting has this variable\n"},
		{"CARE360_LOOKUP_KAFKA_CLIENT_ACKS=1",
			"environment: CARE360_LOOKUP_KAFKA_CLIENT_ACKS: cannot be changed: what "
			"the "
			"service promises depends on it\n"},
		{"CARE360_LOOKUP_SERVICE_HOST=10.0.0.1", ""},
		{"CARE360_LOOKUP_SERVICE_PORT=8080", ""},
		{"CARE360_LOOKUP_SERVICE_PORT_HTTP=8080", ""},
		{"CARE360_LOOKUP_PORT=tcp://10.0.0.1:8080", ""},
		{"CARE360_LOOKUP_PORT_8080_TCP_ADDR=10.0.0.1", ""},
		{"CARE360_LOOKUP_CARE360_PROXY=http://u:secret@proxy:1", ""},
		{"CARE360_API_KEY=x", ""},
		{"CARE360_LOOKUP_NO_VALUE", ""},
	};
	expect_of_variables(examples, array_length(examples));
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
		{"care360.timeout_ms", "10000 ms default", false},
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

/* libconfig loses a few bytes where it finds a syntax error; the rest is looked at. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) /* NOLINT: the name is LeakSanitizer's */
{
	return "leak:libconfig.so";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_and_no_file_are_the_defaults),
		cmocka_unit_test(reads_values_of_every_type),
		cmocka_unit_test(the_later_source_wins),
		cmocka_unit_test(names_wrong_names_and_the_nearest_right_one),
		cmocka_unit_test(refuses_wrong_types_and_values),
		cmocka_unit_test(refuses_integers_that_do_not_fit),
		cmocka_unit_test(explains_what_is_no_libconfig),
		cmocka_unit_test(names_what_is_no_readable_file),
		cmocka_unit_test(reports_all_mistakes_in_the_order_of_lines),
		cmocka_unit_test(checks_the_form_of_addresses),
		cmocka_unit_test(refuses_what_does_not_go_together),
		cmocka_unit_test(refuses_properties_that_are_the_services_own),
		cmocka_unit_test(reads_assignments),
		cmocka_unit_test(reads_the_environment),
		cmocka_unit_test(shows_values_units_and_sources),
		cmocka_unit_test(the_example_is_in_config_and_loads_without_findings),
		cmocka_unit_test(no_two_settings_share_a_variable),
		cmocka_unit_test(every_setting_can_be_set_by_its_variable),
		cmocka_unit_test(survives_every_cut_and_every_odd_byte),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
