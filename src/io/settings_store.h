/*
 * Settings while they are loaded: values, where each came from, and what was found wrong.
 */
#ifndef IO_SETTINGS_STORE_H
#define IO_SETTINGS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/settings.h"
#include "settings_table.h"

/* Where a value came from; the later in the order wins. */
enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND_LINE };

struct setting_place {
	enum setting_origin origin;
	int line; /* ORIGIN_FILE */
};

struct placed_finding {
	struct setting_place place;
	size_t number; /* in the order in which they were found */
	struct settings_finding finding;
};

/* What a `struct settings *` of settings_load() really points to. */
struct settings_store {
	struct settings settings; /* first, so that one can be cast to the other */
	char *file;               /* NULL: none was read */
	struct setting_place places[SETTINGS_TABLE_MAX];
	struct setting_place
		*property_places[SETTINGS_TABLE_MAX]; /* of PROPERTIES, in their order */
	struct placed_finding *findings;              /* while loading */
	size_t finding_count;
	size_t mistakes;
	bool wrong[SETTINGS_TABLE_MAX]; /* a value given for it was refused */
	bool cut_short;                 /* the file could not be read to its end */
	bool out_of_memory;             /* looked at once, at the end */
};

/* Every setting at its default, from no file. NULL when out of memory. */
struct settings_store *store_new(const char *file);
void store_free(struct settings_store *store);

/*
 * Adds a mistake or a warning with its place in front: FILE:LINE, the variable, --set. `name` is
 * that of a setting, group or property; of a variable as it is, or of a file, where that is what
 * is wrong; or (ORIGIN_FILE) NULL.
 */
void store_mistake(struct settings_store *store, struct setting_place place, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void store_warning(struct settings_store *store, struct setting_place place, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Hands all findings out, in the order of the sources and of the file's lines. */
void store_take_findings(struct settings_store *store, struct settings_report *ret_report);

/* The member of struct settings that a setting stands for. */
void *store_member(struct settings_store *store, const struct setting *setting);

/* Whether a value given for a setting was refused, in any of the sources. */
bool store_refused(const struct settings_store *store, const char *name);

/* Where the value of a setting came from. */
struct setting_place store_place(const struct settings_store *store, const char *name);

/*
 * Each sets a value, or adds a mistake and leaves the former one. The value is right in its form
 * for the function, not yet for the setting.
 */
void store_set_text(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text);
void store_set_list(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *const *items, size_t count);
void store_set_integer(struct settings_store *store, const struct setting *setting,
	struct setting_place place, int64_t value);
void store_set_boolean(struct settings_store *store, const struct setting *setting,
	struct setting_place place, bool value);
void store_set_choice(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text);

/* Sets a librdkafka property, whose name may be written with _ or with dots. */
void store_set_property(struct settings_store *store, const struct setting *group,
	struct setting_place place, const char *property, const char *value);

/* Reads a value of any type but PROPERTIES from its text form: --set, environment, defaults. */
void store_set(struct settings_store *store, const struct setting *setting,
	struct setting_place place, const char *text);

#endif
