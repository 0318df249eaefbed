/*
 * Record: a file with a JSON line for every request, for tests to read.
 */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include <stdint.h>

#include "base/error.h"
#include "identity.h"

/* What is kept of a request. A text that is NULL is written as null. */
struct record_line {
	int64_t now; /* when it came, on the monotonic clock */
	const char *method;
	const char *path;
	const char *query; /* as it came, not decoded */
	const struct identity *identity;
	const char *host;
	const char *api_key;
	const char *content_type;
	const char *traceparent;
	int status;        /* of the reply; 0: none goes out */
	const char *reply; /* its kind, as the stats count it */
	const char *fault; /* the name of the fault it got */
	int64_t concurrent;
	int peer_port; /* tells the connections of one client apart */
};

struct record;

/* Appends to the file, which only its owner may read. NULL and err where it cannot be opened. */
struct record *record_open(const char *path, struct error *err);

/* Writes what is still held and closes the file. */
void record_close(struct record *record);

/* Adds a line. It is held until record_flush(), or until there is a lot of it. */
void record_add(struct record *record, const struct record_line *line);

/* Writes what is held. Nothing to do for NULL. A full disk loses lines, with a complaint to stderr.
 */
void record_flush(struct record *record);

#endif
