/* A reload: the settings are read again, and what can change while the service runs does. */
#include "base/clock.h"
#include "base/mem.h"
#include "service_state.h"

/* What a comparison of settings found. */
struct tally {
	struct log *log;
	int64_t changed;
	int64_t need_restart;
};

static void tell_change(void *context, const struct settings_change *change)
{
	struct tally *tally = context;
	if (change->reloadable) {
		tally->changed++;
		log_info(tally->log, "setting changed", LOG_TEXT("setting", change->name),
			LOG_TEXT("from", change->from), LOG_TEXT("to", change->to),
			LOG_TEXT("place", change->place));
	} else {
		tally->need_restart++;
		log_warn(tally->log,
			"this setting changes at the next start only, and stays as it was",
			LOG_TEXT("setting", change->name), LOG_TEXT("place", change->place));
	}
}

static void tell_findings(struct log *log, const struct settings_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct settings_finding *finding = &report->findings[i];
		log_write(log, finding->warning ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
			finding->warning ? "odd in the configuration"
					 : "wrong in the configuration",
			(const struct log_field[]){LOG_TEXT("finding", finding->text)}, 1);
	}
}

/* Puts the settings that run in force, in every part. */
static void apply(struct service *service)
{
	struct gate_options gate;
	service_gate_options(service, &gate);
	gate_set_options(service->gate, &gate, clock_monotonic_ns());
	for (size_t i = 0; i < service->worker_count; i++)
		worker_set_options(service->workers[i], &service->running);
}

static void take_over(struct service *service, const struct settings *fresh)
{
	struct tally tally = {.log = service->log};
	int before = service->running.log.level;
	/* Whichever of the two levels shows more shows what changes. */
	if (fresh->log.level < before)
		log_set_level(service->log, (enum log_level)fresh->log.level);
	settings_compare(&service->running, fresh, tell_change, &tally);
	settings_take_reloadable(&service->running, fresh);
	apply(service);
	log_info(service->log, "configuration read again", LOG_INT("changed", tally.changed),
		LOG_INT("need_restart", tally.need_restart));
	log_set_level(service->log, (enum log_level)service->running.log.level);
}

static void free_settings(struct settings **settings)
{
	settings_free(*settings);
}

void service_reload(struct service *service)
{
	CLEANUP(settings_report_fini) struct settings_report report = {0};
	struct error err = {0};
	notify_reloading(service->notify);
	CLEANUP(free_settings)
	struct settings *fresh = settings_load(service->sources, &report, &err);
	tell_findings(service->log, &report);
	if (fresh == NULL)
		log_error(service->log, "the configuration stays as it was",
			LOG_TEXT("reason", err.text));
	else
		take_over(service, fresh);
	service->reload.successful = fresh != NULL;
	if (fresh != NULL)
		service->reload.success_at_ms = clock_wall_ms();
	service->key_read_at = 0;
	notify_ready(service->notify);
}
