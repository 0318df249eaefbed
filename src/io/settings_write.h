/*
 * Values and their places as text, for those who show settings.
 */
#ifndef IO_SETTINGS_WRITE_H
#define IO_SETTINGS_WRITE_H

#include "base/bytes.h"
#include "settings_store.h"

/* Appends a value as the file has it; a password in it is masked. */
void settings_append_value(
	struct buffer *out, const struct settings *settings, const struct setting *setting);

/* Appends "default", "FILE:12", "environment" or "command line". */
void settings_append_origin(
	struct buffer *out, const struct settings_store *store, struct setting_place place);

#endif
