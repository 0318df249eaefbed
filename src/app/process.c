#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LAST_WORDS_MS 500 /* how long an end at once waits for the log */

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

void process_end_now(struct log *log, int status)
{
	log_flush(log, LAST_WORDS_MS);
	_exit(status);
}

/* The limit, as a metric has it: one that is none is the largest number. */
static uint64_t limit_of(__rlimit_resource_t resource)
{
	struct rlimit limit = {0};
	getrlimit(resource, &limit);
	return (uint64_t)limit.rlim_cur;
}

/* Entries of /proc/self/fd, but for "." and ".." and the one that is open for looking at it. */
static uint64_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uint64_t count = 0;
	while (directory != NULL && readdir(directory) != NULL) // NOLINT(concurrency-mt-unsafe)
		count++;
	if (directory != NULL)
		closedir(directory);
	return count > 3 ? count - 3 : 0;
}

/* When the machine was started, in seconds since 1970. */
static double boot_time(void)
{
	struct timespec wall;
	struct timespec since_boot;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	return (double)(wall.tv_sec - since_boot.tv_sec) +
	       (double)(wall.tv_nsec - since_boot.tv_nsec) / 1e9;
}

/* The fields of /proc/self/stat behind the program's name, which may hold anything: proc(5). */
static void read_stat(struct process_usage *usage)
{
	char text[1024] = "";
	FILE *file = fopen("/proc/self/stat", "re");
	if (file == NULL)
		return;
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	const char *fields = strrchr(text, ')');
	uint64_t user = 0;
	uint64_t system = 0;
	uint64_t started = 0;
	uint64_t pages = 0;
	if (fields == NULL ||
		sscanf(fields, // NOLINT(cert-err34-c): the kernel wrote it
			") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			" %*d %*d %*d %*d %" SCNu64 " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
			&user, &system, &usage->threads, &started, &usage->virtual_bytes,
			&pages) != 6)
		return;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	usage->cpu_seconds = (double)(user + system) / ticks;
	usage->started_at = boot_time() + (double)started / ticks;
	usage->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_usage_read(struct process_usage *ret_usage)
{
	*ret_usage = (struct process_usage){
		.virtual_bytes_max = limit_of(RLIMIT_AS),
		.descriptors_max = limit_of(RLIMIT_NOFILE),
		.open_descriptors = count_descriptors(),
	};
	read_stat(ret_usage);
}
