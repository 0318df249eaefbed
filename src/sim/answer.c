#include "answer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "digest.h"
#include "json_text.h"

static const char json[] = "application/json";

void answer_fini(struct answer *answer)
{
	buffer_fini(&answer->body);
	free(answer->retry_after);
	free(answer->location);
	*answer = (struct answer){0};
}

static void start(struct answer *answer, int status, const char *content_type)
{
	answer->status = status;
	answer->content_type = content_type;
	buffer_clear(&answer->body);
}

void answer_found(struct answer *answer, struct bytes id)
{
	start(answer, 200, json);
	buffer_append_text(
		&answer->body, "{\"status\": 200, \"success\": true, \"case\": {\"id\": ");
	json_text_append(&answer->body, id);
	buffer_append_text(&answer->body, "}}");
}

void answer_case_error(struct answer *answer, const char *text)
{
	start(answer, 400, json);
	buffer_append_text(&answer->body, "{\"status\": 400, \"success\": false, "
					  "\"message\": \"Invalid case data\", \"error\": ");
	json_text_append(&answer->body, bytes_of_text(text));
	buffer_append_text(&answer->body, ", \"code\": \"CASE_ERROR\"}");
}

void answer_key_invalid(struct answer *answer, const char *key)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	unsigned char digest[DIGEST_SIZE] = {0};

	digest_make(bytes_of_text(key), digest);
	buffer_append_text(&text, "Organization with [");
	digest_append_hex(&text, digest, sizeof(digest));
	buffer_append_text(&text, "] not found!");
	answer_case_error(answer, buffer_text(&text));
}

void answer_status(struct answer *answer, int status, bool html)
{
	const char *reason = answer_reason(status);

	start(answer, status, html ? "text/html" : json);
	if (status == 304)
		return;
	if (html)
		buffer_append_format(&answer->body,
			"<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
			"<center><h1>%d %s</h1></center>\r\n</body>\r\n</html>\r\n",
			status, reason, status, reason);
	else
		buffer_append_format(&answer->body,
			"{\"status\": %d, \"success\": false, \"message\": \"%s\"}", status,
			reason);
}

const char *answer_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{410, "Gone"},
		{414, "URI Too Long"},
		{422, "Unprocessable Entity"},
		{425, "Too Early"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < array_length(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return status < 400 ? "Redirection" : status < 500 ? "Client Error" : "Server Error";
}
