#include "process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void process_keep_memory_private(void)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
	/* AddressSanitizer looks for leaks the way a debugger would. */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}
