/*
 * Metrics: what Prometheus is told, as one table.
 *
 * The table in metrics_table.c names each metric with its type, its labels, what it means, and how
 * it is read from a status. /metrics and the reference are made from it.
 */
#ifndef APP_METRICS_H
#define APP_METRICS_H

#include <stddef.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/histogram.h"

struct status;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 5

/* What a metric's samples are written to. */
struct metric_out;

struct metric {
	const char *name;
	enum metric_type type;
	const char *labels[METRIC_LABELS_MAX + 1]; /* their names; ends with NULL */
	const char *help;                          /* one sentence */

	/* Of one value without labels: its type and its place in struct status. */
	enum { METRIC_BOOL, METRIC_UNSIGNED, METRIC_UINT64, METRIC_DOUBLE } value;
	size_t offset;

	/* Of any other: puts all its samples. */
	void (*put)(const struct status *status, struct metric_out *out);
};

extern const struct metric metrics_table[];
extern const size_t metrics_count;

/* Puts one sample, with a value for each of the metric's labels. */
void metric_put(struct metric_out *out, double value, const char *const *label_values);

/* The same of a histogram, in seconds. */
void metric_put_histogram(struct metric_out *out, const struct histogram_sum *sum,
	const struct histogram_scale *scale, const char *const *label_values);

/* Appends all metrics in Prometheus' text format, version 0.0.4. */
void metrics_write(const struct status *status, struct buffer *out);

/* Writes what each metric means, as a Markdown table. */
void metrics_write_reference(FILE *out);

#endif
