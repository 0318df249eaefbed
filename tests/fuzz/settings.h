/*
 * What settings promise, whatever they were read from.
 */
#ifndef TESTS_FUZZ_SETTINGS_H
#define TESTS_FUZZ_SETTINGS_H

#include "io/settings.h"

/*
 * Loads settings and ends the program unless they are either mistaken, and each finding says where
 * in a line of its own; or usable, and every value is one that its row of the table allows.
 * `origin`: how a finding begins, such as the file's name.
 */
void fuzz_settings(const struct settings_sources *sources, const char *const *origins);

#endif
