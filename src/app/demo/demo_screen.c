#include "demo_screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "progress.h"

#define BAR_EVERY (100 * NS_PER_MS)
#define OFF       "\033[0m"

static const char *const colours[] = {
	[TONE_PLAIN] = "",
	[TONE_TITLE] = "\033[1m",
	[TONE_GOOD] = "\033[32m",
	[TONE_ERROR] = "\033[33m",
	[TONE_STOP] = "\033[1;31m",
};

static bool set_and_not_empty(const char *name)
{
	const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe)
	return value != NULL && value[0] != '\0';
}

void demo_screen_open(struct demo_screen *screen)
{
	struct winsize size = {0};
	*screen = (struct demo_screen){.width = 80};
	const char *kind = getenv("TERM"); // NOLINT(concurrency-mt-unsafe)
	screen->terminal = isatty(STDOUT_FILENO) == 1 && kind != NULL && strcmp(kind, "dumb") != 0;
	screen->colours = screen->terminal && !set_and_not_empty("NO_COLOR");
	if (screen->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		screen->width = size.ws_col;
}

static void wipe_bar(struct demo_screen *screen)
{
	if (screen->bar)
		fputs("\r\033[K", stdout);
	screen->bar = false;
}

void demo_screen_say(struct demo_screen *screen, enum demo_tone tone, const char *format, ...)
{
	wipe_bar(screen);
	if (screen->colours)
		fputs(colours[tone], stdout);
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts(screen->colours ? OFF : "");
	fflush(stdout);
}

/* How many columns a text in UTF-8 takes, where each character takes one. */
static int columns(const char *text)
{
	int count = 0;
	for (const char *c = text; *c != '\0'; c++)
		count += ((unsigned char)*c & 0xc0) != 0x80;
	return count;
}

void demo_screen_pair(struct demo_screen *screen, const char *request, enum demo_tone tone,
	const char *result, int64_t duration_ns)
{
	char duration[DEMO_DURATION_SIZE];
	demo_duration_text(duration_ns, duration);
	int gap = 44 - columns(request);
	wipe_bar(screen);
	printf("  %s%*s %s%s%s  %s\n", request, gap > 0 ? gap : 1, "",
		screen->colours ? colours[tone] : "", result, screen->colours ? OFF : "", duration);
	fflush(stdout);
}

void demo_screen_progress(
	struct demo_screen *screen, size_t done, size_t total, const char *text, int64_t now)
{
	if (!screen->terminal || total == 0 || (screen->bar && now < screen->bar_at + BAR_EVERY))
		return;
	char line[512] = "";
	size_t width = screen->width > 2 ? screen->width - 2 : 0;
	progress_bar(line, width < sizeof(line) ? width : sizeof(line), (int64_t)done,
		(int64_t)total, text);
	printf("\r\033[K  %s", line);
	fflush(stdout);
	screen->bar = true;
	screen->bar_at = now;
}

void demo_screen_close(struct demo_screen *screen)
{
	wipe_bar(screen);
	fflush(stdout);
}

void demo_duration_text(int64_t duration_ns, char ret_text[static DEMO_DURATION_SIZE])
{
	if (duration_ns < NS_PER_S)
		snprintf(ret_text, DEMO_DURATION_SIZE, "%lld ms",
			(long long)(duration_ns / NS_PER_MS));
	else
		snprintf(ret_text, DEMO_DURATION_SIZE, "%.1f s",
			(double)duration_ns / (double)NS_PER_S);
}
