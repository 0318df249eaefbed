/*
 * What the tests of settings share: a file that is written anew, and what loading came to.
 */
#ifndef TESTS_SETTINGS_FIXTURE_H
#define TESTS_SETTINGS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "io/settings.h"

static char directory[] = "/tmp/settings-test-XXXXXX";
static char file[64]; /* a file that each test writes anew */

static inline int start(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/a.cfg", directory);
	return 0;
}

static inline int stop(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(directory);
}

static inline void write_file(const char *text, size_t length)
{
	FILE *out = fopen(file, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, length, out), length);
	assert_int_equal(fclose(out), 0);
}

/* What loading came to: the settings, if any, and all findings, a line each, FILE for the file. */
struct loaded {
	struct settings *settings;
	struct settings_report report;
	struct buffer findings;
};

static inline void load_fini(struct loaded *loaded)
{
	settings_free(loaded->settings);
	settings_report_fini(&loaded->report);
	buffer_fini(&loaded->findings);
}

static inline void load(struct loaded *loaded, const struct settings_sources *sources)
{
	struct error err = {0};
	*loaded = (struct loaded){0};
	loaded->settings = settings_load(sources, &loaded->report, &err);
	size_t mistakes = 0;
	for (size_t i = 0; i < loaded->report.count; i++) {
		const char *text = loaded->report.findings[i].text;
		mistakes += !loaded->report.findings[i].warning;
		if (strncmp(text, file, strlen(file)) == 0) {
			buffer_append_text(&loaded->findings, "FILE");
			text += strlen(file);
		}
		buffer_append_format(&loaded->findings, "%s\n", text);
	}
	assert_true((loaded->settings == NULL) == (mistakes > 0));
	assert_true((loaded->settings == NULL) == (err.text[0] != '\0'));
}

static inline void load_text(struct loaded *loaded, const char *text)
{
	write_file(text, strlen(text));
	load(loaded, &(struct settings_sources){.file = file});
}

/* libconfig loses a few bytes where it finds a syntax error; the rest is looked at. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) /* NOLINT: the name is LeakSanitizer's */
{
	return "leak:libconfig.so";
}

#endif
