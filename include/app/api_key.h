/*
 * The API key: from a file that may change at any time, or from the environment.
 *
 * Secrets are replaced while the service runs, often by a symbolic link that is swapped, as
 * Kubernetes does. Where the file is missing, the key is CARE360_API_KEY of the environment. The
 * key is in no error, and its memory is wiped. For one thread at a time.
 */
#ifndef APP_API_KEY_H
#define APP_API_KEY_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

#define API_KEY_MAX 4096 /* bytes */

struct api_key;

/* Reads nothing yet. NULL and err when out of memory. */
struct api_key *api_key_new(const char *path, struct error *err);
void api_key_free(struct api_key *key);

/*
 * Reads the key if it may have changed since the last call. True: a usable key is at hand, and
 * *ret_changed says whether it differs from what the last call gave. False and err where there is
 * no usable key now, or the new content is unusable; the former key, if any, stays in use. Cheap:
 * it looks at the file's device, inode, size and times first.
 */
bool api_key_refresh(struct api_key *key, bool *ret_changed, struct error *err);

/* The key in use; absent where there never was one. Valid until the next refresh. */
struct bytes api_key_bytes(const struct api_key *key);

#endif
