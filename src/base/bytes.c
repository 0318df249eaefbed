#include "base/bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct bytes bytes_of_text(const char *text)
{
	return (struct bytes){text, text == NULL ? 0 : strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.length == b.length && strncasecmp(a.data, b.data, a.length) == 0;
}

bool bytes_start_with(struct bytes whole, struct bytes part)
{
	return whole.length >= part.length &&
	       (part.length == 0 || memcmp(whole.data, part.data, part.length) == 0);
}

bool bytes_end_with(struct bytes whole, struct bytes part)
{
	return whole.length >= part.length &&
	       (part.length == 0 || memcmp(whole.data + whole.length - part.length, part.data,
					    part.length) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct bytes bytes_trimmed(struct bytes bytes)
{
	while (bytes.length > 0 && is_blank(bytes.data[0])) {
		bytes.data++;
		bytes.length--;
	}
	while (bytes.length > 0 && is_blank(bytes.data[bytes.length - 1]))
		bytes.length--;
	return bytes;
}

struct bytes bytes_pack(struct bytes bytes, char **to)
{
	if (bytes.data == NULL)
		return bytes;
	struct bytes packed = {*to, bytes.length};
	if (bytes.length > 0)
		memcpy(*to, bytes.data, bytes.length);
	*to += bytes.length;
	return packed;
}

void buffer_fini(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
}

/* Makes room for `more` bytes. False, and `failed` set, where there is none. */
static bool reserve(struct buffer *buffer, size_t more)
{
	if (buffer->failed || more > SIZE_MAX / 4 - buffer->length) {
		buffer->failed = true;
		return false;
	}
	size_t needed = buffer->length + more;
	if (needed <= buffer->capacity)
		return true;
	size_t capacity = buffer->capacity == 0 ? 128 : buffer->capacity;
	while (capacity < needed)
		capacity *= 2;
	char *data = realloc(buffer->data, capacity);
	if (data == NULL) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
	if (length == 0 || !reserve(buffer, length))
		return;
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
}

void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
	buffer_append(buffer, bytes.data, bytes.length);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_append_integer(struct buffer *buffer, int64_t number)
{
	char digits[20]; /* of the longest, INT64_MIN, with its sign */
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		digits[--at] = '-';
	buffer_append(buffer, digits + at, sizeof(digits) - at);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length >= 0 && reserve(buffer, (size_t)length + 1)) {
		vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
		buffer->length += (size_t)length;
	}
	va_end(again);
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
	return (struct bytes){buffer->data == NULL ? "" : buffer->data, buffer->length};
}

const char *buffer_text(struct buffer *buffer)
{
	if (!reserve(buffer, 1))
		return "";
	buffer->data[buffer->length] = '\0';
	return buffer->data;
}
