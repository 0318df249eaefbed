#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "process.h"

static void no_core_dump_holds_the_key(void **state)
{
	(void)state;
	process_keep_memory_private();
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks the way a debugger would */
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
#endif
	struct rlimit limit = {.rlim_cur = 1};
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 0);
	assert_int_equal(limit.rlim_max, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_core_dump_holds_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
