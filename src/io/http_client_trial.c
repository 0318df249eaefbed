#include "io/http_client_trial.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "http_client_request.h"
#include "http_client_transfer.h"

/* How far a request comes, step by step. */
enum step { STEP_NAME, STEP_CONNECTION, STEP_TLS, STEP_REPLY, STEP_COUNT };

static const struct {
	const char *name;
	const char *advice; /* where it goes wrong */
} steps[STEP_COUNT] = {
	[STEP_NAME] = {"API name",
		"look at the host in care360.base_url or care360.proxy, and at this machine's DNS"},
	[STEP_CONNECTION] = {"API connection",
		"look at the address in care360.base_url or care360.proxy, and at firewalls on "
		"the way"},
	[STEP_TLS] = {"API TLS",
		"care360.ca_file must hold the authority that signed the API's "
		"certificate, or be empty for the system's; is the address right?"},
	[STEP_REPLY] = {"API reply", "look at care360.base_url; the API's provider may know more"},
};

/* One request on its way. */
struct attempt {
	CURL *easy;
	struct buffer url;
	struct buffer body;
	struct http_headers *headers;
	struct json_reader *reader;
	char error[CURL_ERROR_SIZE];
	bool tls;
	trial_fn *tried;
	void *context;
};

static void attempt_fini(struct attempt *attempt)
{
	curl_easy_cleanup(attempt->easy);
	http_headers_release(attempt->headers);
	json_reader_free(attempt->reader);
	buffer_fini(&attempt->url);
	buffer_fini(&attempt->body);
}

static void tell(
	const struct attempt *attempt, enum step step, enum trial_state state, const char *text)
{
	const struct trial trial = {
		.state = state,
		.what = steps[step].name,
		.text = text,
		.advice = state == TRIAL_WRONG ? steps[step].advice : NULL,
	};
	attempt->tried(attempt->context, &trial);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct attempt *attempt = context;
	if (size * count > REPLY_BODY_MAX - attempt->body.length)
		return CURL_WRITEFUNC_ERROR;
	buffer_append(&attempt->body, data, size * count);
	return attempt->body.failed ? CURL_WRITEFUNC_ERROR : size * count;
}

#define SET(option, value)                                                                         \
	(ok = curl_easy_setopt(attempt->easy, (option), (value)) == CURLE_OK && ok)

static bool prepare(struct attempt *attempt, const struct http_client_options *options)
{
	attempt->tls = strncasecmp(options->base_url, "https:", 6) == 0;
	const struct transfer_setup setup = {
		.tls = attempt->tls,
		.http2 = options->http2 && attempt->tls,
		.ca_file = options->ca_file == NULL ? "" : options->ca_file,
		.proxy = options->proxy == NULL ? "" : options->proxy,
	};
	struct bytes nobody = {0};
	http_url_append(&attempt->url, bytes_of_text(options->base_url), nobody, nobody);
	attempt->headers = http_headers_new(nobody);
	attempt->reader = json_reader_new(REPLY_JSON_DEPTH, NULL);
	attempt->easy = curl_easy_init();
	if (attempt->easy == NULL || attempt->headers == NULL || attempt->reader == NULL ||
		attempt->url.failed || !transfer_set_rules(attempt->easy, &setup))
		return false;
	bool ok = true;
	SET(CURLOPT_URL, buffer_text(&attempt->url));
	SET(CURLOPT_HTTPHEADER, http_headers_list(attempt->headers));
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
	SET(CURLOPT_ERRORBUFFER, attempt->error);
	SET(CURLOPT_CERTINFO, 1L);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, attempt);
	return ok;
}

static curl_off_t time_of(const struct attempt *attempt, CURLINFO info)
{
	curl_off_t time_us = 0;
	curl_easy_getinfo(attempt->easy, info, &time_us);
	return time_us;
}

/* The step in which it ended. */
static enum step last_step(const struct attempt *attempt, CURLcode result)
{
	enum reply_transport transport = transfer_transport(attempt->easy, result);
	if (transport == REPLY_UNRESOLVED || time_of(attempt, CURLINFO_NAMELOOKUP_TIME_T) == 0)
		return STEP_NAME;
	if (transport >= REPLY_TLS && transport <= REPLY_TLS_ISSUER)
		return STEP_TLS;
	if (result == CURLE_COULDNT_CONNECT || time_of(attempt, CURLINFO_CONNECT_TIME_T) == 0)
		return STEP_CONNECTION;
	bool secure = time_of(attempt, CURLINFO_APPCONNECT_TIME_T) > 0;
	return attempt->tls && !secure ? STEP_TLS : STEP_REPLY;
}

/* "valid until Jan  1 00:00:00 2027 GMT", of the API's own certificate. */
static void write_certificate(const struct attempt *attempt, char *text, size_t size)
{
	static const char EXPIRES[] = "Expire date:";
	struct curl_certinfo *chain = NULL;
	snprintf(text, size, "the certificate is trusted");
	if (curl_easy_getinfo(attempt->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK ||
		chain == NULL || chain->num_of_certs < 1)
		return;
	for (const struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next)
		if (strncmp(line->data, EXPIRES, sizeof(EXPIRES) - 1) == 0)
			snprintf(text, size, "the certificate is trusted, and valid until %s",
				line->data + sizeof(EXPIRES) - 1);
}

/* What is known of a step that went well. */
static void tell_fine(const struct attempt *attempt, enum step step)
{
	char text[256] = "";
	char *address = NULL;
	long port = 0;
	curl_easy_getinfo(attempt->easy, CURLINFO_PRIMARY_IP, &address);
	curl_easy_getinfo(attempt->easy, CURLINFO_PRIMARY_PORT, &port);
	if (step == STEP_NAME)
		snprintf(text, sizeof(text), "is known to this machine");
	else if (step == STEP_CONNECTION)
		snprintf(text, sizeof(text), "%s port %ld", address, port);
	else
		write_certificate(attempt, text, sizeof(text));
	tell(attempt, step, TRIAL_FINE, text);
}

/* Judges the reply: it must be one that the API gives to a request without a key. */
static bool judge_reply(const struct attempt *attempt)
{
	long status = 0;
	curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	const struct reply reply = {.transport = REPLY_HTTP,
		.status = (int)status,
		.body = buffer_bytes(&attempt->body)};
	struct verdict verdict;
	char described[64];
	char text[160];
	reply_classify(&reply, attempt->reader, &verdict);
	reply_describe(&reply, described, sizeof(described));
	bool fine = verdict_documented(&verdict) || verdict.kind == VERDICT_CREDENTIALS;
	snprintf(text, sizeof(text),
		fine ? "%s, as the API documents it for a request without a key"
		     : "%s, which the API does not document for a request without a key",
		described);
	tell(attempt, STEP_REPLY, fine ? TRIAL_FINE : TRIAL_WRONG, text);
	return fine;
}

bool http_client_try(const struct http_client_options *options, trial_fn *tried, void *context)
{
	CLEANUP(attempt_fini) struct attempt attempt = {.tried = tried, .context = context};
	if (!prepare(&attempt, options)) {
		tell(&attempt, STEP_NAME, TRIAL_WRONG, "out of memory, or libcurl lacks an option");
		return false;
	}
	tell(&attempt, STEP_NAME, TRIAL_BEGINS, NULL);
	CURLcode result = curl_easy_perform(attempt.easy);
	enum step last = last_step(&attempt, result);
	for (enum step step = STEP_NAME; step < last; step++)
		if (step != STEP_TLS || attempt.tls)
			tell_fine(&attempt, step);
	if (result == CURLE_OK)
		return judge_reply(&attempt);
	tell(&attempt, last, TRIAL_WRONG,
		attempt.error[0] != '\0' ? attempt.error : curl_easy_strerror(result));
	return false;
}
