#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "settings_check.h"
#include "settings_table.h"

static void check_text(const struct setting *setting, const char *text)
{
	struct error err = {0};
	REQUIRE(text != NULL);
	if (text[0] == '\0')
		REQUIRE((setting->flags & SETTING_MAY_BE_EMPTY) != 0);
	else if (setting->check != NULL)
		REQUIRE(setting->check(text, &err));
}

static void check_list(const struct setting *setting, const struct text_list *list)
{
	if (list->count == 0)
		REQUIRE((setting->flags & SETTING_MAY_BE_EMPTY) != 0);
	for (size_t i = 0; i < list->count; i++) {
		REQUIRE(list->items[i][0] != '\0');
		check_text(setting, list->items[i]);
	}
}

static void check_properties(const struct property_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		REQUIRE(list->items[i].name[0] != '\0' && list->items[i].value != NULL);
		REQUIRE(check_property(list->items[i].name, NULL));
	}
}

static void check_choice(const struct setting *setting, int value)
{
	int count = 0;
	while (setting->choices[count] != NULL)
		count++;
	REQUIRE(value >= 0 && value < count);
}

static void check_value(const struct setting *setting, const void *member)
{
	switch (setting->type) {
	case SETTING_TEXT:
		check_text(setting, *(char *const *)member);
		break;
	case SETTING_LIST:
		check_list(setting, member);
		break;
	case SETTING_INTEGER:
		REQUIRE(*(const int *)member >= setting->minimum);
		REQUIRE(*(const int *)member <= setting->maximum);
		break;
	case SETTING_INTEGER_64:
		REQUIRE(*(const int64_t *)member >= setting->minimum);
		REQUIRE(*(const int64_t *)member <= setting->maximum);
		break;
	case SETTING_BOOLEAN:
		break;
	case SETTING_CHOICE:
		check_choice(setting, *(const int *)member);
		break;
	case SETTING_PROPERTIES:
		check_properties(member);
		break;
	}
}

/* A finding is one line that begins with its place, so that no value can forge another. */
static void check_finding(const struct settings_finding *finding, const char *const *origins)
{
	bool placed = false;
	for (; *origins != NULL; origins++)
		placed = placed || strncmp(finding->text, *origins, strlen(*origins)) == 0;
	REQUIRE(placed);
	for (const char *c = finding->text; *c != '\0'; c++)
		REQUIRE((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* What `check --show` prints of them, and that it can be printed. */
static void check_show(const struct settings *settings)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	REQUIRE(out != NULL);
	settings_show(settings, out);
	fclose(out);
	REQUIRE(length > 0);
	free(text);
}

void fuzz_settings(const struct settings_sources *sources, const char *const *origins)
{
	struct settings_report report;
	struct error err = {0};
	struct settings *settings = settings_load(sources, &report, &err);
	size_t mistakes = 0;
	for (size_t i = 0; i < report.count; i++) {
		check_finding(&report.findings[i], origins);
		mistakes += report.findings[i].warning ? 0 : 1;
	}
	REQUIRE((settings == NULL) == (mistakes > 0));
	REQUIRE((settings == NULL) == (err.text[0] != '\0'));
	for (size_t i = 0; settings != NULL && i < settings_table_length; i++)
		check_value(&settings_table[i], (const char *)settings + settings_table[i].offset);
	if (settings != NULL) {
		REQUIRE(settings_base_url(settings)[0] != '\0');
		check_show(settings);
	}
	settings_report_fini(&report);
	settings_free(settings);
}
