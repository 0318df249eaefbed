#include "pulse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START (1000 * NS_PER_S)

static void a_thread_that_goes_round_is_alive(void **state)
{
	(void)state;
	struct pulse pulse = {0};
	assert_true(pulse_alive(&pulse, START));
	for (int64_t i = 1; i < 10; i++) {
		pulse_beat(&pulse);
		assert_true(pulse_alive(&pulse, START + i * PULSE_PATIENCE_NS));
	}
}

static void one_that_does_not_for_long_is_stuck_until_it_does(void **state)
{
	(void)state;
	struct pulse pulse = {0};
	pulse_beat(&pulse);
	assert_true(pulse_alive(&pulse, START));
	assert_true(pulse_alive(&pulse, START + PULSE_PATIENCE_NS - 1));
	assert_false(pulse_alive(&pulse, START + PULSE_PATIENCE_NS));
	pulse_beat(&pulse);
	assert_true(pulse_alive(&pulse, START + PULSE_PATIENCE_NS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_goes_round_is_alive),
		cmocka_unit_test(one_that_does_not_for_long_is_stuck_until_it_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
