/*
 * Inside core/json: the grammar. The scan follows RFC 8259 byte by byte, without recursion, and is
 * the only judge of what is well-formed. On its way it notes where each member stands, so that
 * nobody has to build a tree to find one.
 */
#ifndef CORE_JSON_SCAN_H
#define CORE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "core/json.h"

struct json_member {
	struct bytes name; /* as it stands between its quotes */
	unsigned object;   /* whose member it is; objects are numbered from 1, the outermost */
	struct json_value value;
};

/* What a scan found. Start as {0}; end with free(members). */
struct json_scan {
	struct json_member *members; /* of all objects */
	size_t count;
	size_t capacity;
	bool huge_integer;   /* an integer exceeds 64 bits */
	bool out_of_memory;  /* the members found no room: nothing else counts */
	const char *mistake; /* the kind, where there is one */
	size_t place;        /* its byte, from 1 */
};

/*
 * Scans a text, and forgets what was found before. False where it is not one object with nothing
 * but white space around it, or nests deeper than max_depth, or memory ran out.
 */
bool json_scan_text(struct json_scan *scan, struct bytes text, int max_depth);

/*
 * How many bytes the UTF-8 character at `at`, which is not ASCII, has; 0: malformed (RFC 3629, 4).
 */
size_t json_utf8_length(const unsigned char *at, const unsigned char *end);

#endif
