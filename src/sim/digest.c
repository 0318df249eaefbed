#include "digest.h"

#include <openssl/sha.h>

bool digest_make(struct bytes bytes, unsigned char ret_digest[static DIGEST_SIZE])
{
	return SHA256((const unsigned char *)bytes.data, bytes.length, ret_digest) != NULL;
}

void digest_append_hex(struct buffer *buffer, const unsigned char *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
		buffer_append(buffer, pair, sizeof(pair));
	}
}
