#include "settings_store.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/spelling.h"
#include "settings_check.h"

#define TEXT_MAX 4096 /* bytes of one value */

void *store_member(struct settings_store *store, const struct setting *setting)
{
	return (char *)&store->settings + setting->offset;
}

static size_t index_of(const struct setting *setting)
{
	return (size_t)(setting - settings_table);
}

struct setting_place store_place(const struct settings_store *store, const char *name)
{
	const struct setting *setting = setting_find(name);
	return setting == NULL ? (struct setting_place){0} : store->places[index_of(setting)];
}

bool store_refused(const struct settings_store *store, const char *name)
{
	const struct setting *setting = setting_find(name);
	return setting != NULL && store->wrong[index_of(setting)];
}

static void list_fini(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){0};
}

static void properties_fini(struct property_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].name);
		free(list->items[i].value);
	}
	free(list->items);
	*list = (struct property_list){0};
}

static void wipe_and_free(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void value_fini(struct settings_store *store, const struct setting *setting)
{
	void *member = store_member(store, setting);
	if (setting->type == SETTING_TEXT)
		wipe_and_free(*(char **)member);
	else if (setting->type == SETTING_LIST)
		list_fini(member);
	else if (setting->type == SETTING_PROPERTIES)
		properties_fini(member);
}

void store_free(struct settings_store *store)
{
	if (store == NULL)
		return;
	for (size_t i = 0; i < settings_table_length; i++) {
		value_fini(store, &settings_table[i]);
		free(store->property_places[i]);
	}
	for (size_t i = 0; i < store->finding_count; i++)
		free(store->findings[i].finding.text);
	free(store->findings);
	free(store->file);
	free(store);
}

static void free_store(struct settings_store **store)
{
	store_free(*store);
}

struct settings_store *store_new(const char *file)
{
	CLEANUP(free_store)
	struct settings_store *store = mem_new(struct settings_store);
	if (store == NULL)
		return NULL;
	if (file != NULL) {
		store->file = strdup(file);
		if (store->file == NULL)
			return NULL;
	}
	struct setting_place nowhere = {.origin = ORIGIN_DEFAULT};
	for (size_t i = 0; i < settings_table_length; i++)
		if (settings_table[i].type != SETTING_PROPERTIES)
			store_set(
				store, &settings_table[i], nowhere, settings_table[i].default_text);
	return store->out_of_memory ? NULL : take_pointer(store);
}

static void write_place(struct settings_store *store, struct setting_place place, const char *name,
	struct buffer *text)
{
	char variable[SETTINGS_NAME_MAX];
	switch (place.origin) {
	case ORIGIN_FILE:
		buffer_append_format(text, "%s:%d: ", store->file, place.line);
		if (name != NULL)
			buffer_append_format(text, "%s: ", name);
		break;
	case ORIGIN_ENVIRONMENT:
		if (strncmp(name, SETTINGS_ENVIRONMENT_PREFIX,
			    strlen(SETTINGS_ENVIRONMENT_PREFIX)) == 0)
			snprintf(variable, sizeof(variable), "%s", name);
		else
			setting_variable(name, variable);
		buffer_append_format(text, "environment: %s: ", variable);
		break;
	case ORIGIN_COMMAND_LINE:
		buffer_append_format(text, "--set %s: ", name);
		break;
	case ORIGIN_DEFAULT:
		buffer_append_format(text, "%s: ", name);
		break;
	}
}

/* A line break in a name or a value must not make a finding look like two. */
static void show_controls(struct buffer *text)
{
	for (size_t i = 0; i < text->length; i++)
		if (iscntrl((unsigned char)text->data[i]))
			text->data[i] = '?';
}

__attribute__((format(printf, 5, 0))) static void add_finding(struct settings_store *store,
	bool warning, struct setting_place place, const char *name, const char *format,
	va_list args)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	char sentence[ERROR_TEXT_SIZE];
	vsnprintf(sentence, sizeof(sentence), format, args);
	write_place(store, place, name, &text);
	if (warning)
		buffer_append_text(&text, "warning: ");
	buffer_append_text(&text, sentence);
	show_controls(&text);

	struct placed_finding *findings =
		reallocarray(store->findings, store->finding_count + 1, sizeof(*findings));
	if (findings != NULL)
		store->findings = findings;
	char *copy = text.failed ? NULL : strdup(buffer_text(&text));
	if (findings == NULL || copy == NULL) {
		free(copy);
		store->out_of_memory = true;
		return;
	}
	findings[store->finding_count] = (struct placed_finding){
		place, store->finding_count, {.warning = warning, .text = copy}};
	store->finding_count++;
	store->mistakes += !warning;
}

void store_mistake(struct settings_store *store, struct setting_place place, const char *name,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_finding(store, false, place, name, format, args);
	va_end(args);
	const struct setting *setting = name == NULL ? NULL : setting_find(name);
	if (setting != NULL)
		store->wrong[index_of(setting)] = true;
}

void store_warning(struct settings_store *store, struct setting_place place, const char *name,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_finding(store, true, place, name, format, args);
	va_end(args);
}

static int compare_findings(const void *a, const void *b)
{
	const struct placed_finding *first = a;
	const struct placed_finding *second = b;
	if (first->place.origin != second->place.origin)
		return first->place.origin < second->place.origin ? -1 : 1;
	if (first->place.line != second->place.line)
		return first->place.line < second->place.line ? -1 : 1;
	return first->number < second->number ? -1 : 1;
}

void store_take_findings(struct settings_store *store, struct settings_report *ret_report)
{
	if (store->finding_count == 0)
		return;
	ret_report->findings = mem_new_array(struct settings_finding, store->finding_count);
	if (ret_report->findings == NULL) {
		store->out_of_memory = true;
		return;
	}
	qsort(store->findings, store->finding_count, sizeof(*store->findings), compare_findings);
	for (size_t i = 0; i < store->finding_count; i++) {
		ret_report->findings[i] = store->findings[i].finding;
		store->findings[i].finding.text = NULL;
	}
	ret_report->count = store->finding_count;
}

/* What every text must be, whatever it means. */
static bool text_valid(const struct setting *setting, const char *text, struct error *err)
{
	if (text[0] == '\0' && !(setting->flags & SETTING_MAY_BE_EMPTY))
		return error_set(err, "must not be empty");
	if (strlen(text) > TEXT_MAX)
		return error_set(err, "is longer than %d bytes", TEXT_MAX);
	for (const char *c = text; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			return error_set(
				err, "holds a line break, a tab or another control character");
	return text[0] == '\0' || setting->check == NULL || setting->check(text, err);
}

static void came_from(
	struct settings_store *store, const struct setting *setting, struct setting_place place)
{
	store->places[index_of(setting)] = place;
}

void store_set_text(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text)
{
	struct error err = {0};
	if (!text_valid(setting, text, &err)) {
		store_mistake(store, place, setting->name, "%s", err.text);
		return;
	}
	char *copy = strdup(text);
	if (copy == NULL) {
		store->out_of_memory = true;
		return;
	}
	value_fini(store, setting);
	*(char **)store_member(store, setting) = copy;
	came_from(store, setting, place);
}

static bool list_valid(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *const *items, size_t count)
{
	struct error err = {0};
	bool valid = true;
	if (count == 0 && !(setting->flags & SETTING_MAY_BE_EMPTY)) {
		store_mistake(store, place, setting->name, "must hold at least one text");
		valid = false;
	}
	for (size_t i = 0; i < count; i++) {
		if (items[i][0] == '\0' || !text_valid(setting, items[i], &err)) {
			store_mistake(store, place, setting->name, "item %zu: %s", i + 1,
				items[i][0] == '\0' ? "must not be empty" : err.text);
			valid = false;
		}
		for (size_t j = 0; j < i; j++)
			if (strcmp(items[i], items[j]) == 0) {
				store_mistake(
					store, place, setting->name, "%s is in it twice", items[i]);
				valid = false;
			}
	}
	return valid;
}

static bool list_copy(struct text_list *list, const char *const *items, size_t count)
{
	list->items = mem_new_array(char *, count + 1);
	while (list->items != NULL && list->count < count) {
		list->items[list->count] = strdup(items[list->count]);
		if (list->items[list->count] == NULL)
			return false;
		list->count++;
	}
	return list->items != NULL;
}

void store_set_list(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *const *items, size_t count)
{
	if (!list_valid(store, setting, place, items, count))
		return;
	struct text_list list = {0};
	if (!list_copy(&list, items, count)) {
		list_fini(&list);
		store->out_of_memory = true;
		return;
	}
	value_fini(store, setting);
	*(struct text_list *)store_member(store, setting) = list;
	came_from(store, setting, place);
}

static const char *unit_text(const struct setting *setting)
{
	return setting->unit == NULL ? "" : setting->unit;
}

void store_set_integer(struct settings_store *store, const struct setting *setting,
	struct setting_place place, int64_t value)
{
	/* Integers that do not fit in 64 bits come as the largest or smallest that does. */
	if (value < setting->minimum || value > setting->maximum) {
		const char *gap = setting->unit == NULL ? "" : " ";
		store_mistake(store, place, setting->name,
			"is too %s; allowed: %" PRId64 " to %" PRId64 "%s%s",
			value < setting->minimum ? "small" : "large", setting->minimum,
			setting->maximum, gap, unit_text(setting));
		return;
	}
	void *member = store_member(store, setting);
	if (setting->type == SETTING_INTEGER_64)
		*(int64_t *)member = value;
	else
		*(int *)member = (int)value;
	came_from(store, setting, place);
}

void store_set_boolean(struct settings_store *store, const struct setting *setting,
	struct setting_place place, bool value)
{
	*(bool *)store_member(store, setting) = value;
	came_from(store, setting, place);
}

void store_set_choice(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text)
{
	CLEANUP(buffer_fini) struct buffer allowed = {0};
	const char *nearest = NULL;
	size_t best = spelling_near(text) + 1;
	for (int i = 0; setting->choices[i] != NULL; i++) {
		size_t distance = spelling_distance(text, setting->choices[i]);
		if (strcmp(setting->choices[i], text) == 0) {
			*(int *)store_member(store, setting) = i;
			came_from(store, setting, place);
			return;
		}
		if (distance < best) {
			best = distance;
			nearest = setting->choices[i];
		}
		buffer_append_format(&allowed, "%s%s", i > 0 ? ", " : "", setting->choices[i]);
	}
	if (nearest == NULL)
		store_mistake(store, place, setting->name, "no such choice; allowed: %s",
			buffer_text(&allowed));
	else
		store_mistake(store, place, setting->name,
			"no such choice; did you mean %s? (allowed: %s)", nearest,
			buffer_text(&allowed));
}

/* The place of a property in its list, which is made where there is none yet; NULL: out of
 * memory. */
static struct property *property_slot(struct settings_store *store, const struct setting *group,
	const char *name, struct setting_place **ret_place)
{
	struct property_list *list = store_member(store, group);
	struct setting_place **places = &store->property_places[index_of(group)];
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0) {
			*ret_place = &(*places)[i];
			return &list->items[i];
		}
	struct property *items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (items == NULL)
		return NULL;
	list->items = items;
	struct setting_place *grown = reallocarray(*places, list->count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	*places = grown;
	CLEANUP(free_pointer) char *copy = strdup(name);
	char *nothing = strdup("");
	if (copy == NULL || nothing == NULL) {
		free(nothing);
		return NULL;
	}
	*ret_place = &grown[list->count];
	items[list->count] = (struct property){.name = take_pointer(copy), .value = nothing};
	return &items[list->count++];
}

void store_set_property(struct settings_store *store, const struct setting *group,
	struct setting_place place, const char *property, const char *value)
{
	char full[SETTINGS_NAME_MAX];
	char name[SETTINGS_NAME_MAX];
	struct error err = {0};
	snprintf(full, sizeof(full), "%s.%s", group->name, property);
	snprintf(name, sizeof(name), "%s", property);
	for (char *c = name; *c != '\0'; c++)
		*c = (char)(*c == '_' ? '.' : *c);
	if (strlen(group->name) + 1 + strlen(property) >= sizeof(full)) {
		store_mistake(store, place, full, "no property has such a long name");
		return;
	}
	static const struct setting any_text = {.flags = SETTING_MAY_BE_EMPTY};
	if (!check_property(name, &err) || !text_valid(&any_text, value, &err)) {
		store_mistake(store, place, full, "%s", err.text);
		return;
	}
	struct setting_place *slot_place = NULL;
	struct property *slot = property_slot(store, group, name, &slot_place);
	char *copy = slot == NULL ? NULL : strdup(value);
	if (copy == NULL) {
		store->out_of_memory = true;
		return;
	}
	free(slot->value);
	slot->value = copy;
	*slot_place = place;
}

static void set_list_from_text(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text)
{
	CLEANUP(free_pointer) char *copy = strdup(text);
	CLEANUP(free_pointer)
	const char **items = mem_new_array(const char *, strlen(text) + 1);
	if (copy == NULL || items == NULL) {
		store->out_of_memory = true;
		return;
	}
	size_t count = 0;
	char *rest = copy;
	while (text[0] != '\0' && rest != NULL) {
		char *item = strsep(&rest, ",");
		item += strspn(item, " ");
		size_t length = strlen(item);
		while (length > 0 && item[length - 1] == ' ')
			item[--length] = '\0';
		items[count++] = item;
	}
	store_set_list(store, setting, place, items, count);
}

static void set_integer_from_text(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text)
{
	char *end = NULL;
	bool number = isdigit((unsigned char)text[0]) ||
		      (text[0] == '-' && isdigit((unsigned char)text[1]));
	/* What does not fit becomes the largest or smallest, which no setting allows.
	 */
	long long value = number ? strtoll(text, &end, 10) : 0;
	if (number && *end == '\0')
		store_set_integer(store, setting, place, value);
	else
		store_mistake(store, place, setting->name,
			"must be a whole number from %" PRId64 " to %" PRId64, setting->minimum,
			setting->maximum);
}

void store_set(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text)
{
	switch (setting->type) {
	case SETTING_TEXT:
		store_set_text(store, setting, place, text);
		break;
	case SETTING_LIST:
		set_list_from_text(store, setting, place, text);
		break;
	case SETTING_INTEGER:
	case SETTING_INTEGER_64:
		set_integer_from_text(store, setting, place, text);
		break;
	case SETTING_BOOLEAN:
		if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
			store_set_boolean(store, setting, place, text[0] == 't');
		else
			store_mistake(store, place, setting->name, "must be true or false");
		break;
	case SETTING_CHOICE:
		store_set_choice(store, setting, place, text);
		break;
	case SETTING_PROPERTIES:
		store_mistake(store, place, setting->name,
			"is a group of librdkafka properties; name one, such as "
			"%s.socket_keepalive_enable",
			setting->name);
		break;
	}
}
