/*
 * Identity: whose case a request asks for, read from its query.
 */
#ifndef SIM_IDENTITY_H
#define SIM_IDENTITY_H

#include <stdbool.h>

#include "base/bytes.h"

/* Start one as `struct identity identity = {0};`, end it with identity_fini(). */
struct identity {
	struct bytes email; /* decoded; absent where the query has none */
	struct bytes phone; /* the same */
};

/*
 * Reads `email` and `phoneNumber` from the raw text behind the question mark (NULL: there is none).
 * "%2B" is a plus sign and "+" a space; of a name given twice the first counts; an empty value is
 * as good as none. False where memory ran out.
 */
bool identity_read(struct identity *identity, const char *query);

void identity_fini(struct identity *identity);

/* Whether the e-mail or the phone number begins with the prefix. */
bool identity_begins_with(const struct identity *identity, const char *prefix);

#endif
