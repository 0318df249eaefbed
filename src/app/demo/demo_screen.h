/*
 * The demo's screen: lines of what happens, and on a terminal a progress bar below them.
 *
 * Colours and the bar are for a terminal alone; NO_COLOR turns the colours off (no-color.org).
 */
#ifndef APP_DEMO_SCREEN_H
#define APP_DEMO_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct demo_screen {
	bool terminal;
	bool colours;
	size_t width;
	bool bar; /* it stands on the last line now */
	int64_t bar_at;
};

enum demo_tone { TONE_PLAIN, TONE_TITLE, TONE_GOOD, TONE_ERROR, TONE_STOP };

void demo_screen_open(struct demo_screen *screen);

/* Writes a line. */
void demo_screen_say(struct demo_screen *screen, enum demo_tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes a request and what came back, side by side. */
void demo_screen_pair(struct demo_screen *screen, const char *request, enum demo_tone tone,
	const char *result, int64_t duration_ns);

/* Draws the bar, at most a few times a second; nothing where there is no terminal. */
void demo_screen_progress(
	struct demo_screen *screen, size_t done, size_t total, const char *text, int64_t now);

/* Takes the bar away. */
void demo_screen_close(struct demo_screen *screen);

/* Writes a duration for people: "58 ms", "3.2 s". */
#define DEMO_DURATION_SIZE 24
void demo_duration_text(int64_t duration_ns, char ret_text[static DEMO_DURATION_SIZE]);

#endif
