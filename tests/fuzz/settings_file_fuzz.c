/* The settings file: whatever is in it, it is read, or each mistake is named with its line. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "settings.h"

/* libconfig loses a few bytes where it finds a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) /* NOLINT: the name is LeakSanitizer's */
{
	return "leak:libconfig.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int file = memfd_create("settings", MFD_CLOEXEC);
	REQUIRE(file >= 0);
	REQUIRE(write(file, data, size) == (ssize_t)size);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	const char *const origins[] = {path, NULL};
	fuzz_settings(&(struct settings_sources){.file = path}, origins);
	close(file);
	return 0;
}
