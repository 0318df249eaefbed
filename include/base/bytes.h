/*
 * Bytes: slices of memory that somebody else owns, and a buffer that grows.
 *
 * A slice may hold any bytes, zeros too. `data == NULL` means absent, which Kafka tells apart from
 * empty. Text for people or C interfaces is a char pointer with a zero at its end, not a slice.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const char *data; /* NULL: absent */
	size_t length;
};

/* A string literal as a slice. */
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

/* The text up to its zero; an absent slice for NULL. Nothing is copied. */
struct bytes bytes_of_text(const char *text);

/* Same presence, length and bytes. */
bool bytes_equal(struct bytes a, struct bytes b);

/* The same without regard to the case of ASCII letters. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* Whether `whole` begins, or ends, with `part`. */
bool bytes_start_with(struct bytes whole, struct bytes part);
bool bytes_end_with(struct bytes whole, struct bytes part);

/* Without the spaces and tabs around it. */
struct bytes bytes_trimmed(struct bytes bytes);

/* Copies to *to, where there is room, and moves it on; returns the copy. What is absent stays
 * absent, what is empty stays present. */
struct bytes bytes_pack(struct bytes bytes, char **to);

/*
 * A buffer that grows. Start one as `struct buffer buffer = {0};`, end it with buffer_fini(). What
 * is appended after an allocation failed is dropped, and `failed` stays set: check it once, at the
 * end.
 */
struct buffer {
	char *data;
	size_t length;
	size_t capacity;
	bool failed;
};

void buffer_fini(struct buffer *buffer);

/* Empties the buffer and keeps its memory. */
void buffer_clear(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_append_bytes(struct buffer *buffer, struct bytes bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_integer(struct buffer *buffer, int64_t number); /* in decimal */
void buffer_append_format(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What is in it, valid until it changes. Present, even where it is empty. */
struct bytes buffer_bytes(const struct buffer *buffer);

/* What is in it as text with a zero at its end, valid until it changes; "" where memory ran out. */
const char *buffer_text(struct buffer *buffer);

#endif
