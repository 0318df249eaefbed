/*
 * JSON text: writing strings that came from outside as JSON strings.
 */
#ifndef SIM_JSON_TEXT_H
#define SIM_JSON_TEXT_H

#include "base/bytes.h"

/*
 * Appends the text in quotes, with what JSON cannot hold escaped. A byte that is not part of valid
 * UTF-8 becomes "\udcXX", which Python's surrogateescape turns back. An absent text becomes null.
 */
void json_text_append(struct buffer *buffer, struct bytes text);

#endif
