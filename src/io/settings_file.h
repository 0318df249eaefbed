/*
 * Reads the settings file, by libconfig.
 */
#ifndef IO_SETTINGS_FILE_H
#define IO_SETTINGS_FILE_H

#include <stdbool.h>

#include "settings_store.h"

/*
 * Reads the store's file into the store; what is wrong with the file becomes findings.
 */
void settings_file_read(struct settings_store *store, bool may_be_missing);

#endif
