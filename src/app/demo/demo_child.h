/*
 * A child of the demo: another program of ours that runs while the demo does, and not longer.
 *
 * It has its own process group, so that Ctrl-C at the terminal reaches the demo alone, which then
 * ends its children in order; and the kernel kills it where the demo dies without having done so.
 */
#ifndef APP_DEMO_CHILD_H
#define APP_DEMO_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Start one as `struct demo_child child = {0};`. */
struct demo_child {
	pid_t pid;  /* 0: does not run */
	int status; /* as waitpid() gave it, once it has ended */
};

/*
 * Starts `program` with its arguments (the first is its name, NULL at the end). Its output and
 * errors are appended to the file `log`. What the environment says to care360-lookup is kept from
 * it.
 */
bool demo_child_start(struct demo_child *child, const char *program, const char *const *arguments,
	const char *log, struct error *err);

/* Whether it still runs. */
bool demo_child_runs(struct demo_child *child);

/* Asks it to end, waits for it for at most timeout_ms, and kills it then. */
void demo_child_end(struct demo_child *child, int timeout_ms);

/*
 * Writes the path of a program that is installed beside this one; where it is not, its name alone,
 * to be found in PATH. NULL: the path of this program itself.
 */
bool demo_program_path(const char *name, char *ret_path, unsigned long size, struct error *err);

#endif
