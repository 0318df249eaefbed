#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_EVERY  (100 * NS_PER_MS)
#define LINE_EVERY (10 * NS_PER_S)
#define BAR_WIDTH  24
#define LINE_SIZE  512

void progress_open(struct progress *progress)
{
	struct winsize size = {0};
	const char *kind = getenv("TERM"); // NOLINT(concurrency-mt-unsafe)
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1 && kind != NULL && strcmp(kind, "dumb") != 0,
		.width = 80,
	};
	if (progress->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		progress->width = size.ws_col;
}

void progress_begin(struct progress *progress, const char *what)
{
	int64_t now = clock_monotonic_ns();
	progress->what = what;
	progress->next_ns = progress->terminal ? now : now + LINE_EVERY;
}

void progress_bar(char *ret_line, size_t size, int64_t done, int64_t total, const char *text)
{
	int filled = done >= total ? BAR_WIDTH : (int)(done * BAR_WIDTH / total);
	snprintf(ret_line, size, "[%.*s%.*s] %" PRId64 " of %" PRId64 "  %s", filled,
		"########################", BAR_WIDTH - filled, "........................", done,
		total, text);
}

void progress_update(struct progress *progress, int64_t done, int64_t total)
{
	int64_t now = clock_monotonic_ns();
	if (now < progress->next_ns || total <= 0)
		return;
	if (!progress->terminal) {
		progress->next_ns = now + LINE_EVERY;
		fprintf(stderr, "%" PRId64 " of %" PRId64 " %s\n", done, total, progress->what);
		return;
	}
	progress->next_ns = now + BAR_EVERY;
	char line[LINE_SIZE];
	size_t width = progress->width < sizeof(line) ? progress->width : sizeof(line);
	progress_bar(line, width, done, total, progress->what);
	fprintf(stderr, "\r\033[K%s", line);
}

void progress_end(struct progress *progress, int64_t done, int64_t total)
{
	fprintf(stderr, "%s%" PRId64 " of %" PRId64 " %s\n", progress->terminal ? "\r\033[K" : "",
		done, total, progress->what);
}
