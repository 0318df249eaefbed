#include "cases.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "digest.h"

struct cases {
	json_object *file; /* NULL: cases are made from the identity */
};

static bool check(json_object *file, const char *path, struct error *err)
{
	if (!json_object_is_type(file, json_type_object))
		return error_set(err, "%s is not a JSON object", path);
	json_object_object_foreach(file, name, value)
	{
		if (value != NULL && !json_object_is_type(value, json_type_string))
			return error_set(
				err, "%s: the case of \"%s\" is neither text nor null", path, name);
	}
	return true;
}

struct cases *cases_new(const char *path, struct error *err)
{
	CLEANUP(free_pointer) struct cases *cases = mem_new(struct cases);
	if (cases == NULL) {
		error_memory(err);
		return NULL;
	}
	if (path == NULL)
		return take_pointer(cases);
	cases->file = json_object_from_file(path);
	if (cases->file == NULL) {
		const char *why = json_util_get_last_err();
		error_set(err, "the cases %s cannot be read: %.*s", path, (int)strcspn(why, "\n"),
			why);
		return NULL;
	}
	if (!check(cases->file, path, err)) {
		json_object_put(cases->file);
		return NULL;
	}
	return take_pointer(cases);
}

void cases_free(struct cases *cases)
{
	if (cases == NULL)
		return;
	json_object_put(cases->file);
	free(cases);
}

/* False where the file says nothing of the name; a name with a zero in it cannot be in the file. */
static bool look_up(json_object *file, struct bytes name, json_object **ret_value)
{
	return name.data != NULL && strlen(name.data) == name.length &&
	       json_object_object_get_ex(file, name.data, ret_value);
}

static bool find_in_file(
	const struct cases *cases, const struct identity *identity, struct buffer *id)
{
	json_object *value = NULL;

	if (!look_up(cases->file, identity->email, &value) &&
		!look_up(cases->file, identity->phone, &value))
		return false;
	if (value == NULL)
		return false;
	buffer_append(id, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	return true;
}

static bool make(const struct identity *identity, struct buffer *id)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	buffer_append_bytes(&text, identity->email);
	buffer_append_text(&text, "\n");
	buffer_append_bytes(&text, identity->phone);

	static const unsigned char groups[] = {4, 2, 2, 2, 6};
	unsigned char digest[DIGEST_SIZE];
	const unsigned char *at = digest;
	if (text.failed || !digest_make(buffer_bytes(&text), digest))
		return false;
	for (size_t i = 0; i < sizeof(groups); i++) {
		if (i > 0)
			buffer_append_text(id, "-");
		digest_append_hex(id, at, groups[i]);
		at += groups[i];
	}
	return true;
}

bool cases_find(const struct cases *cases, const struct identity *identity, struct buffer *id)
{
	if (cases->file != NULL)
		return find_in_file(cases, identity, id);
	bool nobody = identity->email.data != NULL
			      ? bytes_start_with(identity->email, BYTES("nobody"))
			      : bytes_start_with(identity->phone, BYTES("+000"));
	return !nobody && make(identity, id);
}
