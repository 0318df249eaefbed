#include "io/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "settings_check.h"
#include "settings_file.h"
#include "settings_store.h"

static void free_store(struct settings_store **store)
{
	store_free(*store);
}

/* Environment */

/* What Kubernetes sets for a Service named care360-lookup: ..._SERVICE_HOST,
 * ..._PORT_8080_TCP_ADDR. */
static bool made_by_kubernetes(const char *rest)
{
	return strcmp(rest, "SERVICE_HOST") == 0 || strncmp(rest, "SERVICE_PORT", 12) == 0 ||
	       strcmp(rest, "PORT") == 0 || strncmp(rest, "PORT_", 5) == 0;
}

/* CARE360_LOOKUP_KAFKA_CLIENT_SOCKET_TIMEOUT_MS: whether it names a property in a group. */
static bool read_property_variable(
	struct settings_store *store, const char *variable, const char *value)
{
	struct setting_place place = {.origin = ORIGIN_ENVIRONMENT};
	for (size_t i = 0; i < settings_table_length; i++) {
		if (settings_table[i].type != SETTING_PROPERTIES)
			continue;
		char group[SETTINGS_NAME_MAX];
		setting_variable(settings_table[i].name, group);
		size_t length = strlen(group);
		if (strncmp(variable, group, length) != 0 || variable[length] != '_' ||
			variable[length + 1] == '\0')
			continue;
		char property[SETTINGS_NAME_MAX];
		snprintf(property, sizeof(property), "%s", variable + length + 1);
		for (char *c = property; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		store_set_property(store, &settings_table[i], place, property, value);
		return true;
	}
	return false;
}

static void read_variable(struct settings_store *store, const char *variable, const char *value)
{
	for (size_t i = 0; i < settings_table_length; i++) {
		char known[SETTINGS_NAME_MAX];
		setting_variable(settings_table[i].name, known);
		if (settings_table[i].type != SETTING_PROPERTIES && strcmp(known, variable) == 0) {
			struct setting_place place = {.origin = ORIGIN_ENVIRONMENT};
			store_set(store, &settings_table[i], place, value);
			return;
		}
	}
	if (read_property_variable(store, variable, value) ||
		made_by_kubernetes(variable + strlen(SETTINGS_ENVIRONMENT_PREFIX)))
		return;
	struct setting_place place = {.origin = ORIGIN_ENVIRONMENT};
	const struct setting *nearest = setting_nearest_variable(variable);
	if (nearest == NULL) {
		store_warning(store, place, variable, "no setting has this variable");
		return;
	}
	char known[SETTINGS_NAME_MAX];
	setting_variable(nearest->name, known);
	store_warning(
		store, place, variable, "no setting has this variable; did you mean %s?", known);
}

static void read_environment(struct settings_store *store, const char *const *environment)
{
	size_t length = strlen(SETTINGS_ENVIRONMENT_PREFIX);
	for (; environment != NULL && *environment != NULL; environment++) {
		const char *equals = strchr(*environment, '=');
		if (equals == NULL ||
			strncmp(*environment, SETTINGS_ENVIRONMENT_PREFIX, length) != 0)
			continue;
		size_t name_length = (size_t)(equals - *environment);
		if (name_length >= SETTINGS_NAME_MAX)
			continue; /* none of ours is so long */
		char variable[SETTINGS_NAME_MAX];
		memcpy(variable, *environment, name_length);
		variable[name_length] = '\0';
		read_variable(store, variable, equals + 1);
	}
}

/* --set */

static void refuse_name(struct settings_store *store, const char *name)
{
	struct setting_place place = {.origin = ORIGIN_COMMAND_LINE};
	const char *nearest = setting_nearest(name);
	if (setting_group_exists(name))
		store_mistake(store, place, name, "is a group of settings; name one of them");
	else if (nearest != NULL)
		store_mistake(store, place, name, "no such setting; did you mean %s?", nearest);
	else
		store_mistake(store, place, name, "no such setting");
}

/* No value is repeated in a mistake: it might be a secret. */
static void read_assignment(struct settings_store *store, const char *assignment)
{
	struct setting_place place = {.origin = ORIGIN_COMMAND_LINE};
	const char *equals = strchr(assignment, '=');
	char name[SETTINGS_NAME_MAX];
	size_t length = equals == NULL ? strlen(assignment) : (size_t)(equals - assignment);
	snprintf(name, sizeof(name), "%.*s",
		(int)(length < sizeof(name) ? length : sizeof(name) - 1), assignment);
	if (equals == NULL) {
		store_mistake(
			store, place, name, "must be NAME=VALUE, such as lookup.in_flight=64");
		return;
	}
	const struct setting *setting = setting_find(name);
	const char *property = NULL;
	const struct setting *group = setting_find_group(name, &property);
	if (group != NULL)
		store_set_property(store, group, place, property, equals + 1);
	else if (setting == NULL)
		refuse_name(store, name);
	else if ((setting->flags & SETTING_HIDES_PASSWORD) && strchr(equals, '@') != NULL)
		store_mistake(store, place, name,
			"holds a password, which everybody could read in the list of processes; "
			"set it in the file or the environment");
	else
		store_set(store, setting, place, equals + 1);
}

/* Loading */

/* The address goes out as it is with a path added, so slashes at its end go. */
static void strip_slashes(char *url)
{
	size_t length = strlen(url);
	while (length > 0 && url[length - 1] == '/')
		url[--length] = '\0';
}

struct settings *settings_load(const struct settings_sources *sources,
	struct settings_report *ret_report, struct error *err)
{
	*ret_report = (struct settings_report){0};
	CLEANUP(free_store) struct settings_store *store = store_new(sources->file);
	if (store == NULL) {
		error_memory(err);
		return NULL;
	}
	if (sources->file != NULL)
		settings_file_read(store, sources->file_may_be_missing);
	read_environment(store, sources->environment);
	for (size_t i = 0; i < sources->assignment_count; i++)
		read_assignment(store, sources->assignments[i]);
	check_together(store);
	strip_slashes(store->settings.care360.base_url);

	store_take_findings(store, ret_report);
	if (store->out_of_memory) {
		error_memory(err);
		return NULL;
	}
	if (store->mistakes > 0) {
		error_set(err, "%zu mistake%s in the configuration", store->mistakes,
			store->mistakes == 1 ? "" : "s");
		return NULL;
	}
	return &take_pointer(store)->settings;
}

void settings_free(struct settings *settings)
{
	store_free((struct settings_store *)settings);
}

void settings_report_fini(struct settings_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->findings[i].text);
	free(report->findings);
	*report = (struct settings_report){0};
}

const char *settings_base_url(const struct settings *settings)
{
	static const char *const urls[] = {
		[ENVIRONMENT_PRODUCTION] = "https://api.care360-next.carevalidate.com",
		[ENVIRONMENT_STAGING] = "https://api-staging.care360-next.carevalidate.com",
	};
	return settings->care360.base_url[0] != '\0' ? settings->care360.base_url
						     : urls[settings->care360.environment];
}
