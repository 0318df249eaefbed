/*
 * Man pages in mdoc(7), the macros that both mandoc and groff know.
 */
#ifndef BASE_MDOC_H
#define BASE_MDOC_H

#include "base/bytes.h"

/* The head of a page, down to its NAME. `summary` is a sentence without its full stop. */
void mdoc_begin(struct buffer *out, const char *name, int section, const char *summary);

/* ".Sh TITLE" */
void mdoc_section(struct buffer *out, const char *title);

/* Help as a sentence: with a capital at its beginning and a full stop at its end. */
void mdoc_sentence(struct buffer *out, const char *text);

/* Text in paragraphs, which empty lines separate; one whose lines begin with a space is shown as it
 * stands. */
void mdoc_paragraphs(struct buffer *out, const char *text);

/* Lines that are shown as they stand. */
void mdoc_literal(struct buffer *out, const char *text);

/* One argument of a macro, quoted, behind a space. */
void mdoc_argument(struct buffer *out, const char *text);

/* The section SEE ALSO: "care360-sim 1", a page of the manual a line. */
void mdoc_see_also(struct buffer *out, const char *pages);

#endif
