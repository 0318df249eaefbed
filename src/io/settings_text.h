/*
 * Looks through the text of a settings file before libconfig does, for what libconfig gets wrong.
 *
 * libconfig 1.5 wraps integers beyond 32 bits in silence, cuts texts at a zero byte, stops at the
 * first name given twice without saying which, and says no more than "syntax error" of a quote
 * that is never closed. The pass finds these, and writes the text anew so that libconfig reads
 * the rest: lines stay where they were, integers become decimal ones with an L where they need
 * it.
 */
#ifndef IO_SETTINGS_TEXT_H
#define IO_SETTINGS_TEXT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "settings_store.h"

/* Names given twice are renamed to begin with this: what has it is not to be looked at. */
#define SETTINGS_TEXT_SKIP '*'

/*
 * Writes the text for libconfig to ret_text. ret_explained: a mistake was found that libconfig
 * will call a syntax error. False where libconfig must not see the text at all; there is a
 * finding then.
 */
bool settings_text_prepare(struct settings_store *store, struct bytes text, struct buffer *ret_text,
	bool *ret_explained);

#endif
