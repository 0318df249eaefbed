#include "capacity.h"

#include <sched.h>
#include <stdio.h>

/* The cgroup's quota in cores, rounded up; 0 where there is none. */
static size_t quota_cores(void)
{
	long long quota = 0;
	long long period = 0;
	FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
	if (file == NULL)
		return 0;
	/* "max 100000" where there is no quota: then the first number does not match. */
	int found = fscanf(file, "%lld %lld", &quota, &period); // NOLINT(cert-err34-c)
	fclose(file);
	return found == 2 && quota > 0 && period > 0 ? (size_t)((quota + period - 1) / period) : 0;
}

size_t capacity_cores(void)
{
	cpu_set_t set;
	size_t cores = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		cores = (size_t)CPU_COUNT(&set);
	size_t quota = quota_cores();
	if (quota > 0 && quota < cores)
		cores = quota;
	return cores > CAPACITY_CORES_MAX ? CAPACITY_CORES_MAX : cores;
}
