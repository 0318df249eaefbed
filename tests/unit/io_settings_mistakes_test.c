#include "settings_fixture.h"

#include "base/mem.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	return cmocka_run_group_tests(tests, start, stop);
}
