/*
 * Capacity: how many cores this process may use.
 */
#ifndef APP_CAPACITY_H
#define APP_CAPACITY_H

#include <stddef.h>

#define CAPACITY_CORES_MAX 4

/*
 * The cores that affinity and the cgroup's quota allow, at least 1 and at most CAPACITY_CORES_MAX.
 * Reads cgroup v2's cpu.max, as the kernel's admin-guide/cgroup-v2 describes it.
 */
size_t capacity_cores(void);

#endif
