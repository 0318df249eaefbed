/*
 * Fault table: every fault there is, and every key it takes. It serves reading, --help and replies.
 */
#ifndef SIM_FAULT_TABLE_H
#define SIM_FAULT_TABLE_H

#include <json-c/json.h>
#include <stddef.h>

#include "faults.h"

enum fault_key_bit {
	KEY_BODY = 1 << 0,
	KEY_RETRY_AFTER = 1 << 1,
	KEY_LOCATION = 1 << 2,
	KEY_TEXT = 1 << 3,
	KEY_BYTES = 1 << 4,
	KEY_MS = 1 << 5,
	KEY_FRAMING = 1 << 6,
	KEY_PERCENT = 1 << 7,
	KEY_MATCH = 1 << 8,
	KEY_COUNT = 1 << 9,
	KEYS_OF_ALL = KEY_PERCENT | KEY_MATCH | KEY_COUNT,
};

struct fault_type {
	const char *name; /* "status_" stands for every status */
	enum fault_kind kind;
	int status;        /* of the reply; 0: none, or the name says it */
	unsigned int keys; /* beside those that all faults take */
	int64_t bytes;     /* defaults of two keys */
	int64_t ms;
	const char *text; /* the body of a FAULT_REPLY; of status 400: its `error` member */
	const char *help; /* NULL: a variant of the row before */
};

struct fault_key {
	const char *name;
	unsigned int bit;
	enum json_type type; /* double stands for any number */
	const char *help;
};

extern const struct fault_type fault_types[];
extern const size_t fault_type_count;
extern const struct fault_key fault_keys[];
extern const size_t fault_key_count;

#endif
