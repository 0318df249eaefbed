#include "base/mdoc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

/* What a function appends for a text. */
static void assert_appends(
	void (*append)(struct buffer *out, const char *text), const char *text, const char *wanted)
{
	CLEANUP(buffer_fini) struct buffer out = {0};
	append(&out, text);
	assert_string_equal(buffer_text(&out), wanted);
}

static void text_is_never_taken_for_a_macro(void **state)
{
	(void)state;
	assert_appends(mdoc_literal, ".Sh a\n'b\na\\b-c\n",
		".Bd -literal\n\\&.Sh a\n\\&'b\na\\eb\\-c\n.Ed\n");
	assert_appends(mdoc_paragraphs, ".Sh a", "\\&.Sh a\n");
}

static void help_becomes_sentences(void **state)
{
	(void)state;
	assert_appends(mdoc_sentence, "read it", "Read it.\n");
	assert_appends(mdoc_sentence, "ends already.", "Ends already.\n");
	assert_appends(mdoc_sentence, "http://host is an address", "http://host is an address.\n");
	assert_appends(mdoc_sentence, "h2 is HTTP/2", "h2 is HTTP/2.\n");
	assert_appends(mdoc_sentence, "", "\n");
}

static void each_sentence_begins_a_line(void **state)
{
	(void)state;
	assert_appends(mdoc_paragraphs, "One. Two. .x and a.b, e.g. this",
		"One.\nTwo. .x and a.b, e.g. this\n");
}

static void paragraphs_are_set_apart_and_examples_shown_as_they_stand(void **state)
{
	(void)state;
	assert_appends(mdoc_paragraphs, "a\n\nb\n\n  x = {\n    y\n  }\n\nc",
		"a\n.Pp\nb\n.Bd -literal\n  x = {\n    y\n  }\n.Ed\n.Pp\nc\n");
}

static void an_argument_is_one_argument(void **state)
{
	(void)state;
	assert_appends(mdoc_argument, "[\"a b\"]", " \"[\\(dqa b\\(dq]\"");
	assert_appends(mdoc_argument, "", " \"\"");
}

static void other_pages_are_listed(void **state)
{
	(void)state;
	assert_appends(mdoc_see_also, "a 1\nb 5", ".Sh SEE ALSO\n.Xr a 1 ,\n.Xr b 5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_never_taken_for_a_macro),
		cmocka_unit_test(help_becomes_sentences),
		cmocka_unit_test(each_sentence_begins_a_line),
		cmocka_unit_test(paragraphs_are_set_apart_and_examples_shown_as_they_stand),
		cmocka_unit_test(an_argument_is_one_argument),
		cmocka_unit_test(other_pages_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
