#include "process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* AddressSanitizer looks for leaks the way a debugger would. */
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

void process_keep_memory_private(void)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
#ifndef WATCHED
	prctl(PR_SET_DUMPABLE, 0);
#endif
}
