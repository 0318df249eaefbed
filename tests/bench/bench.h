/*
 * What the two client loops have in common: their options, and the line of JSON at the end.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct bench_options {
	const char *url; /* the API's base URL, no slash at its end */
	const char *key;
	const char *ca_file; /* "": the system's authorities */
	long requests;
	long warm_up; /* of the requests: until so many have ended, nothing is measured */
	int in_flight;
	bool http2;
	bool sticky; /* curl_loop: registers each socket once, edge-triggered */
	bool curlu;  /* curl_loop: hands URLs over as handles */
};

/* Reads the command line; false, and the usage on standard error, where it is wrong. */
bool bench_options_read(struct bench_options *ret_options, int argc, char **argv);

/* One measured stretch of a process's life. */
struct bench_span {
	int64_t wall_ns;
	int64_t cpu_ns;
	int64_t system_ns; /* the part of cpu_ns that the kernel took */
};

struct bench_span bench_now(void);

/* Prints the figures of what happened since `start`. */
void bench_report(const char *name, const struct bench_options *options, struct bench_span start,
	long replies, long failures);

#endif
