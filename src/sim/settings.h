/*
 * Settings: what of the simulator can be changed while it runs.
 */
#ifndef SIM_SETTINGS_H
#define SIM_SETTINGS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "faults.h"

struct settings {
	char *api_key;             /* NULL: none was given yet */
	int64_t latency_ms;        /* before every reply */
	int64_t latency_jitter_ms; /* up to so much more, at random */
	int64_t limit;             /* requests a second; 0: without limit */
	int64_t limit_burst;       /* so many at once; 0: a tenth of a second's worth */
	char *limit_retry_after;   /* the header of a 429; NULL: none */
	bool require_email;        /* a phone number alone is not enough */
	struct faults *faults;
};

/* The defaults. NULL and err when out of memory. */
struct settings *settings_new(struct error *err);
void settings_free(struct settings *settings);

/*
 * Changes what the JSON object names, and nothing where anything in it is wrong. The members are
 * named as the fields above; `faults` replaces the whole list; null takes `limit_retry_after` away.
 */
bool settings_change(struct settings *settings, json_object *change, struct error *err);

/* The settings in effect, without the key. The caller puts it. */
json_object *settings_to_json(const struct settings *settings);

#endif
