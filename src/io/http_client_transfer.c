#include "http_client_transfer.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define HEADERS_MAX      65536 /* bytes of headers; more are a flood */
#define RECEIVE_BUFFER   2048  /* of each transfer: replies are small, and transfers are many */
#define RECORD_MAX       16384 /* bytes that TLS decrypts at once */
#define SEND_BUFFER      16384 /* the least that libcurl takes */
#define BODY_KEEP        4096  /* a larger body's memory is given back */
#define IDLE_S           50    /* less than the minute after which balancers close */
#define CONNECTION_AGE_S 300   /* so that a change of the API's addresses is followed */
#define KNOWN_AGE_S      60 /* so long addresses and trusted authorities are not looked up anew */
#define DOUBTED_AGE_S    1  /* the same, where they may be why a request failed */

/* What libcurl's results are to us; those that are not here are REPLY_OTHER. */
static const struct {
	CURLcode result;
	enum reply_transport transport;
} TRANSPORTS[] = {
	{CURLE_OK, REPLY_HTTP},
	{CURLE_OPERATION_TIMEDOUT, REPLY_TIMEOUT},
	{CURLE_COULDNT_RESOLVE_PROXY, REPLY_UNRESOLVED},
	{CURLE_COULDNT_RESOLVE_HOST, REPLY_UNRESOLVED},
	{CURLE_COULDNT_CONNECT, REPLY_CONNECT},
	{CURLE_PARTIAL_FILE, REPLY_CONNECT},
	{CURLE_GOT_NOTHING, REPLY_CONNECT},
	{CURLE_SEND_ERROR, REPLY_CONNECT},
	{CURLE_RECV_ERROR, REPLY_CONNECT},
	{CURLE_AGAIN, REPLY_CONNECT},
	{CURLE_PROXY, REPLY_CONNECT},
	{CURLE_NO_CONNECTION_AVAILABLE, REPLY_CONNECT},
	{CURLE_HTTP2_STREAM, REPLY_CONNECT}, /* reset, the only way to cut one of many */
	{CURLE_SSL_CONNECT_ERROR, REPLY_TLS},
	{CURLE_SSL_ENGINE_NOTFOUND, REPLY_TLS},
	{CURLE_SSL_ENGINE_SETFAILED, REPLY_TLS},
	{CURLE_SSL_ENGINE_INITFAILED, REPLY_TLS},
	{CURLE_SSL_CERTPROBLEM, REPLY_TLS},
	{CURLE_SSL_CIPHER, REPLY_TLS},
	{CURLE_USE_SSL_FAILED, REPLY_TLS},
	{CURLE_SSL_CACERT_BADFILE, REPLY_TLS},
	{CURLE_SSL_SHUTDOWN_FAILED, REPLY_TLS},
	{CURLE_SSL_CRL_BADFILE, REPLY_TLS},
	{CURLE_SSL_ISSUER_ERROR, REPLY_TLS},
	{CURLE_SSL_PINNEDPUBKEYNOTMATCH, REPLY_TLS},
	{CURLE_SSL_INVALIDCERTSTATUS, REPLY_TLS},
	{CURLE_SSL_CLIENTCERT, REPLY_TLS},
};

/* What OpenSSL says of a certificate, by the numbers of its manual page openssl-verify(1),
 * "DIAGNOSTICS". */
static const struct {
	long from;
	long to;
	enum reply_transport transport;
} CERTIFICATES[] = {
	{1, 1, REPLY_TLS_NAME}, /* unspecified: libcurl found fault with the name, before it asked
				 */
	{2, 2, REPLY_TLS_ISSUER},
	{9, 14, REPLY_TLS_TIME},
	{18, 21, REPLY_TLS_ISSUER},
	{62, 64, REPLY_TLS_NAME},
};

/* What was wrong with the certificate that ended a transfer. */
static enum reply_transport certificate_trouble(CURL *easy)
{
	long found = 0;
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &found);
	for (size_t i = 0; i < array_length(CERTIFICATES); i++) {
		if (found >= CERTIFICATES[i].from && found <= CERTIFICATES[i].to)
			return CERTIFICATES[i].transport;
	}
	return REPLY_TLS;
}

enum reply_transport transfer_transport(CURL *easy, CURLcode result)
{
	if (result == CURLE_PEER_FAILED_VERIFICATION)
		return certificate_trouble(easy);
	for (size_t i = 0; i < array_length(TRANSPORTS); i++) {
		if (TRANSPORTS[i].result == result)
			return TRANSPORTS[i].transport;
	}
	return REPLY_OTHER;
}

/* Forgets what came for an earlier send. */
static void clear_reply(struct transfer *transfer)
{
	buffer_clear(&transfer->body);
	transfer->header_bytes = 0;
	transfer->headers_ended = false;
	transfer->has_retry_after = false;
}

/* libcurl is about to send the request; the first time that is what we asked for. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's signature */
static int on_send(void *context, char *remote, char *local, int remote_port, int local_port)
{
	(void)remote;
	(void)local;
	(void)remote_port;
	struct transfer *transfer = context;
	const struct transfer_setup *setup = transfer->setup;
	if (!setup->http2 && http_poll_spoil(setup->poll, local_port))
		return CURL_PREREQFUNC_OK; /* nothing will go out: libcurl takes another connection
					    */
	if (transfer->sends++ == 0)
		return CURL_PREREQFUNC_OK;
	if (setup->may_resend && !setup->may_resend(setup->context, transfer->tag)) {
		transfer->stop = STOP_RESEND;
		return CURL_PREREQFUNC_ABORT;
	}
	clear_reply(transfer);
	return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t length = size * count;
	if (length > REPLY_BODY_MAX - transfer->body.length) {
		transfer->stop = STOP_BODY;
		return CURL_WRITEFUNC_ERROR;
	}
	buffer_append(&transfer->body, data, length);
	return transfer->body.failed ? CURL_WRITEFUNC_ERROR : length;
}

static void note_retry_after(struct transfer *transfer, struct bytes value)
{
	while (value.length && (value.data[0] == ' ' || value.data[0] == '\t'))
		value = (struct bytes){value.data + 1, value.length - 1};
	while (value.length && strchr(" \t\r\n", value.data[value.length - 1]))
		value.length--;
	transfer->has_retry_after = value.length > 0 && value.length <= RETRY_AFTER_MAX;
	if (!transfer->has_retry_after)
		return;
	memcpy(transfer->retry_after, value.data, value.length);
	transfer->retry_after_length = (unsigned char)value.length;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	static const char NAME[] = "retry-after:";
	struct transfer *transfer = context;
	size_t length = size * count;
	transfer->header_bytes += length;
	if (transfer->header_bytes > HEADERS_MAX) {
		transfer->stop = STOP_HEADERS;
		return CURL_WRITEFUNC_ERROR;
	}
	/* A status line begins a reply; an earlier one was an interim reply, such as 103. */
	if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		transfer->headers_ended = false;
		transfer->has_retry_after = false;
		return length;
	}
	transfer->headers_ended = transfer->headers_ended || length <= 2; /* an empty line */
	if (length >= sizeof(NAME) && strncasecmp(data, NAME, sizeof(NAME) - 1) == 0)
		note_retry_after(transfer,
			(struct bytes){data + sizeof(NAME) - 1, length - sizeof(NAME) + 1});
	return length;
}

/* Sets an option and remembers whether any one failed. */
#define SET(option, value) (ok = curl_easy_setopt(easy, (option), (value)) == CURLE_OK && ok)

bool transfer_set_rules(CURL *easy, const struct transfer_setup *setup)
{
	bool ok = true;
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* else a resolver that hangs would hold up all transfers */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would carry the key to another host */
	SET(CURLOPT_PROXY, setup->proxy);
	SET(CURLOPT_NOPROXY, ""); /* else the environment's exceptions would count */
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (setup->ca_file[0])
		SET(CURLOPT_CAINFO, setup->ca_file);
	SET(CURLOPT_MAXAGE_CONN, (long)IDLE_S);
	SET(CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_AGE_S);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	/* libcurl 7.88.1 forgets what is left of a TLS record that its buffer cannot hold: no event
	 * tells of it, and a stream of HTTP/2 waits for its end until its time is over. */
	SET(CURLOPT_BUFFERSIZE, (long)(setup->http2 ? RECORD_MAX : RECEIVE_BUFFER));
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER);
	SET(CURLOPT_SHARE, setup->share);
	if (!setup->http2) {
		SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		return ok;
	}
	SET(CURLOPT_HTTP_VERSION,
		(long)(setup->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
	SET(CURLOPT_PIPEWAIT, 1L);
	return ok;
}

static bool set_callbacks(CURL *easy, struct transfer *transfer)
{
	bool ok = true;
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_CURLU, transfer->parsed);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_PREREQFUNCTION, on_send);
	SET(CURLOPT_PREREQDATA, transfer);
	return http_poll_adopt(transfer->setup->poll, easy) && ok;
}

struct transfer *transfer_new(const struct transfer_setup *setup)
{
	struct transfer *transfer = mem_new(struct transfer);
	if (!transfer)
		return NULL;
	transfer->setup = setup;
	transfer->easy = curl_easy_init();
	transfer->parsed = curl_url();
	if (!transfer->easy || !transfer->parsed || !transfer_set_rules(transfer->easy, setup) ||
		!set_callbacks(transfer->easy, transfer)) {
		transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	curl_url_cleanup(transfer->parsed);
	http_headers_release(transfer->headers);
	buffer_fini(&transfer->url);
	buffer_fini(&transfer->body);
	free(transfer);
}

/* The list of headers: the shared one, with the trace context of this request in front where it has
 * one. */
static struct curl_slist *header_list(struct transfer *transfer, struct bytes traceparent)
{
	struct curl_slist *shared = http_headers_list(transfer->headers);
	if (!http_traceparent_valid(traceparent))
		return shared;
	char *end = stpcpy(transfer->trace_line, "traceparent: ");
	memcpy(end, traceparent.data, TRACEPARENT_LENGTH);
	end[TRACEPARENT_LENGTH] = '\0';
	transfer->trace = (struct curl_slist){.data = transfer->trace_line, .next = shared};
	return &transfer->trace;
}

/* Puts limits in force; most often they are. */
static bool set_limits(struct transfer *transfer, const struct transfer_limits *limits)
{
	CURL *easy = transfer->easy;
	bool ok = true;
	if (transfer->limits.connect_timeout_ms == limits->connect_timeout_ms &&
		transfer->limits.timeout_ms == limits->timeout_ms &&
		transfer->limits.api_doubted == limits->api_doubted)
		return true;
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)limits->timeout_ms);
	long age_s = limits->api_doubted ? DOUBTED_AGE_S : KNOWN_AGE_S;
	SET(CURLOPT_DNS_CACHE_TIMEOUT, age_s);
	SET(CURLOPT_CA_CACHE_TIMEOUT, age_s);
	if (ok)
		transfer->limits = *limits;
	return ok;
}

bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
	struct bytes base, struct http_headers *headers, const struct transfer_limits *limits)
{
	CURL *easy = transfer->easy;
	if (transfer->body.failed || transfer->body.capacity > BODY_KEEP)
		buffer_fini(&transfer->body);
	clear_reply(transfer);
	transfer->sends = 0;
	transfer->stop = STOP_NONE;
	buffer_clear(&transfer->url);
	http_url_append(&transfer->url, base, request->email, request->phone);
	const char *url = buffer_text(&transfer->url);
	if (transfer->url.failed ||
		curl_url_set(transfer->parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS) != CURLUE_OK) {
		buffer_fini(&transfer->url);
		return false;
	}
	bool ok = set_limits(transfer, limits);
	transfer->headers = http_headers_hold(headers);
	SET(CURLOPT_HTTPHEADER, header_list(transfer, request->traceparent));
	if (!ok) {
		http_headers_release(transfer->headers);
		transfer->headers = NULL;
	}
	return ok;
}

void transfer_finish(struct transfer *transfer, CURLcode result, int64_t now)
{
	static const enum reply_transport STOPPED[] = {
		[STOP_BODY] = REPLY_BODY_TOO_LONG,
		[STOP_HEADERS] = REPLY_OTHER,
		[STOP_RESEND] = REPLY_CONNECT,
	};
	long status = 0;
	transfer->duration_ns = now - transfer->started_ns;
	transfer->transport = transfer->stop ? STOPPED[transfer->stop]
					     : transfer_transport(transfer->easy, result);
	/* libcurl takes a connection's end inside the headers for theirs. */
	if (transfer->transport == REPLY_HTTP && !transfer->headers_ended)
		transfer->transport = REPLY_CONNECT;
	if (transfer->transport == REPLY_HTTP || transfer->transport == REPLY_BODY_TOO_LONG)
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->status = (int)status;
	http_headers_release(transfer->headers);
	transfer->headers = NULL;
}

struct reply transfer_reply(const struct transfer *transfer)
{
	struct reply reply = {.transport = transfer->transport, .status = transfer->status};
	if (transfer->transport != REPLY_HTTP)
		return reply;
	reply.body = buffer_bytes(&transfer->body);
	if (transfer->has_retry_after)
		reply.retry_after =
			(struct bytes){transfer->retry_after, transfer->retry_after_length};
	return reply;
}
