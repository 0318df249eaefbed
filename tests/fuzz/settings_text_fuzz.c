/*
 * Settings from the environment and by --set: each line of the input is one, in the order of the
 * lines; what begins with the prefix of variables is a variable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "settings.h"

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = {(const char *)data, size};
	char *lines[LINES_MAX];
	const char *variables[LINES_MAX + 1] = {NULL};
	const char *assignments[LINES_MAX];
	size_t count = 0;
	size_t variable_count = 0;
	size_t assignment_count = 0;
	while (input.length > 0 && count < LINES_MAX) {
		char *line = fuzz_text(fuzz_take_line(&input));
		lines[count++] = line;
		if (strncmp(line, "CARE360_", 8) == 0)
			variables[variable_count++] = line;
		else
			assignments[assignment_count++] = line;
	}
	static const char *const origins[] = {"environment: ", "--set ", NULL};
	fuzz_settings(&(struct settings_sources){.environment = variables,
			      .assignments = assignments,
			      .assignment_count = assignment_count},
		origins);
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	return 0;
}
