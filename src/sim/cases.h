/*
 * Cases: which case an identity has, from a file or made from the identity itself.
 *
 * Without a file every identity has one, its id made so that a test can compute it: the first 16
 * bytes of the SHA-256 of the e-mail, a line feed and the phone number (what is absent is empty),
 * in hexadecimal and grouped as a UUID. Only identities that begin with "nobody" (a phone alone:
 * "+000") have none. With a file, only the identities in it have a case.
 */
#ifndef SIM_CASES_H
#define SIM_CASES_H

#include "base/bytes.h"
#include "base/error.h"
#include "identity.h"

struct cases;

/*
 * Reads a JSON object whose names are e-mails and phone numbers and whose values are case ids, or
 * null for "no case". `path` NULL: cases are made. NULL and err where it cannot be read.
 */
struct cases *cases_new(const char *path, struct error *err);
void cases_free(struct cases *cases);

/*
 * Appends the id of the identity's case. False where it has none. In a file the e-mail is looked up
 * first, then the phone number.
 */
bool cases_find(const struct cases *cases, const struct identity *identity, struct buffer *id);

#endif
