/* Why no broker can be used, in words that stay the same while the reason does. */
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kafka_failure.h"

#define VERIFY                                                                                     \
	"ssl://b:9093/1: SSL handshake failed: error:0A000086:SSL routines::certificate verify "   \
	"failed: broker certificate could not be verified (after 6ms in state SSL_HANDSHAKE)"

static struct settings settings_of(char *ca_file)
{
	struct settings settings = {0};
	settings.kafka.security.username = "ada";
	settings.kafka.security.sasl_mechanism = "PLAIN";
	settings.kafka.security.ca_file = ca_file;
	return settings;
}

static void expect(rd_kafka_resp_err_t code, const char *text, int fault,
	enum kafka_failure failure, const char *why)
{
	struct settings settings = settings_of("/ca.pem");
	struct kafka_refusal refusal = {.fault = fault, .broker = "b:9093"};
	struct error found = {0};
	assert_int_equal(kafka_failure_explain(&settings, code, text, &refusal, &found), failure);
	assert_string_equal(found.text, why);
}

static void a_connection_that_fails_says_so_without_broker_and_time(void **state)
{
	(void)state;
	expect(RD_KAFKA_RESP_ERR__TRANSPORT,
		"b:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused "
		"(after 0ms in state CONNECT, 1 identical error(s) suppressed)",
		0, KAFKA_FAILURE_CONNECTION,
		"Connect to ipv4#10.0.0.1:9092 failed: Connection refused");
	expect(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down", 0,
		KAFKA_FAILURE_CONNECTION, "1/1 brokers are down");
}

static void a_refused_login_names_the_user(void **state)
{
	(void)state;
	expect(RD_KAFKA_RESP_ERR__AUTHENTICATION,
		"sasl_ssl://b:9093/bootstrap: SASL authentication error: Authentication failed: "
		"Invalid username or password (after 341ms in state AUTH_REQ)",
		0, KAFKA_FAILURE_LOGIN,
		"the login as ada is refused: Authentication failed: Invalid username or password");
}

static void a_refused_certificate_says_what_is_wrong_with_it(void **state)
{
	(void)state;
	expect(RD_KAFKA_RESP_ERR__SSL, VERIFY, 20, KAFKA_FAILURE_TLS,
		"the certificate of b:9093 is signed by no authority in /ca.pem");
	expect(RD_KAFKA_RESP_ERR__SSL, VERIFY, 62, KAFKA_FAILURE_TLS,
		"the certificate of b:9093 is for another name");
	expect(RD_KAFKA_RESP_ERR__SSL, VERIFY, 64, KAFKA_FAILURE_TLS,
		"the certificate of b:9093 is for another name");
	expect(RD_KAFKA_RESP_ERR__SSL, VERIFY, 10, KAFKA_FAILURE_TLS,
		"the certificate of b:9093 has expired");
	expect(RD_KAFKA_RESP_ERR__SSL, VERIFY, 9, KAFKA_FAILURE_TLS,
		"the certificate of b:9093 is not valid yet");
}

static void an_unknown_authority_leads_to_the_setting(void **state)
{
	(void)state;
	struct settings settings = settings_of("");
	struct kafka_refusal refusal = {.fault = 19, .broker = "b:9093"};
	struct error why = {0};
	kafka_failure_explain(&settings, RD_KAFKA_RESP_ERR__SSL, VERIFY, &refusal, &why);
	assert_non_null(strstr(why.text, "kafka.security.ca_file"));
}

static void a_handshake_that_breaks_off_is_no_matter_of_certificates(void **state)
{
	(void)state;
	expect(RD_KAFKA_RESP_ERR__SSL,
		"ssl://b:9092/bootstrap: SSL handshake failed: error:0A000126:SSL "
		"routines::unexpected eof while reading (after 2ms in state SSL_HANDSHAKE)",
		20, KAFKA_FAILURE_TLS, "no encrypted connection: unexpected eof while reading");
	expect(RD_KAFKA_RESP_ERR__TRANSPORT,
		"ssl://b:9093/1: Receive failed: error:0A000412:SSL routines::sslv3 alert bad "
		"certificate: SSL alert number 42 (after 12ms in state APIVERSION_QUERY)",
		0, KAFKA_FAILURE_TLS,
		"no encrypted connection: sslv3 alert bad certificate: SSL alert number 42");
}

static void scram_that_an_old_library_gets_wrong_is_told(void **state)
{
	(void)state;
	struct settings settings = settings_of("");
	settings.kafka.security.sasl_mechanism = "SCRAM-SHA-512";
	struct kafka_refusal refusal = {0};
	struct error why = {0};
	kafka_failure_explain(&settings, RD_KAFKA_RESP_ERR__AUTHENTICATION, "no", &refusal, &why);
	bool told = strstr(why.text, "2.6.1") != NULL;
	assert_int_equal(told, rd_kafka_version() < 0x02060100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_that_fails_says_so_without_broker_and_time),
		cmocka_unit_test(a_refused_login_names_the_user),
		cmocka_unit_test(a_refused_certificate_says_what_is_wrong_with_it),
		cmocka_unit_test(an_unknown_authority_leads_to_the_setting),
		cmocka_unit_test(a_handshake_that_breaks_off_is_no_matter_of_certificates),
		cmocka_unit_test(scram_that_an_old_library_gets_wrong_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
