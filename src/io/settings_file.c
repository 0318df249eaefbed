#include "settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "settings_text.h"

#define FILE_MAX ((size_t)1024 * 1024)

static void close_file(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

/* Reads the whole file. `missing` where there is none, which may be fine. */
static bool read_whole(
	const char *path, struct buffer *ret_text, bool *ret_missing, struct error *err)
{
	/* A FIFO that nobody writes to must not hold us up. */
	CLEANUP(close_file) int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*ret_missing = file < 0 && errno == ENOENT;
	if (*ret_missing)
		return error_set(err, "there is no such file");
	struct stat status;
	if (file < 0 || fstat(file, &status) != 0)
		return error_system(err, errno, "cannot be read");
	if (S_ISDIR(status.st_mode))
		return error_set(err, "is a directory; name a file in it");
	if (status.st_size > (off_t)FILE_MAX)
		return error_set(err, "is larger than 1 MiB; is it the right file?");
	char part[4096];
	ssize_t length = 0;
	while ((length = read(file, part, sizeof(part))) > 0 && ret_text->length <= FILE_MAX)
		buffer_append(ret_text, part, (size_t)length);
	if (length < 0)
		return error_system(err, errno, "cannot be read");
	if (length > 0)
		return error_set(err, "is larger than 1 MiB; is it the right file?");
	return true;
}

static struct setting_place place_of(const config_setting_t *node)
{
	return (struct setting_place){
		.origin = ORIGIN_FILE, .line = (int)config_setting_source_line(node)};
}

static const char *kind_of(const config_setting_t *node)
{
	switch (config_setting_type(node)) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	case CONFIG_TYPE_STRING:
		return "a text";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	default:
		return "a list";
	}
}

static void wrong_type(struct settings_store *store, const char *name, const config_setting_t *node,
	const char *wanted)
{
	store_mistake(store, place_of(node), name, "must be %s, not %s", wanted, kind_of(node));
}

static bool is_integer(const config_setting_t *node)
{
	int type = config_setting_type(node);
	return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static bool is_text(const config_setting_t *node)
{
	return config_setting_type(node) == CONFIG_TYPE_STRING;
}

static void read_list(
	struct settings_store *store, const struct setting *setting, const config_setting_t *node)
{
	if (!config_setting_is_array(node) && !config_setting_is_list(node)) {
		wrong_type(store, setting->name, node, "a list of texts such as [\"a\", \"b\"]");
		return;
	}
	size_t count = (size_t)config_setting_length(node);
	CLEANUP(free_pointer)
	const char **items = mem_new_array(const char *, count + 1);
	if (items == NULL) {
		store->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *item = config_setting_get_elem(node, (unsigned)i);
		if (!is_text(item)) {
			store_mistake(store, place_of(item), setting->name,
				"item %zu must be a text in double quotes, not %s", i + 1,
				kind_of(item));
			return;
		}
		items[i] = config_setting_get_string(item);
	}
	store_set_list(store, setting, place_of(node), items, count);
}

/* A property of librdkafka, which takes any value as text. */
static void read_property(
	struct settings_store *store, const struct setting *group, const config_setting_t *node)
{
	char name[SETTINGS_NAME_MAX];
	snprintf(name, sizeof(name), "%s.%s", group->name, config_setting_name(node));
	char number[32];
	const char *value = number;
	if (is_text(node)) {
		value = config_setting_get_string(node);
	} else if (is_integer(node)) {
		snprintf(number, sizeof(number), "%lld", config_setting_get_int64(node));
	} else if (config_setting_type(node) == CONFIG_TYPE_BOOL) {
		value = config_setting_get_bool(node) ? "true" : "false";
	} else {
		wrong_type(store, name, node, "a text, a whole number, true or false");
		return;
	}
	store_set_property(store, group, place_of(node), config_setting_name(node), value);
}

static void read_properties(
	struct settings_store *store, const struct setting *group, const config_setting_t *node)
{
	if (!config_setting_is_group(node)) {
		wrong_type(store, group->name, node,
			"a group such as { socket_keepalive_enable = true; }");
		return;
	}
	for (int i = 0; i < config_setting_length(node); i++) {
		const config_setting_t *member = config_setting_get_elem(node, (unsigned)i);
		if (config_setting_name(member)[0] != SETTINGS_TEXT_SKIP)
			read_property(store, group, member);
	}
}

static void read_value(
	struct settings_store *store, const struct setting *setting, const config_setting_t *node)
{
	struct setting_place place = place_of(node);
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_CHOICE:
		if (!is_text(node))
			wrong_type(store, setting->name, node, "a text in double quotes");
		else
			store_set(store, setting, place, config_setting_get_string(node));
		break;
	case SETTING_INTEGER:
	case SETTING_INTEGER_64:
		if (!is_integer(node))
			wrong_type(store, setting->name, node, "a whole number");
		else
			store_set_integer(store, setting, place, config_setting_get_int64(node));
		break;
	case SETTING_BOOLEAN:
		if (config_setting_type(node) != CONFIG_TYPE_BOOL)
			wrong_type(store, setting->name, node, "true or false");
		else
			store_set_boolean(store, setting, place, config_setting_get_bool(node));
		break;
	case SETTING_LIST:
		read_list(store, setting, node);
		break;
	case SETTING_PROPERTIES:
		read_properties(store, setting, node);
		break;
	}
}

static void unknown_name(
	struct settings_store *store, const char *name, const config_setting_t *node)
{
	const char *nearest = setting_nearest(name);
	const char *what = config_setting_is_group(node) ? "group of settings" : "setting";
	if (nearest != NULL)
		store_mistake(
			store, place_of(node), name, "no such %s; did you mean %s?", what, nearest);
	else
		store_mistake(store, place_of(node), name, "no such %s", what);
}

/* Each member of a group; groups in groups are not deeper than the pass over the text allows. */
static void read_group( // NOLINT(misc-no-recursion)
	struct settings_store *store, const config_setting_t *group, const char *prefix)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *node = config_setting_get_elem(group, (unsigned)i);
		const char *own = config_setting_name(node);
		/* Without a type: libconfig gave up at its value, and says so itself. */
		if (own[0] == SETTINGS_TEXT_SKIP || config_setting_type(node) == CONFIG_TYPE_NONE)
			continue;
		char name[SETTINGS_NAME_MAX];
		snprintf(name, sizeof(name), "%s%s", prefix, own);
		const struct setting *setting = setting_find(name);
		if (setting != NULL) {
			read_value(store, setting, node);
		} else if (!setting_group_exists(name)) {
			unknown_name(store, name, node);
		} else if (!config_setting_is_group(node)) {
			wrong_type(store, name, node, "a group { ... }");
		} else {
			char inner[SETTINGS_NAME_MAX + 1];
			snprintf(inner, sizeof(inner), "%s.", name);
			read_group(store, node, inner);
		}
	}
}

static void report_libconfig(struct settings_store *store, const config_t *config)
{
	struct setting_place place = {.origin = ORIGIN_FILE, .line = config_error_line(config)};
	const char *text = config_error_text(config);
	if (text != NULL && strcmp(text, "syntax error") == 0)
		store_mistake(store, place, NULL,
			"cannot be understood, on this line or the one before; settings are "
			"written name = value; and groups name = { ... };");
	else if (text != NULL && strstr(text, "element type") != NULL)
		store_mistake(store, place, NULL, "all values in [ ] must be of one type");
	else
		store_mistake(store, place, NULL, "%s", text == NULL ? "cannot be read" : text);
}

void settings_file_read(struct settings_store *store, bool may_be_missing)
{
	CLEANUP(buffer_fini) struct buffer text = {0};
	CLEANUP(buffer_fini) struct buffer prepared = {0};
	struct error err = {0};
	bool missing = false;
	bool explained = false;
	if (!read_whole(store->file, &text, &missing, &err)) {
		if (!missing || !may_be_missing)
			store_mistake(store, (struct setting_place){.origin = ORIGIN_DEFAULT},
				store->file, "%s", err.text);
		store->cut_short = !missing;
		return;
	}
	if (text.failed) {
		store->out_of_memory = true;
		return;
	}
	store->cut_short = true;
	if (!settings_text_prepare(store, buffer_bytes(&text), &prepared, &explained))
		return;
	CLEANUP(config_destroy) config_t config;
	config_init(&config);
	bool whole = config_read_string(&config, buffer_text(&prepared)) == CONFIG_TRUE;
	if (prepared.failed) {
		store->out_of_memory = true;
		return;
	}
	read_group(store, config_root_setting(&config), "");
	store->cut_short = !whole;
	if (!whole && !explained)
		report_libconfig(store, &config);
}
