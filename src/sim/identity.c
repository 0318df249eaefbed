#include "identity.h"

#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool decode(const char *value, size_t length, struct bytes *ret_decoded)
{
	CLEANUP(free_pointer) char *copy = strndup(value, length);
	if (copy == NULL)
		return false;
	size_t decoded_length = 0;
	char *decoded = evhttp_uridecode(copy, 1, &decoded_length);
	if (decoded == NULL)
		return false;
	*ret_decoded = (struct bytes){decoded, decoded_length};
	return true;
}

bool identity_read(struct identity *identity, const char *query)
{
	const char *at = query == NULL ? "" : query;

	while (*at != '\0') {
		size_t length = strcspn(at, "&");
		size_t name = strcspn(at, "&=");
		struct bytes *field = NULL;
		if (name == strlen("email") && memcmp(at, "email", name) == 0)
			field = &identity->email;
		else if (name == strlen("phoneNumber") && memcmp(at, "phoneNumber", name) == 0)
			field = &identity->phone;
		if (field != NULL && field->data == NULL && name + 1 < length &&
			!decode(at + name + 1, length - name - 1, field))
			return false;
		at += length;
		at += *at == '&';
	}
	return true;
}

void identity_fini(struct identity *identity)
{
	free((char *)identity->email.data);
	free((char *)identity->phone.data);
	*identity = (struct identity){0};
}

bool identity_begins_with(const struct identity *identity, const char *prefix)
{
	return (identity->email.data != NULL &&
		       bytes_start_with(identity->email, bytes_of_text(prefix))) ||
	       (identity->phone.data != NULL &&
		       bytes_start_with(identity->phone, bytes_of_text(prefix)));
}
