#include "lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#define MAX 3

static struct lookup *new_lookup_of(unsigned max_attempts)
{
	struct request request = {.email = BYTES("a@b.org")};
	struct lookup *lookup = lookup_new(&request, max_attempts, NULL);
	assert_non_null(lookup);
	return lookup;
}

static struct lookup *new_lookup(void)
{
	return new_lookup_of(MAX);
}

static struct gate_view view_with(uint64_t witness, uint64_t stops)
{
	return (struct gate_view){STOP_NONE, stops, witness};
}

static void fails(struct lookup *lookup, uint64_t start, bool unclassified)
{
	struct gate_view view = view_with(0, lookup->stops);
	lookup->start = start;
	lookup_failed(lookup, unclassified, &view);
}

static enum judgement judged(struct lookup *lookup, uint64_t witness)
{
	struct gate_view view = view_with(witness, lookup->stops);
	return lookup_judge(lookup, &view);
}

static void an_identity_is_the_email_and_the_phone_number(void **state)
{
	(void)state;
	const struct request requests[] = {
		{.email = BYTES("a"), .phone = BYTES("1")},
		{.email = BYTES("a1")},
		{.phone = BYTES("a1")},
		{.email = BYTES("a")},
	};
	for (size_t i = 0; i < array_length(requests); i++) {
		struct lookup *lookup = lookup_new(&requests[i], MAX, NULL);
		assert_true(bytes_equal(lookup_customer(lookup).email, requests[i].email));
		assert_true(bytes_equal(lookup_customer(lookup).phone, requests[i].phone));
		for (size_t k = 0; k < array_length(requests); k++) {
			struct buffer buffer = {0};
			lookup_identity(&requests[k], &buffer);
			assert_true(
				bytes_equal(lookup->identity, buffer_bytes(&buffer)) == (i == k));
			buffer_fini(&buffer);
		}
		lookup_free(lookup);
	}
}

static void an_attempt_needs_a_witness_that_started_later(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	fails(lookup, 5, false);
	judged(lookup, 5);
	assert_int_equal(lookup->counted, 0);
	judged(lookup, 6);
	assert_int_equal(lookup->counted, 1);
	assert_int_equal(lookup_attempts(lookup), 1);
	lookup_free(lookup);
}

static void it_is_guilty_once_enough_attempts_count(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	for (uint64_t i = 1; i < MAX; i++) {
		fails(lookup, i, false);
		assert_int_equal(judged(lookup, i + 1), JUDGED_OPEN);
	}
	fails(lookup, MAX, false);
	assert_int_equal(judged(lookup, MAX), JUDGED_UNPROVEN);
	assert_int_equal(judged(lookup, MAX + 1), JUDGED_GUILTY);
	lookup_free(lookup);
}

static void it_is_undisproved_where_no_attempt_counts(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	for (uint64_t i = 1; i <= MAX; i++) {
		assert_int_equal(judged(lookup, 0), JUDGED_OPEN);
		fails(lookup, i, false);
	}
	assert_int_equal(judged(lookup, 0), JUDGED_UNDISPROVED);
	lookup_free(lookup);
}

static void two_unclassified_replies_are_enough(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	fails(lookup, 1, true);
	fails(lookup, 2, true);
	assert_int_equal(judged(lookup, 2), JUDGED_OPEN);
	assert_int_equal(judged(lookup, 3), JUDGED_GUILTY);
	assert_int_equal(lookup->counted, 2);
	lookup_free(lookup);
}

static void a_stop_forgives_what_was_not_disproved_by_then(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	struct gate_view view = view_with(10, 1);
	fails(lookup, 1, false);
	fails(lookup, 5, false);
	lookup_forgive(lookup, 3, &view);
	assert_int_equal(lookup->counted, 1);
	assert_int_equal(lookup_attempts(lookup), 1);
	assert_int_equal(lookup->stops, 1);
	lookup_free(lookup);
}

static void the_one_that_stopped_the_line_keeps_its_last_attempt(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup();
	struct gate_view view = view_with(0, 1);
	for (uint64_t i = 1; i <= MAX; i++)
		fails(lookup, i, false);
	lookup_stopped_line(lookup, &view);
	assert_int_equal(lookup_attempts(lookup), 1);
	judged(lookup, MAX);
	assert_int_equal(lookup->counted, 0);
	judged(lookup, MAX + 1);
	assert_int_equal(lookup->counted, 1);
	lookup_free(lookup);
}

static void an_only_attempt_is_kept_from_the_second_stop_on(void **state)
{
	(void)state;
	struct lookup *lookup = new_lookup_of(1);
	struct gate_view view = view_with(0, 1);
	fails(lookup, 1, false);
	lookup_stopped_line(lookup, &view);
	assert_int_equal(lookup_attempts(lookup), 0);
	view.stops = 2;
	fails(lookup, 2, false);
	lookup_stopped_line(lookup, &view);
	assert_int_equal(lookup_attempts(lookup), 1);
	lookup_free(lookup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_the_email_and_the_phone_number),
		cmocka_unit_test(an_attempt_needs_a_witness_that_started_later),
		cmocka_unit_test(it_is_guilty_once_enough_attempts_count),
		cmocka_unit_test(it_is_undisproved_where_no_attempt_counts),
		cmocka_unit_test(two_unclassified_replies_are_enough),
		cmocka_unit_test(a_stop_forgives_what_was_not_disproved_by_then),
		cmocka_unit_test(the_one_that_stopped_the_line_keeps_its_last_attempt),
		cmocka_unit_test(an_only_attempt_is_kept_from_the_second_stop_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
