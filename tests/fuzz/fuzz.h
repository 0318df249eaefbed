/*
 * Fuzzing: what the targets share.
 *
 * A target is one function that reads any bytes and ends the program where a promise is broken. It
 * is linked with libFuzzer for the long runs (tests/fuzz/run), and with replay.c for ctest, which
 * gives it the inputs that are kept in corpus/ and crashes/.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/bytes.h"
#include "core/event.h"

/* The target; the name is libFuzzer's. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program where a promise is broken, as a sanitizer does. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_broken(__FILE__, __LINE__, #condition);                               \
	} while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *promise);

/* Takes the first line off the input, without its line feed; all of it where there is none. */
struct bytes fuzz_take_line(struct bytes *input);

/* A copy of exactly this size with a zero at its end, which the caller frees. */
char *fuzz_text(struct bytes bytes);

#define FUZZ_HEADERS_MAX 64

/* A Kafka record as an input describes it. Its slices point into the input. */
struct fuzz_record {
	struct record record;
	struct header headers[FUZZ_HEADERS_MAX];
};

/*
 * Reads a record: headers, a line `name: value` each, then an empty line, then the value; without
 * the empty line it has no value. A line that begins with a tab belongs to the value before it,
 * line feed and tab too. A line without a colon is the name of a header whose value is absent.
 */
void fuzz_record_read(struct bytes input, struct fuzz_record *ret_record);

/* Judged by other code than the project's: iconv knows UTF-8, json-c (told to be strict) JSON. */
bool fuzz_is_utf8(struct bytes text);
bool fuzz_has_control(struct bytes text);           /* U+0000 to U+001F, U+007F to U+009F */
struct json_object *fuzz_json_c(struct bytes text); /* NULL where it is none; json_object_put() */

/* The member of an object that is a string; absent where it is none. */
struct bytes fuzz_string_member(struct json_object *object, const char *name);

/* For CLEANUP. */
void fuzz_put(struct json_object **object);

#endif
