/*
 * Digest: SHA-256.
 */
#ifndef SIM_DIGEST_H
#define SIM_DIGEST_H

#include "base/bytes.h"

#define DIGEST_SIZE 32

/* The SHA-256 of some bytes. False where the library cannot make it. */
bool digest_make(struct bytes bytes, unsigned char ret_digest[static DIGEST_SIZE]);

/* Appends bytes in lower hexadecimal. */
void digest_append_hex(struct buffer *buffer, const unsigned char *bytes, size_t count);

#endif
