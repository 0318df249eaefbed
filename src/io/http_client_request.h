/*
 * The parts of a request to the API: its URL, and its headers as lists that libcurl reads.
 */
#ifndef IO_HTTP_CLIENT_REQUEST_H
#define IO_HTTP_CLIENT_REQUEST_H

#include <stdbool.h>

#include <curl/curl.h>

#include "base/bytes.h"

/* The length of a traceparent, and the room its header needs. */
#define TRACEPARENT_LENGTH 55
#define TRACE_LINE_SIZE    (sizeof("traceparent: ") + TRACEPARENT_LENGTH)

/* Appends the URL of a look-up to an empty buffer. `base` is the API's. */
void http_url_append(
	struct buffer *buffer, struct bytes base, struct bytes email, struct bytes phone);

/* Whether a text is a traceparent of W3C Trace Context, and nothing but that. */
bool http_traceparent_valid(struct bytes text);

/* Headers that every request with one key has, shared by all of them. */
struct http_headers;

/* Headers with a valid key, or without one where it is absent; NULL when out of memory. Held once.
 */
struct http_headers *http_headers_new(struct bytes key);
struct http_headers *http_headers_hold(struct http_headers *headers);

/* Ends a hold; the last one wipes the key. NULL is fine. */
void http_headers_release(struct http_headers *headers);

/* The list for libcurl, which only reads it. It lives as long as the headers are held. */
struct curl_slist *http_headers_list(struct http_headers *headers);

/* Appends the headers, a line each, with the key masked. */
void http_headers_describe(const struct http_headers *headers, struct buffer *text);

#endif
