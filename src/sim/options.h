/*
 * Options: the command line, as a table that serves reading and --help.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "settings.h"

/* Texts point into the arguments. Start one as `struct options options = {0};`. */
struct options {
	const char *listen;
	const char *cases;           /* NULL: made from the identity */
	const char *record;          /* NULL: none is kept */
	const char *tls_certificate; /* NULL: no TLS */
	const char *tls_key;
	uint64_t seed;
	struct settings *settings;
	bool help;
	const char *help_form; /* NULL: as text for people */
	bool version;
};

/* Reads the command line, with the defaults filled in. False and err where its usage is wrong. */
bool options_read(struct options *options, int count, char **arguments, struct error *err);
void options_fini(struct options *options);

/* Prints all there is to know to standard output, in the form asked for. False and err where there
 * is no such form. */
bool options_help(const struct options *options, struct error *err);

#endif
