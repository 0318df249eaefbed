#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fault_table.h"

#define PADDING_MAX (64 << 20) /* bytes that are held in memory, unlike those of a huge body */

struct entry {
	json_object *source; /* what the user asked for; the fault's texts point into it */
	struct fault fault;
};

struct faults {
	struct entry *entries;
	size_t count;
};

struct faults *faults_new(struct error *err)
{
	struct faults *faults = mem_new(struct faults);
	if (faults == NULL)
		error_memory(err);
	return faults;
}

void faults_free(struct faults *faults)
{
	if (faults == NULL)
		return;
	for (size_t i = 0; i < faults->count; i++)
		json_object_put(faults->entries[i].source);
	free(faults->entries);
	free(faults);
}

static void put_object(json_object **object)
{
	json_object_put(*object);
}

static const struct fault_key *find_key(const char *name)
{
	for (size_t i = 0; i < fault_key_count; i++) {
		if (strcmp(fault_keys[i].name, name) == 0)
			return &fault_keys[i];
	}
	return NULL;
}

/* The row of a name, and the status that the name itself says, else the row's. */
static const struct fault_type *find_type(const char *name, int *ret_status)
{
	size_t prefix = strlen("status_");

	for (size_t i = 0; i < fault_type_count; i++) {
		const struct fault_type *type = &fault_types[i];
		if (type->kind == FAULT_STATUS && strncmp(name, type->name, prefix) == 0) {
			bool digits = strspn(name + prefix, "0123456789") == 3 &&
				      name[prefix + 3] == '\0';
			int status = digits ? (int)strtol(name + prefix, NULL, 10) : 0;
			*ret_status = status;
			return status >= 300 && status <= 599 ? type : NULL;
		}
		if (strcmp(name, type->name) == 0) {
			*ret_status = type->status;
			return type;
		}
	}
	return NULL;
}

/* One of some words, as its place in the list. */
static bool set_word(const char *key, const char *value, const char *const *words, size_t count,
	size_t *ret_place, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret_place = i;
			return true;
		}
	}
	return error_set(err, "%s cannot be \"%s\"", key, value);
}

static bool set_text(struct fault *fault, unsigned int key, const char *value, struct error *err)
{
	static const char *const bodies[] = {"json", "html"};
	static const char *const framings[] = {"length", "chunked", "close"};
	size_t place = 0;

	if (strpbrk(value, "\r\n") != NULL)
		return error_set(err, "a line break is not allowed");
	switch (key) {
	case KEY_MATCH:
		fault->match = value;
		return true;
	case KEY_RETRY_AFTER:
		fault->retry_after = value;
		return true;
	case KEY_LOCATION:
		fault->location = value;
		return true;
	case KEY_TEXT:
		fault->text = value;
		return true;
	case KEY_BODY:
		if (!set_word("body", value, bodies, array_length(bodies), &place, err))
			return false;
		fault->html = place == 1;
		return true;
	default:
		if (!set_word("framing", value, framings, array_length(framings), &place, err))
			return false;
		fault->framing = (enum fault_framing)place;
		return true;
	}
}

static bool set_number(struct fault *fault, unsigned int key, json_object *value, struct error *err)
{
	int64_t integer = json_object_get_int64(value);
	double number = json_object_get_double(value);

	if (key == KEY_PERCENT) {
		if (!(number >= 0 && number <= 100))
			return error_set(err, "percent is not between 0 and 100");
		fault->percent = number;
		return true;
	}
	if (integer < 0 || integer > INT64_C(1) << 40)
		return error_set(err, "a number is negative or too large");
	if (key == KEY_COUNT)
		fault->left = integer;
	else if (key == KEY_BYTES)
		fault->bytes = integer;
	else
		fault->ms = integer;
	return true;
}

static bool set_key(struct fault *fault, const char *name, json_object *value, struct error *err)
{
	if (strcmp(name, "name") == 0 || strcmp(name, "left") == 0)
		return true;
	const struct fault_key *key = find_key(name);
	if (key == NULL)
		return error_set(err, "there is no key \"%s\"", name);
	if (((fault->type->keys | KEYS_OF_ALL) & key->bit) == 0)
		return error_set(err, "it takes no key \"%s\"", name);

	enum json_type type = json_object_get_type(value);
	if (key->type == json_type_string) {
		/* A Retry-After of so many seconds may be written as a number. */
		if (type == json_type_string || type == json_type_int)
			return set_text(fault, key->bit, json_object_get_string(value), err);
		return error_set(err, "the key \"%s\" takes text", name);
	}
	if (type == json_type_int || (type == json_type_double && key->type == json_type_double))
		return set_number(fault, key->bit, value, err);
	return error_set(err, "the key \"%s\" takes a number", name);
}

static bool read_fault(struct fault *fault, json_object *source, struct error *err)
{
	json_object *name = NULL;

	if (!json_object_is_type(source, json_type_object) ||
		!json_object_object_get_ex(source, "name", &name) ||
		!json_object_is_type(name, json_type_string))
		return error_set(err, "a fault needs a name");
	fault->name = json_object_get_string(name);
	fault->type = find_type(fault->name, &fault->status);
	if (fault->type == NULL)
		return error_set(err, "there is no fault \"%s\"", fault->name);
	fault->kind = fault->type->kind;
	fault->percent = 100;
	fault->left = -1;
	fault->text = fault->type->text;
	fault->bytes = fault->type->bytes;
	fault->ms = fault->type->ms;
	json_object_object_foreach(source, key, value)
	{
		if (!set_key(fault, key, value, err))
			return error_prefix(err, "fault \"%s\"", fault->name);
	}
	if (fault->kind == FAULT_PADDED && fault->bytes > PADDING_MAX)
		return error_set(err, "fault \"%s\": at most %d bytes", fault->name, PADDING_MAX);
	return true;
}

bool faults_add_json(struct faults *faults, json_object *object, struct error *err)
{
	CLEANUP(put_object) json_object *source = NULL;
	struct fault fault = {0};

	/* A copy, so that nobody changes the texts that the fault points to. */
	if (object != NULL && json_object_deep_copy(object, &source, NULL) != 0)
		return error_memory(err);
	if (!read_fault(&fault, source, err))
		return false;
	struct entry *entries =
		realloc(faults->entries, (faults->count + 1) * sizeof(struct entry));
	if (entries == NULL)
		return error_memory(err);
	faults->entries = entries;
	entries[faults->count++] = (struct entry){take_pointer(source), fault};
	return true;
}

/* Where the next ":key=" begins. A colon before anything else belongs to the value, as in a URL. */
static const char *next_key(const char *text)
{
	for (; *text != '\0'; text++) {
		size_t name = *text == ':' ? strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
		if (name > 0 && text[1 + name] == '=')
			break;
	}
	return text;
}

static json_object *value_from_text(const struct fault_key *key, const char *text)
{
	char *end = NULL;

	if (key == NULL || key->type == json_type_string)
		return json_object_new_string(text);
	errno = 0;
	double number = strtod(text, &end);
	bool whole = errno == 0 && end != text && *end == '\0';
	if (!whole)
		return json_object_new_string(text);
	if (key->type == json_type_int && number == (double)(int64_t)number)
		return json_object_new_int64((int64_t)number);
	return json_object_new_double(number);
}

/* Adds a member that comes as text; what the text should be is checked with the JSON. */
static bool add_member(json_object *object, const char *name, const char *text)
{
	json_object *value = value_from_text(find_key(name), text);
	return value != NULL && json_object_object_add(object, name, value) == 0;
}

/* Cuts "NAME[=PERCENT]" or "KEY=VALUE" in two and adds it. */
static bool add_piece(json_object *object, const char *piece, size_t length, bool first)
{
	CLEANUP(free_pointer) char *text = strndup(piece, length);
	if (text == NULL)
		return false;
	char *value = strchr(text, '=');
	if (value != NULL)
		*value++ = '\0';
	if (!first)
		return add_member(object, text, value);
	return add_member(object, "name", text) &&
	       (value == NULL || add_member(object, "percent", value));
}

bool faults_add_text(struct faults *faults, const char *text, struct error *err)
{
	CLEANUP(put_object) json_object *object = json_object_new_object();
	const char *at = text;
	const char *end = next_key(text);

	if (object == NULL || !add_piece(object, at, (size_t)(end - at), true))
		return error_memory(err);
	while (*end != '\0') {
		at = end + 1;
		end = next_key(at);
		if (!add_piece(object, at, (size_t)(end - at), false))
			return error_memory(err);
	}
	return faults_add_json(faults, object, err);
}

const struct fault *faults_pick(struct faults *faults, const struct identity *identity, double draw)
{
	for (size_t i = 0; i < faults->count; i++) {
		struct fault *fault = &faults->entries[i].fault;
		if (fault->left == 0 ||
			(fault->match != NULL && !identity_begins_with(identity, fault->match)))
			continue;
		if (draw >= fault->percent) {
			draw -= fault->percent;
			continue;
		}
		if (fault->left > 0)
			fault->left--;
		return fault;
	}
	return NULL;
}

json_object *faults_to_json(const struct faults *faults)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < faults->count; i++) {
		const struct entry *entry = &faults->entries[i];
		json_object *copy = NULL;
		if (json_object_deep_copy(entry->source, &copy, NULL) != 0)
			break;
		if (entry->fault.left >= 0)
			json_object_object_add(
				copy, "left", json_object_new_int64(entry->fault.left));
		json_object_array_add(list, copy);
	}
	return list;
}

const char *fault_name(size_t index)
{
	return index < fault_type_count ? fault_types[index].name : NULL;
}

void faults_help(struct buffer *help)
{
	for (size_t i = 0; i < fault_type_count; i++) {
		const struct fault_type *type = &fault_types[i];
		const char *name = type->kind == FAULT_STATUS ? "status_STATUS" : type->name;
		buffer_append_format(
			help, "  %-19s  %s", name, type->help == NULL ? "the same" : type->help);
		const char *before = "; keys ";
		for (size_t j = 0; j < fault_key_count; j++) {
			if ((type->keys & fault_keys[j].bit) == 0)
				continue;
			buffer_append_format(help, "%s%s", before, fault_keys[j].name);
			before = ", ";
		}
		buffer_append_text(help, "\n");
	}
	buffer_append_text(help, "\nKeys of a fault; all take the first three:\n");
	for (size_t j = 0; j < fault_key_count; j++)
		buffer_append_format(help, "  %-19s  %s\n", fault_keys[j].name, fault_keys[j].help);
}
