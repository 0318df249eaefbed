/*
 * simulation: lives through seeded random histories of flows, gate and API, in virtual time.
 *
 *	simulation [COUNT [FIRST]]    COUNT histories (10000) with the seeds from FIRST (1) on
 *	simulation --seed SEED        one history, told line by line
 *
 * SIMULATION_HISTORIES in the environment takes the place of COUNT. The first seed whose history
 * breaks a rule is printed, and the exit status is 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "world.h"

#define USAGE "usage: simulation [COUNT [FIRST]] | simulation --seed SEED\n"

static bool read_number(const char *text, uint64_t *ret_number)
{
	char *end;
	*ret_number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0';
}

static int tell_one(uint64_t seed)
{
	char verdict[256];
	if (world_live(seed, true, verdict, sizeof(verdict))) {
		printf("All rules were kept.\n");
		return EXIT_SUCCESS;
	}
	printf("A rule was broken: %s\n", verdict);
	return EXIT_FAILURE;
}

static int live_many(uint64_t count, uint64_t first)
{
	char verdict[256];
	int64_t began = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		if (world_live(first + i, false, verdict, sizeof(verdict)))
			continue;
		printf("history %" PRIu64 " broke a rule, seed %" PRIu64 ": %s\n"
		       "to read it: simulation --seed %" PRIu64 "\n",
			i + 1, first + i, verdict, first + i);
		return EXIT_FAILURE;
	}
	double seconds = (double)(clock_monotonic_ns() - began) / (double)NS_PER_S;
	printf("%" PRIu64 " histories in %.1f s, %.0f a second: all rules were kept\n", count,
		seconds, (double)count / seconds);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	uint64_t count = 10000;
	uint64_t first = 1;
	const char *wanted = getenv("SIMULATION_HISTORIES");
	if (argc == 3 && strcmp(argv[1], "--seed") == 0 && read_number(argv[2], &first))
		return tell_one(first);
	bool fine = wanted == NULL || read_number(wanted, &count);
	fine = fine && (argc < 2 || read_number(argv[1], &count));
	fine = fine && (argc < 3 || read_number(argv[2], &first));
	if (!fine || argc > 3) {
		fputs(USAGE, stderr);
		return 2;
	}
	return live_many(count, first);
}
