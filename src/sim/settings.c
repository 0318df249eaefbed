#include "settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum type { TYPE_INTEGER, TYPE_FLAG, TYPE_TEXT, TYPE_FAULTS };

struct row {
	const char *name;
	enum type type;
	size_t offset; /* in struct settings */
	bool secret;
	bool nullable;
};

#define ROW(field, type, secret, nullable)                                                         \
	{                                                                                          \
#field, (type), offsetof(struct settings, field), (secret), (nullable)             \
	}

static const struct row rows[] = {
	ROW(api_key, TYPE_TEXT, true, false),
	ROW(latency_ms, TYPE_INTEGER, false, false),
	ROW(latency_jitter_ms, TYPE_INTEGER, false, false),
	ROW(limit, TYPE_INTEGER, false, false),
	ROW(limit_burst, TYPE_INTEGER, false, false),
	ROW(limit_retry_after, TYPE_TEXT, false, true),
	ROW(require_email, TYPE_FLAG, false, false),
	ROW(faults, TYPE_FAULTS, false, false),
};

/* A day in milliseconds, and more requests a second than any machine makes. */
#define LARGEST_INTEGER 86400000

/* Whoever has the row knows the type of what is there. */
static void *field_of(struct settings *settings, const struct row *row)
{
	return (char *)settings + row->offset;
}

struct settings *settings_new(struct error *err)
{
	CLEANUP(free_pointer) struct settings *settings = mem_new(struct settings);
	if (settings == NULL) {
		error_memory(err);
		return NULL;
	}
	settings->faults = faults_new(err);
	return settings->faults == NULL ? NULL : take_pointer(settings);
}

static void fini(struct settings *settings)
{
	free(settings->api_key);
	free(settings->limit_retry_after);
	faults_free(settings->faults);
	*settings = (struct settings){0};
}

void settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	fini(settings);
	free(settings);
}

static bool change_text(char **field, const struct row *row, json_object *value, struct error *err)
{
	const char *text = json_object_get_string(value);

	if (value == NULL && !row->nullable)
		return error_set(err, "%s cannot be null", row->name);
	if (value != NULL && !json_object_is_type(value, json_type_string) &&
		!json_object_is_type(value, json_type_int))
		return error_set(err, "%s is not text", row->name);
	if (text != NULL && (text[0] == '\0' || strpbrk(text, "\r\n") != NULL))
		return error_set(err, "%s is empty or holds a line break", row->name);
	char *copy = text == NULL ? NULL : strdup(text);
	if (text != NULL && copy == NULL)
		return error_memory(err);
	free(*field);
	*field = copy;
	return true;
}

static bool change_faults(struct faults **field, json_object *value, struct error *err)
{
	if (!json_object_is_type(value, json_type_array))
		return error_set(err, "faults is not a list");
	struct faults *faults = faults_new(err);
	if (faults == NULL)
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		json_object *item = json_object_array_get_idx(value, i);
		/* A fault may be written as on the command line, too. */
		bool added = json_object_is_type(item, json_type_string)
				     ? faults_add_text(faults, json_object_get_string(item), err)
				     : faults_add_json(faults, item, err);
		if (!added) {
			faults_free(faults);
			return false;
		}
	}
	faults_free(*field);
	*field = faults;
	return true;
}

static bool change_row(
	struct settings *settings, const struct row *row, json_object *value, struct error *err)
{
	void *field = field_of(settings, row);
	int64_t integer = json_object_get_int64(value);

	switch (row->type) {
	case TYPE_TEXT:
		return change_text(field, row, value, err);
	case TYPE_FAULTS:
		return change_faults(field, value, err);
	case TYPE_FLAG:
		if (!json_object_is_type(value, json_type_boolean))
			return error_set(err, "%s is neither true nor false", row->name);
		*(bool *)field = json_object_get_boolean(value);
		return true;
	case TYPE_INTEGER:
		break;
	}
	if (!json_object_is_type(value, json_type_int) || integer < 0 || integer > LARGEST_INTEGER)
		return error_set(
			err, "%s is not an integer from 0 to %d", row->name, LARGEST_INTEGER);
	*(int64_t *)field = integer;
	return true;
}

static bool change_member(
	struct settings *settings, const char *name, json_object *value, struct error *err)
{
	for (size_t i = 0; i < array_length(rows); i++) {
		if (strcmp(rows[i].name, name) == 0)
			return change_row(settings, &rows[i], value, err);
	}
	return error_set(err, "there is no setting \"%s\"", name);
}

/* Copies everything but the faults, which a change replaces or leaves. */
static bool copy(const struct settings *settings, struct settings *ret_copy, struct error *err)
{
	struct settings made = *settings;

	made.faults = NULL;
	made.api_key = settings->api_key == NULL ? NULL : strdup(settings->api_key);
	made.limit_retry_after =
		settings->limit_retry_after == NULL ? NULL : strdup(settings->limit_retry_after);
	if ((made.api_key == NULL) != (settings->api_key == NULL) ||
		(made.limit_retry_after == NULL) != (settings->limit_retry_after == NULL)) {
		fini(&made);
		return error_memory(err);
	}
	*ret_copy = made;
	return true;
}

bool settings_change(struct settings *settings, json_object *change, struct error *err)
{
	CLEANUP(fini) struct settings changed = {0};

	if (!json_object_is_type(change, json_type_object))
		return error_set(err, "settings are a JSON object");
	if (!copy(settings, &changed, err))
		return false;
	json_object_object_foreach(change, name, value)
	{
		if (!change_member(&changed, name, value, err))
			return false;
	}
	if (changed.faults == NULL)
		changed.faults = take_pointer(settings->faults);

	struct settings before = *settings;
	*settings = changed;
	changed = before; /* which is freed at the end */
	return true;
}

json_object *settings_to_json(const struct settings *settings)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < array_length(rows); i++) {
		const void *field = (const char *)settings + rows[i].offset;
		const char *text = rows[i].type == TYPE_TEXT ? *(char *const *)field : NULL;
		json_object *value = NULL;
		if (rows[i].secret)
			continue;
		if (rows[i].type == TYPE_INTEGER)
			value = json_object_new_int64(*(const int64_t *)field);
		else if (rows[i].type == TYPE_FLAG)
			value = json_object_new_boolean(*(const bool *)field);
		else if (rows[i].type == TYPE_FAULTS)
			value = faults_to_json(*(struct faults *const *)field);
		else if (text != NULL)
			value = json_object_new_string(text);
		json_object_object_add(object, rows[i].name, value);
	}
	return object;
}
