#include "kafka_failure.h"

#include <stdio.h>
#include <string.h>

/* Why OpenSSL refuses a certificate: its X509_V_ERR_..., as librdkafka hands them on. */
enum certificate_fault {
	ISSUER_UNKNOWN = 2,
	NOT_YET_VALID = 9,
	EXPIRED = 10,
	SELF_SIGNED = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	ISSUER_NOT_AT_HAND = 20,
	LEAF_NOT_VERIFIABLE = 21,
	WRONG_HOST = 62,
	WRONG_ADDRESS = 64,
};

#define SCRAM_IS_RIGHT 0x02060100 /* librdkafka 2.6.1 */

/* The part of librdkafka's sentence that says something: without broker, time and state. */
static void strip(const char *text, char *ret_text, size_t size)
{
	const char *colon = strstr(text, ": ");
	const char *space = strchr(text, ' ');
	if (colon != NULL && space == colon + 1)
		text = colon + 2;
	snprintf(ret_text, size, "%s", text);
	char *after = strstr(ret_text, " (after ");
	if (after != NULL)
		*after = '\0';
}

static void explain_login(const struct settings *settings, const char *text, struct error *ret_why)
{
	static const char known[] = "SASL authentication error: ";
	if (strncmp(text, known, strlen(known)) == 0)
		text += strlen(known);
	bool too_old = strncmp(settings->kafka.security.sasl_mechanism, "SCRAM", 5) == 0 &&
		       rd_kafka_version() < SCRAM_IS_RIGHT;
	error_set(ret_why, "the login as %s is refused: %s%s", settings->kafka.security.username,
		text,
		too_old ? " (if user and password are right: Kafka 4 takes SCRAM from librdkafka "
			  "2.6.1 on, and this one is older)"
			: "");
}

static void explain_certificate(const struct settings *settings,
	const struct kafka_refusal *refusal, const char *text, struct error *ret_why)
{
	const char *ca_file = settings->kafka.security.ca_file;
	const char *broker = refusal->broker;
	switch (refusal->fault) {
	case ISSUER_UNKNOWN:
	case SELF_SIGNED:
	case SELF_SIGNED_IN_CHAIN:
	case ISSUER_NOT_AT_HAND:
	case LEAF_NOT_VERIFIABLE:
		error_set(ret_why, "the certificate of %s is signed by no authority in %s", broker,
			ca_file[0] != '\0' ? ca_file
					   : "this machine's list; kafka.security.ca_file can "
					     "name others");
		break;
	case WRONG_HOST:
	case WRONG_ADDRESS:
		error_set(ret_why, "the certificate of %s is for another name", broker);
		break;
	case EXPIRED:
		error_set(ret_why, "the certificate of %s has expired", broker);
		break;
	case NOT_YET_VALID:
		error_set(ret_why, "the certificate of %s is not valid yet", broker);
		break;
	default:
		error_set(ret_why, "the certificate of %s is refused: %s", broker, text);
	}
}

/* The reason in "error:0A000126:SSL routines::unexpected eof while reading". */
static const char *tls_reason(const char *text)
{
	static const char library[] = "SSL routines:";
	const char *at = strstr(text, library);
	const char *reason = at == NULL ? NULL : strchr(at + strlen(library), ':');
	return reason == NULL ? text : reason + 1;
}

enum kafka_failure kafka_failure_explain(const struct settings *settings, rd_kafka_resp_err_t code,
	const char *text, const struct kafka_refusal *refusal, struct error *ret_why)
{
	char said[ERROR_TEXT_SIZE];
	strip(text, said, sizeof(said));
	if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) {
		explain_login(settings, said, ret_why);
		return KAFKA_FAILURE_LOGIN;
	}
	if (refusal->fault != 0 && strstr(said, "certificate verify failed") != NULL) {
		explain_certificate(settings, refusal, said, ret_why);
		return KAFKA_FAILURE_TLS;
	}
	if (code == RD_KAFKA_RESP_ERR__SSL || strstr(said, "SSL routines") != NULL) {
		error_set(ret_why, "no encrypted connection: %s", tls_reason(said));
		return KAFKA_FAILURE_TLS;
	}
	error_set(ret_why, "%s", said);
	return KAFKA_FAILURE_CONNECTION;
}

bool kafka_failure_is_told(const char *facility, const char *text)
{
	bool connection = strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0;
	return strcmp(facility, "SSLCERTVRFY") == 0 || strcmp(facility, "SSL") == 0 ||
	       (connection && (strstr(text, "SSL") != NULL || strstr(text, "SASL") != NULL));
}
