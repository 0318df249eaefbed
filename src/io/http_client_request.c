#include "http_client_request.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define PATH         "/api/v1/customer-latest-case-id"
#define KEY_NAME     "CV-Api-Key: "
#define ENCODE_CHUNK 256

#ifndef CARE360_VERSION
#define CARE360_VERSION "0"
#endif

/* RFC 3986, 2.3: the characters that are never encoded. */
static const bool UNRESERVED[256] = {
	['A' ... 'Z'] = true,
	['a' ... 'z'] = true,
	['0' ... '9'] = true,
	['-'] = true,
	['.'] = true,
	['_'] = true,
	['~'] = true,
};

struct http_headers {
	size_t holders;
	size_t size; /* of the whole object */
	struct curl_slist
		fields[4]; /* libcurl's own type, made by hand so that the key can be wiped */
	char key_line[];
};

static void append_encoded(struct buffer *buffer, struct bytes text)
{
	static const char HEX[] = "0123456789ABCDEF";
	char encoded[ENCODE_CHUNK * 3];
	for (size_t done = 0; done < text.length;) {
		size_t length = 0;
		for (size_t i = 0; i < ENCODE_CHUNK && done < text.length; i++, done++) {
			unsigned char c = (unsigned char)text.data[done];
			if (UNRESERVED[c]) {
				encoded[length++] = (char)c;
				continue;
			}
			encoded[length++] = '%';
			encoded[length++] = HEX[c >> 4];
			encoded[length++] = HEX[c & 15];
		}
		buffer_append(buffer, encoded, length);
	}
}

void http_url_append(
	struct buffer *buffer, struct bytes base, struct bytes email, struct bytes phone)
{
	buffer_append_bytes(buffer, base);
	buffer_append_bytes(buffer, BYTES(PATH));
	if (email.data) {
		buffer_append_bytes(buffer, BYTES("?email="));
		append_encoded(buffer, email);
	}
	if (phone.data) {
		buffer_append_bytes(
			buffer, email.data ? BYTES("&phoneNumber=") : BYTES("?phoneNumber="));
		append_encoded(buffer, phone);
	}
}

/* Whether a text is lower-case hexadecimal; ret_zero: all of it zeros. */
static bool is_hex(const char *text, size_t length, bool *ret_zero)
{
	bool zero = true;
	for (size_t i = 0; i < length; i++) {
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
		zero = zero && text[i] == '0';
	}
	*ret_zero = zero;
	return true;
}

bool http_traceparent_valid(struct bytes text)
{
	bool zero = false;
	if (!text.data || text.length != TRACEPARENT_LENGTH)
		return false;
	const char *t = text.data;
	if (t[2] != '-' || t[35] != '-' || t[52] != '-')
		return false;
	if (!is_hex(t, 2, &zero) || memcmp(t, "ff", 2) == 0)
		return false;
	if (!is_hex(t + 3, 32, &zero) || zero)
		return false;
	if (!is_hex(t + 36, 16, &zero) || zero)
		return false;
	return is_hex(t + 53, 2, &zero);
}

struct http_headers *http_headers_new(struct bytes key)
{
	static char content_type[] = "Content-Type: application/json";
	static char accept[] = "Accept: application/json";
	static char user_agent[] = "User-Agent: care360-lookup/" CARE360_VERSION;
	char *const common[] = {content_type, accept, user_agent};
	size_t size = sizeof(struct http_headers) + sizeof(KEY_NAME) + key.length;
	struct http_headers *headers = calloc(1, size);
	if (!headers)
		return NULL;
	headers->holders = 1;
	headers->size = size;
	size_t count = 0;
	for (; count < array_length(common); count++)
		headers->fields[count].data = common[count];
	if (key.data) {
		memcpy(headers->key_line, KEY_NAME, sizeof(KEY_NAME) - 1);
		memcpy(headers->key_line + sizeof(KEY_NAME) - 1, key.data, key.length);
		headers->fields[count++].data = headers->key_line;
	}
	for (size_t i = 0; i + 1 < count; i++)
		headers->fields[i].next = &headers->fields[i + 1];
	return headers;
}

struct http_headers *http_headers_hold(struct http_headers *headers)
{
	headers->holders++;
	return headers;
}

void http_headers_release(struct http_headers *headers)
{
	if (!headers || --headers->holders > 0)
		return;
	explicit_bzero(headers, headers->size);
	free(headers);
}

struct curl_slist *http_headers_list(struct http_headers *headers)
{
	return headers->fields;
}

void http_headers_describe(const struct http_headers *headers, struct buffer *text)
{
	for (const struct curl_slist *field = headers->fields; field; field = field->next) {
		bool key = field->data == headers->key_line;
		buffer_append_text(text, key ? KEY_NAME "***" : field->data);
		buffer_append_text(text, "\n");
	}
}
