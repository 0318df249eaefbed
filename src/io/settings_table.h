/*
 * The table of all settings: the one source for reading, showing and describing them.
 */
#ifndef IO_SETTINGS_TABLE_H
#define IO_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SETTINGS_ENVIRONMENT_PREFIX "CARE360_LOOKUP_"
#define SETTINGS_NAME_MAX           128 /* bytes of a setting's or variable's name, with its zero */

enum setting_type {
	SETTING_TEXT,       /* char * */
	SETTING_LIST,       /* struct text_list */
	SETTING_INTEGER,    /* int */
	SETTING_INTEGER_64, /* int64_t */
	SETTING_BOOLEAN,    /* bool */
	SETTING_CHOICE,     /* int: the position in `choices` */
	SETTING_PROPERTIES, /* struct property_list */
};

enum setting_flags {
	SETTING_MAY_BE_EMPTY = 1,   /* "" stands for something */
	SETTING_RELOADABLE = 2,     /* SIGHUP changes it; INTEGER, BOOLEAN and CHOICE alone */
	SETTING_HIDES_PASSWORD = 4, /* a URL that may hold one: masked, and refused by --set */
};

struct setting {
	const char *name; /* "kafka.brokers"; the member of struct settings has the
			     same path */
	enum setting_type type;
	unsigned flags;
	size_t offset;            /* in struct settings */
	const char *default_text; /* written as for --set */
	int64_t minimum;          /* INTEGER, INTEGER_64 */
	int64_t maximum;
	const char *unit;           /* NULL: none */
	const char *const *choices; /* CHOICE: the names, NULL at the end */

	/* TEXT, and each item of a LIST: whether it may be so; the error says what it must be.
	 * Not asked for "". */
	bool (*check)(const char *text, struct error *err);
	const char *meaning; /* a sentence without its full stop; further ones follow
				"; " or ". " */
};

/* All settings, in the order in which they are shown. */
extern const struct setting settings_table[];
extern const size_t settings_table_length;

#define SETTINGS_TABLE_MAX 64 /* at least settings_table_length */

/* The bytes of the member that a setting of a type without memory of its own stands for. */
size_t setting_size(const struct setting *setting);

/* The setting of a name, or NULL. */
const struct setting *setting_find(const char *name);

/*
 * The property group that a name such as kafka.client.socket_keepalive_enable lies in, and where
 * the property's name begins; or NULL.
 */
const struct setting *setting_find_group(const char *name, const char **ret_property);

/* Whether some setting lies in the group: "kafka", "kafka.security". */
bool setting_group_exists(const char *group);

/* CARE360_LOOKUP_KAFKA_BROKERS for kafka.brokers. */
void setting_variable(const char *name, char ret_variable[static SETTINGS_NAME_MAX]);

/* The known name that is nearest to a wrong one, or NULL where none is near. */
const char *setting_nearest(const char *name);

/* The same for a variable; the answer is the setting. */
const struct setting *setting_nearest_variable(const char *variable);

#endif
