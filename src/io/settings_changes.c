/* What differs between two loads, and what of it a running service can take over. */
#include "io/settings.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "settings_store.h"
#include "settings_write.h"

static bool lists_equal(const struct text_list *a, const struct text_list *b)
{
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = strcmp(a->items[i], b->items[i]) == 0;
	return equal;
}

static bool properties_equal(const struct property_list *a, const struct property_list *b)
{
	bool equal = a->count == b->count;
	for (size_t i = 0; equal && i < a->count; i++)
		equal = strcmp(a->items[i].name, b->items[i].name) == 0 &&
			strcmp(a->items[i].value, b->items[i].value) == 0;
	return equal;
}

static const void *member_of(const struct settings *settings, const struct setting *setting)
{
	return (const char *)settings + setting->offset;
}

static bool values_equal(
	const struct settings *a, const struct settings *b, const struct setting *setting)
{
	const void *first = member_of(a, setting);
	const void *second = member_of(b, setting);
	switch (setting->type) {
	case SETTING_TEXT:
		return strcmp(*(char *const *)first, *(char *const *)second) == 0;
	case SETTING_LIST:
		return lists_equal(first, second);
	case SETTING_PROPERTIES:
		return properties_equal(first, second);
	default:
		return memcmp(first, second, setting_size(setting)) == 0;
	}
}

/* Where the value of a row came from; of a group of properties, that of the first. */
static struct setting_place place_of_row(const struct settings_store *store, size_t row)
{
	const struct setting_place *properties = store->property_places[row];
	return properties == NULL ? store->places[row] : properties[0];
}

void settings_compare(const struct settings *before, const struct settings *after,
	settings_change_fn *found, void *context)
{
	/* settings_load() gives out nothing else. */
	const struct settings_store *store = (const struct settings_store *)after;
	for (size_t i = 0; i < settings_table_length; i++) {
		const struct setting *setting = &settings_table[i];
		if (values_equal(before, after, setting))
			continue;
		CLEANUP(buffer_fini) struct buffer from = {0};
		CLEANUP(buffer_fini) struct buffer to = {0};
		CLEANUP(buffer_fini) struct buffer place = {0};
		settings_append_value(&from, before, setting);
		settings_append_value(&to, after, setting);
		settings_append_origin(&place, store, place_of_row(store, i));
		const struct settings_change change = {
			.name = setting->name,
			.reloadable = (setting->flags & SETTING_RELOADABLE) != 0,
			.from = buffer_text(&from),
			.to = buffer_text(&to),
			.place = buffer_text(&place),
		};
		found(context, &change);
	}
}

void settings_take_reloadable(struct settings *settings, const struct settings *fresh)
{
	for (size_t i = 0; i < settings_table_length; i++) {
		const struct setting *setting = &settings_table[i];
		if (setting->flags & SETTING_RELOADABLE)
			memcpy((char *)settings + setting->offset, member_of(fresh, setting),
				setting_size(setting));
	}
}
