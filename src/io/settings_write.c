/* Settings as text: those in effect, the example file and the reference. */
#include "io/settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mdoc.h"
#include "base/mem.h"
#include "settings_store.h"
#include "settings_write.h"

#define LINE_WIDTH 100

/* Values, as the file has them */

static void append_quoted(struct buffer *out, const char *text, size_t length)
{
	buffer_append_text(out, "\"");
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buffer_append_text(out, "\\");
		buffer_append(out, text + i, 1);
	}
	buffer_append_text(out, "\"");
}

/* http://user:password@host:3128, masked: the user goes too. */
static void append_masked(struct buffer *out, const char *url)
{
	const char *at = strrchr(url, '@');
	const char *scheme = strstr(url, "://");
	CLEANUP(buffer_fini) struct buffer masked = {0};
	if (at != NULL) {
		if (scheme != NULL && scheme < at)
			buffer_append(&masked, url, (size_t)(scheme - url) + 3);
		buffer_append_text(&masked, "***");
		url = at;
	}
	buffer_append_text(&masked, url);
	append_quoted(out, buffer_text(&masked), masked.length);
}

static void append_list(struct buffer *out, const struct text_list *list)
{
	buffer_append_text(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		buffer_append_text(out, i > 0 ? ", " : "");
		append_quoted(out, list->items[i], strlen(list->items[i]));
	}
	buffer_append_text(out, "]");
}

void settings_append_value(
	struct buffer *out, const struct settings *settings, const struct setting *setting)
{
	const void *member = (const char *)settings + setting->offset;
	const char *text = NULL;
	switch (setting->type) {
	case SETTING_TEXT:
		text = *(char *const *)member;
		if (setting->flags & SETTING_HIDES_PASSWORD)
			append_masked(out, text);
		else
			append_quoted(out, text, strlen(text));
		break;
	case SETTING_LIST:
		append_list(out, member);
		break;
	case SETTING_INTEGER:
		buffer_append_format(out, "%d", *(const int *)member);
		break;
	case SETTING_INTEGER_64:
		buffer_append_format(out, "%" PRId64, *(const int64_t *)member);
		break;
	case SETTING_BOOLEAN:
		buffer_append_text(out, *(const bool *)member ? "true" : "false");
		break;
	case SETTING_CHOICE:
		text = setting->choices[*(const int *)member];
		append_quoted(out, text, strlen(text));
		break;
	case SETTING_PROPERTIES: /* its members are shown, a line each */
		buffer_append_text(out, "{ }");
		break;
	}
}

static void append_default(struct buffer *out, const struct setting *setting)
{
	const char *text = setting->default_text;
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_CHOICE:
		append_quoted(out, text, strlen(text));
		break;
	case SETTING_LIST:
		buffer_append_text(out, "[");
		for (size_t length = 0; *text != '\0'; text += length + (text[length] == ',')) {
			length = strcspn(text, ",");
			buffer_append_text(out, text > setting->default_text ? ", " : "");
			append_quoted(out, text, length);
		}
		buffer_append_text(out, "]");
		break;
	case SETTING_PROPERTIES:
		buffer_append_text(out, "{ }");
		break;
	default:
		buffer_append_text(out, text);
	}
}

/* What is in effect */

void settings_append_origin(
	struct buffer *out, const struct settings_store *store, struct setting_place place)
{
	switch (place.origin) {
	case ORIGIN_DEFAULT:
		buffer_append_text(out, "default");
		break;
	case ORIGIN_FILE:
		buffer_append_format(out, "%s:%d", store->file, place.line);
		break;
	case ORIGIN_ENVIRONMENT:
		buffer_append_text(out, "environment");
		break;
	case ORIGIN_COMMAND_LINE:
		buffer_append_text(out, "command line");
		break;
	}
}

static void show_line(const struct settings_store *store, const struct setting *setting,
	const char *name, struct buffer *value, struct setting_place place, FILE *out)
{
	CLEANUP(buffer_fini) struct buffer origin = {0};
	settings_append_origin(&origin, store, place);
	fprintf(out, "%-41s %-34s %-10s %s%s\n", name, buffer_text(value),
		setting->unit == NULL ? "" : setting->unit, buffer_text(&origin),
		setting->flags & SETTING_RELOADABLE ? ", reloadable" : "");
}

static void show_properties(
	const struct settings_store *store, const struct setting *group, FILE *out)
{
	const struct property_list *list =
		(const void *)((const char *)&store->settings + group->offset);
	const struct setting_place *places = store->property_places[group - settings_table];
	for (size_t i = 0; i < list->count; i++) {
		CLEANUP(buffer_fini) struct buffer name = {0};
		CLEANUP(buffer_fini) struct buffer value = {0};
		buffer_append_format(&name, "%s.", group->name);
		/* As it is to be written, with _ for the dots. */
		for (const char *c = list->items[i].name; *c != '\0'; c++)
			buffer_append(&name, *c == '.' ? "_" : c, 1);
		append_quoted(&value, list->items[i].value, strlen(list->items[i].value));
		show_line(store, group, buffer_text(&name), &value, places[i], out);
	}
}

void settings_show(const struct settings *settings, FILE *out)
{
	/* settings_load() gives out nothing else. */
	const struct settings_store *store = (const struct settings_store *)settings;
	for (size_t i = 0; i < settings_table_length; i++) {
		const struct setting *setting = &settings_table[i];
		CLEANUP(buffer_fini) struct buffer value = {0};
		settings_append_value(&value, settings, setting);
		if (setting->type == SETTING_PROPERTIES && store->property_places[i] != NULL)
			show_properties(store, setting, out);
		else
			show_line(store, setting, setting->name, &value, store->places[i], out);
	}
}

/* The example */

/* "0 to 600000 ms", "earliest or latest"; nothing where the meaning says it all. */
static void append_allowed(struct buffer *out, const struct setting *setting)
{
	if (setting->type == SETTING_CHOICE) {
		for (int i = 0; setting->choices[i] != NULL; i++) {
			const char *between = setting->choices[i + 1] == NULL ? " or " : ", ";
			buffer_append_format(
				out, "%s%s", i == 0 ? "" : between, setting->choices[i]);
		}
	} else if (setting->type == SETTING_INTEGER || setting->type == SETTING_INTEGER_64) {
		buffer_append_format(out, "%" PRId64 " to %" PRId64 "%s%s", setting->minimum,
			setting->maximum, setting->unit == NULL ? "" : " ",
			setting->unit == NULL ? "" : setting->unit);
	}
}

static void indent(FILE *out, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		fputc('\t', out);
}

/* A comment, broken into lines between its words. */
static void write_comment(FILE *out, size_t depth, const char *text)
{
	size_t width = 0;
	while (*text != '\0') {
		size_t length = strcspn(text, " ");
		if (width == 0 || width + 1 + length > LINE_WIDTH) {
			fputs(width == 0 ? "" : "\n", out);
			indent(out, depth);
			fputc('#', out);
			width = 8 * depth + 1;
		}
		fprintf(out, " %.*s", (int)length, text);
		width += 1 + length;
		text += length;
		text += *text == ' ';
	}
	fputc('\n', out);
}

static void write_setting(FILE *out, size_t depth, const struct setting *setting, const char *name)
{
	CLEANUP(buffer_fini) struct buffer comment = {0};
	CLEANUP(buffer_fini) struct buffer allowed = {0};
	CLEANUP(buffer_fini) struct buffer value = {0};
	append_allowed(&allowed, setting);
	buffer_append_text(&comment, setting->meaning);
	if (allowed.length > 0)
		buffer_append_format(&comment, " (%s)", buffer_text(&allowed));
	if (setting->flags & SETTING_RELOADABLE)
		buffer_append_text(&comment, "; reloadable");
	append_default(&value, setting);
	write_comment(out, depth, buffer_text(&comment));
	indent(out, depth);
	fprintf(out, "%s = %s;\n", name, buffer_text(&value));
}

static size_t count_dots(const char *text, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += text[i] == '.';
	return count;
}

/* How many bytes of a name are its groups, dots included: 16 of "kafka.security.protocol". */
static size_t groups_length(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot == NULL ? 0 : (size_t)(dot - name) + 1;
}

static size_t common_groups_length(const char *a, const char *b)
{
	size_t common = 0;
	for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++)
		if (a[i] == '.')
			common = i + 1;
	return common;
}

/* Closes the groups of one name that the next does not lie in, and opens those of the next. */
static void change_groups(FILE *out, const char *from, const char *to)
{
	size_t common = common_groups_length(from, to);
	size_t depth = count_dots(to, common);
	for (size_t open = count_dots(from, groups_length(from)); open > depth; open--) {
		indent(out, open - 1);
		fputs("};\n", out);
	}
	if (from[0] != '\0' && to[0] != '\0')
		fputc('\n', out);
	const char *group = to + common;
	for (const char *dot = NULL; (dot = strchr(group, '.')) != NULL; group = dot + 1) {
		indent(out, depth++);
		fprintf(out, "%.*s = {\n", (int)(dot - group), group);
	}
}

void settings_write_example(FILE *out)
{
	fputs("# care360-lookup: every setting, at its default.\n"
	      "#\n"
	      "# What stands here can be left out. The environment wins over this file\n"
	      "# (CARE360_LOOKUP_KAFKA_BROKERS is kafka.brokers), and --set over both.\n"
	      "# `care360-lookup check` finds every mistake; `check --show` says what is in "
	      "effect.\n"
	      "# Settings that are called reloadable change without a restart: SIGHUP has the file "
	      "read again.\n"
	      "\n",
		out);
	const char *before = "";
	for (size_t i = 0; i < settings_table_length; i++) {
		const char *name = settings_table[i].name;
		size_t groups = groups_length(name);
		change_groups(out, before, name);
		write_setting(out, count_dots(name, groups), &settings_table[i], name + groups);
		before = name;
	}
	change_groups(out, before, "");
}

/* The reference */

void settings_write_reference(FILE *out)
{
	fputs("| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < settings_table_length; i++) {
		const struct setting *setting = &settings_table[i];
		CLEANUP(buffer_fini) struct buffer value = {0};
		CLEANUP(buffer_fini) struct buffer allowed = {0};
		append_default(&value, setting);
		append_allowed(&allowed, setting);
		fprintf(out, "| `%s` | `%s` | %s | %s%s |\n", setting->name, buffer_text(&value),
			buffer_text(&allowed), setting->meaning,
			setting->flags & SETTING_RELOADABLE ? "; reloadable" : "");
	}
}

/* The man page */

static void append_manual_item(struct buffer *out, const struct setting *setting)
{
	CLEANUP(buffer_fini) struct buffer value = {0};
	CLEANUP(buffer_fini) struct buffer allowed = {0};
	CLEANUP(buffer_fini) struct buffer text = {0};
	append_default(&value, setting);
	append_allowed(&allowed, setting);
	buffer_append_format(out, ".It Sy %s No =", setting->name);
	mdoc_argument(out, buffer_text(&value));
	buffer_append_text(out, "\n");
	mdoc_sentence(out, setting->meaning);
	if (allowed.length > 0) {
		buffer_append_format(&text, "Allowed: %s.", buffer_text(&allowed));
		mdoc_sentence(out, buffer_text(&text));
	}
	if (setting->flags & SETTING_RELOADABLE)
		mdoc_sentence(out, "A reload changes it.");
}

void settings_append_manual(struct buffer *out)
{
	mdoc_begin(out, "care360-lookup.cfg", 5, "configuration of care360-lookup");
	mdoc_section(out, "DESCRIPTION");
	mdoc_paragraphs(out,
		"The file is read with libconfig. Names with dots lie in groups:\n"
		"\n"
		"  kafka = {\n"
		"      brokers = \"broker-1:9093,broker-2:9093\";\n"
		"      security = { protocol = \"sasl_ssl\"; };\n"
		"  };\n"
		"\n"
		"Whatever is left out has its default, which stands below beside its name. The "
		"environment wins over the file, with CARE360_LOOKUP_KAFKA_BROKERS for "
		"kafka.brokers, and --set kafka.brokers=... over both. Lists are a,b there.\n"
		"\n"
		"care360-lookup check finds every mistake and names its line; check --show says "
		"what is in effect and where it came from.");
	mdoc_section(out, "SETTINGS");
	buffer_append_text(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < settings_table_length; i++)
		append_manual_item(out, &settings_table[i]);
	buffer_append_text(out, ".El\n");
	mdoc_see_also(out, "care360-lookup 1");
}
