#include "metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

struct metric_out {
	struct buffer *text;
	const struct metric *metric;
};

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

/* As few digits as tell the number apart from its neighbours. */
static void append_number(struct buffer *text, double value)
{
	char digits[32];
	snprintf(digits, sizeof(digits), "%.15g", value);
	if (strtod(digits, NULL) != value)
		snprintf(digits, sizeof(digits), "%.17g", value);
	buffer_append_text(text, digits);
}

static void append_label(struct buffer *text, const char *name, const char *value, bool first)
{
	buffer_append_format(text, "%s%s=\"", first ? "{" : ",", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			buffer_append_text(text, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buffer_append_text(text, "\\");
		buffer_append(text, value, 1);
	}
	buffer_append_text(text, "\"");
}

/* One line; `bound` is a histogram's, or NULL. */
static void append_sample(struct metric_out *out, const char *suffix, const char *bound,
	const char *const *label_values, double value)
{
	const char *const *names = out->metric->labels;
	size_t count = 0;
	buffer_append_format(out->text, "%s%s", out->metric->name, suffix);
	for (; names[count] != NULL && label_values != NULL; count++)
		append_label(out->text, names[count], label_values[count], count == 0);
	if (bound != NULL)
		append_label(out->text, "le", bound, count == 0);
	buffer_append_text(out->text, count > 0 || bound != NULL ? "} " : " ");
	append_number(out->text, value);
	buffer_append_text(out->text, "\n");
}

void metric_put(struct metric_out *out, double value, const char *const *label_values)
{
	append_sample(out, "", NULL, label_values, value);
}

void metric_put_histogram(struct metric_out *out, const struct histogram_sum *sum,
	const struct histogram_scale *scale, const char *const *label_values)
{
	uint64_t below = 0;
	for (size_t i = 0; i < scale->count; i++) {
		char bound[32];
		below += sum->counts[i];
		snprintf(bound, sizeof(bound), "%g", (double)scale->bounds[i] / (double)NS_PER_S);
		append_sample(out, "_bucket", bound, label_values, (double)below);
	}
	append_sample(out, "_bucket", "+Inf", label_values, (double)sum->count);
	append_sample(out, "_sum", NULL, label_values, (double)sum->sum / (double)NS_PER_S);
	append_sample(out, "_count", NULL, label_values, (double)sum->count);
}

static double value_of(const struct metric *metric, const struct status *status)
{
	const void *place = (const char *)status + metric->offset;
	switch (metric->value) {
	case METRIC_BOOL:
		return *(const bool *)place ? 1 : 0;
	case METRIC_UNSIGNED:
		return *(const unsigned *)place;
	case METRIC_UINT64:
		return (double)*(const uint64_t *)place;
	case METRIC_DOUBLE:
		return *(const double *)place;
	}
	return NAN;
}

void metrics_write(const struct status *status, struct buffer *out)
{
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics_table[i];
		struct metric_out place = {out, metric};
		buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
			metric->help, metric->name, type_names[metric->type]);
		if (metric->put != NULL)
			metric->put(status, &place);
		else
			metric_put(&place, value_of(metric, status), NULL);
	}
}

void metrics_write_reference(FILE *out)
{
	fputs("| metric | type | labels | meaning |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics_table[i];
		fprintf(out, "| `%s` | %s |", metric->name, type_names[metric->type]);
		for (size_t label = 0; metric->labels[label] != NULL; label++)
			fprintf(out, " `%s`", metric->labels[label]);
		fprintf(out, " | %s |\n", metric->help);
	}
}
