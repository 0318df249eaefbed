/*
 * The main program of a target where libFuzzer is not linked: `TARGET PATH...` gives it every file,
 * those of a directory too, whole and cut short at every byte up to CUTS_MAX.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "fuzz.h"

#define CUTS_MAX 1024 /* longer inputs are cut there no more: their number of cuts squares */

static void close_stream(FILE **stream)
{
	if (*stream != NULL)
		fclose(*stream);
}

/* Each length as a block of its own, so that a sanitizer sees what is read beyond it. */
static void give(const char *data, size_t size)
{
	CLEANUP(free_pointer) char *copy = fuzz_text((struct bytes){data, size});
	copy = realloc(copy, size == 0 ? 1 : size);
	REQUIRE(copy != NULL);
	LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
}

static bool replay_file(const char *path)
{
	CLEANUP(close_stream) FILE *in = fopen(path, "re");
	struct stat status;
	if (in == NULL || fstat(fileno(in), &status) != 0) {
		perror(path);
		return false;
	}
	size_t size = (size_t)status.st_size;
	CLEANUP(free_pointer) char *data = malloc(size + 1);
	if (data == NULL || fread(data, 1, size, in) != size) {
		perror(path);
		return false;
	}
	fprintf(stderr, "%s\n", path); /* the last one named is the one that broke a promise */
	for (size_t cut = 0; cut < size && cut < CUTS_MAX; cut++)
		give(data, cut);
	give(data, size);
	return true;
}

/* How many files were given; -1 where one could not be read. A missing directory is an empty one.
 */
static int replay(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return 0;
	if (!S_ISDIR(status.st_mode))
		return replay_file(path) ? 1 : -1;
	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort);
	int given = 0;
	for (int i = 0; i < count; i++) {
		char inner[4096];
		snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && given >= 0)
			given = replay_file(inner) ? given + 1 : -1;
		free(names[i]);
	}
	free(names);
	return given;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int given = replay(argv[i]);
		if (given < 0)
			return 1;
		total += given;
	}
	printf("%d inputs kept every promise\n", total);
	return total > 0 ? 0 : 1;
}
