/*
 * API: what a request gets, decided when it comes. No socket and no clock is touched here.
 */
#ifndef SIM_API_H
#define SIM_API_H

#include <stdint.h>

#include "answer.h"
#include "base/error.h"
#include "cases.h"
#include "identity.h"
#include "settings.h"
#include "wire.h"

#define API_KIND_SIZE 64

struct api;

struct api_request {
	int64_t now; /* the monotonic clock */
	const char *method;
	const char *path;
	const struct identity *identity;
	const char *api_key; /* NULL: no such header */
};

/* Start one as `struct verdict verdict = {0};`, end it with verdict_fini(). */
struct verdict {
	struct answer answer;     /* what is sent, or would have been were it not for the script */
	char kind[API_KIND_SIZE]; /* found, no_case, ... or fault:NAME */
	const char *fault;        /* the end of `kind` that is the fault's name; NULL: none */
	int status;               /* that goes out; 0: none does */
	bool scripted;
	struct wire_script script;
	int64_t delay_ms;
};

void verdict_fini(struct verdict *verdict);

/*
 * An API with these cases and settings, which stay the caller's, must outlive it, and may change.
 * The same seed gives the same faults and delays to the same requests. NULL and err when out of
 * memory.
 */
struct api *api_new(
	const struct cases *cases, struct settings *settings, uint64_t seed, struct error *err);
void api_free(struct api *api);

/* Decides about one request: the place and the method, then the limit, faults, the key, the case.
 */
void api_decide(struct api *api, const struct api_request *request, struct verdict *verdict);

#endif
