#include "online.h"

#include <stdlib.h>
#include <unistd.h>

#include "api_client.h"
#include "base/mem.h"
#include "io/http_client_trial.h"
#include "io/kafka.h"
#include "io/kafka_trial.h"

#define ERASE_LINE "\r\033[K"

/* Where trials are told. */
struct report {
	FILE *out;
	bool terminal; /* what is under way is shown, and gone when it is over */
	bool colours;
};

/* How a state looks; its colour is one of ECMA-48. */
static const struct {
	const char *word;
	const char *colour;
} states[] = {
	[TRIAL_BEGINS] = {"...", "\033[2m"},
	[TRIAL_FINE] = {"ok", "\033[32m"},
	[TRIAL_WRONG] = {"WRONG", "\033[1;31m"},
	[TRIAL_LEFT_OUT] = {"untried", "\033[2m"},
};

static void show(void *context, const struct trial *trial)
{
	const struct report *report = context;
	const char *on = report->colours ? states[trial->state].colour : "";
	const char *off = report->colours ? "\033[0m" : "";
	if (trial->state == TRIAL_BEGINS && !report->terminal)
		return;
	fprintf(report->out, "%s%s%-7s%s  %s", report->terminal ? ERASE_LINE : "", on,
		states[trial->state].word, off, trial->what);
	if (trial->state != TRIAL_BEGINS)
		fprintf(report->out, ": %s\n", trial->text);
	if (trial->advice != NULL)
		fprintf(report->out, "         %s\n", trial->advice);
	fflush(report->out);
}

bool online_try(const struct settings *settings, FILE *out)
{
	const char *no_color = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
	bool terminal = isatty(fileno(out)) == 1;
	struct report report = {.out = out,
		.terminal = terminal,
		.colours = terminal && (no_color == NULL || no_color[0] == '\0')};
	struct http_client_options options = api_client_options(settings, 1);
	struct error err = {0};
	if (!kafka_library_check(&err) || !http_client_library_init(&err)) {
		show(&report, &(struct trial){TRIAL_WRONG, "libraries", err.text, NULL});
		return false;
	}
	bool kafka = kafka_try(settings, show, &report);
	bool api = http_client_try(&options, show, &report);
	http_client_library_fini();
	return kafka && api;
}
