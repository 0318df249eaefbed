/*
 * The options of `replay`: which error events count.
 */
#ifndef APP_REPLAY_OPTIONS_H
#define APP_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/commands.h"
#include "base/error.h"
#include "core/replay.h"

/* What is asked for. The filter has no topics yet. */
struct replay_options {
	struct replay_filter filter;
	bool again;
	bool dry_run;
};

/*
 * Reads them; `now_ms`, the wall clock's time, is what spans count back from. Without --reason the
 * reasons are those that may fare better later. False and err, which begins with the option.
 */
bool replay_options_read(const struct command_line *line, int64_t now_ms,
	struct replay_options *ret_options, struct error *err);

#endif
