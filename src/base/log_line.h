/*
 * One line of the log, as text or as JSON.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"

enum log_style { LOG_STYLE_TEXT, LOG_STYLE_COLOURS, LOG_STYLE_JSON };

/* Appends the line of that wall-clock time, with its end, to `out`. */
void log_line_append(struct buffer *out, enum log_style style, enum log_level level,
	int64_t wall_ms, const char *message, const struct log_field *fields, size_t count);

#endif
