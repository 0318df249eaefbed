#include "base/spelling.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int letter(char c)
{
	return tolower((unsigned char)c);
}

/* The restricted Damerau-Levenshtein distance, with three rows of its matrix. */
size_t spelling_distance(const char *a, const char *b)
{
	size_t height = strlen(a);
	size_t width = strlen(b);
	if (height > SPELLING_MAX || width > SPELLING_MAX)
		return SIZE_MAX;
	size_t rows[3][SPELLING_MAX + 1] = {0};
	for (size_t x = 0; x <= width; x++)
		rows[0][x] = x;
	for (size_t y = 1; y <= height; y++) {
		size_t *row = rows[y % 3];
		const size_t *above = rows[(y - 1) % 3];
		const size_t *second = rows[(y + 1) % 3];
		row[0] = y;
		for (size_t x = 1; x <= width; x++) {
			size_t changed = above[x - 1] + (letter(a[y - 1]) != letter(b[x - 1]));
			row[x] = smaller(changed, smaller(above[x], row[x - 1]) + 1);
			if (y > 1 && x > 1 && letter(a[y - 1]) == letter(b[x - 2]) &&
				letter(a[y - 2]) == letter(b[x - 1]))
				row[x] = smaller(row[x], second[x - 2] + 1);
		}
	}
	return rows[height % 3][width];
}

/* A third of the letters may be wrong. */
size_t spelling_near(const char *wrong)
{
	return smaller(strlen(wrong) / 3 + 1, 6);
}
