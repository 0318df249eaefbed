/*
 * The process: what holds for all of it.
 */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

#include <stdint.h>
#include <stdnoreturn.h>

#include "base/log.h"

/* No memory of this process, which holds the key and patient data, ends up in a file or under a
 * debugger. */
void process_keep_memory_private(void);

/* Ends the process with this exit status, without freeing anything; waits a moment for what the log
 * still has to say. For any thread. */
noreturn void process_end_now(struct log *log, int status);

/* What it uses, as Prometheus' process_* metrics have it. What cannot be known is 0. */
struct process_usage {
	double cpu_seconds;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t virtual_bytes_max;
	uint64_t open_descriptors;
	uint64_t descriptors_max;
	uint64_t threads;
	double started_at; /* seconds since 1970 */
};

/* For any thread. */
void process_usage_read(struct process_usage *ret_usage);

#endif
