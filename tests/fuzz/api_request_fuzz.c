/*
 * What goes to the API: an e-mail address and a phone number that libcurl decodes to what they
 * were, and a trace context that is one by its grammar, so that no value can add a header.
 *
 * Input: a line with the e-mail address, one with the phone number; the rest is the traceparent.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "http_client_request.h"

#define BASE "https://api.example.org"
#define PATH "/api/v1/customer-latest-case-id"

/* W3C Trace Context, 3.2.2, for the versions that look like the first. */
static bool is_traceparent(struct bytes text)
{
	static regex_t grammar;
	static bool compiled;
	if (!compiled)
		compiled = regcomp(&grammar, "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
				   REG_EXTENDED | REG_NOSUB) == 0;
	REQUIRE(compiled);
	CLEANUP(free_pointer) char *copy = fuzz_text(text);
	return strlen(copy) == text.length && regexec(&grammar, copy, 0, NULL, 0) == 0 &&
	       strncmp(copy, "ff", 2) != 0 && strspn(copy + 3, "0") < 32 &&
	       strspn(copy + 36, "0") < 16;
}

/* One parameter of the query, decoded by libcurl, is what it was made from. */
static void check_parameter(const char *url, const char *name, struct bytes text)
{
	const char *start = strstr(url, name);
	REQUIRE((start != NULL) == (text.data != NULL));
	if (start == NULL)
		return;
	start += strlen(name);
	size_t length = strcspn(start, "&");
	if (length == 0) { /* which libcurl takes for "up to the zero" */
		REQUIRE(text.length == 0);
		return;
	}
	int decoded_length = 0;
	char *decoded = curl_easy_unescape(NULL, start, (int)length, &decoded_length);
	REQUIRE(decoded != NULL);
	REQUIRE(bytes_equal((struct bytes){decoded, (size_t)decoded_length},
		(struct bytes){text.data, text.length}));
	curl_free(decoded);
}

static void check_url(struct bytes email, struct bytes phone)
{
	CLEANUP(buffer_fini) struct buffer buffer = {0};
	http_url_append(&buffer, BYTES(BASE), email, phone);
	const char *url = buffer_text(&buffer);
	REQUIRE(strlen(url) == buffer.length);
	REQUIRE(strncmp(url, BASE PATH, strlen(BASE PATH)) == 0);
	for (const char *c = url + strlen(BASE PATH); *c != '\0'; c++)
		REQUIRE(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			       "-._~%?=&",
				*c) != NULL);
	check_parameter(url, "?email=", email);
	check_parameter(url, email.data != NULL ? "&phoneNumber=" : "?phoneNumber=", phone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = {(const char *)data, size};
	struct bytes email = fuzz_take_line(&rest);
	struct bytes phone = fuzz_take_line(&rest);
	check_url(email, phone);
	check_url(email.length > 0 ? email : (struct bytes){0},
		phone.length > 0 ? phone : (struct bytes){0});
	REQUIRE(http_traceparent_valid(rest) == is_traceparent(rest));
	return 0;
}
