#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

static const char USAGE[] =
	"usage: %s --url BASE_URL [--requests N] [--warm-up N] [--in-flight K] [--key KEY] "
	"[--ca-file FILE] [--http2]\n"
	"       [--sticky] [--curlu]\n";

bool bench_options_read(struct bench_options *ret_options, int argc, char **argv)
{
	static const struct option OPTIONS[] = {
		{"url", required_argument, NULL, 'u'},
		{"requests", required_argument, NULL, 'n'},
		{"warm-up", required_argument, NULL, 'w'},
		{"in-flight", required_argument, NULL, 'k'},
		{"key", required_argument, NULL, 'a'},
		{"ca-file", required_argument, NULL, 'c'},
		{"http2", no_argument, NULL, '2'},
		{"sticky", no_argument, NULL, 's'},
		{"curlu", no_argument, NULL, 'U'},
		{0},
	};
	struct bench_options options = {
		.key = "bench-key", .ca_file = "", .requests = 100000, .in_flight = 256};
	bool ok = true;
	for (int c = 0; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) >= 0;) {
		switch (c) {
		case 'u':
			options.url = optarg;
			break;
		case 'n':
			options.requests = strtol(optarg, NULL, 10);
			break;
		case 'w':
			options.warm_up = strtol(optarg, NULL, 10);
			break;
		case 'k':
			options.in_flight = (int)strtol(optarg, NULL, 10);
			break;
		case 'a':
			options.key = optarg;
			break;
		case 'c':
			options.ca_file = optarg;
			break;
		case '2':
			options.http2 = true;
			break;
		case 's':
			options.sticky = true;
			break;
		case 'U':
			options.curlu = true;
			break;
		default:
			ok = false;
			break;
		}
	}
	if (!ok || !options.url || optind != argc || options.requests < 1 || options.warm_up < 0 ||
		options.warm_up >= options.requests || options.in_flight < 1) {
		(void)fprintf(stderr, USAGE, argv[0]);
		return false;
	}
	*ret_options = options;
	return true;
}

static int64_t nanoseconds(struct timeval time)
{
	return time.tv_sec * NS_PER_S + time.tv_usec * NS_PER_US;
}

struct bench_span bench_now(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (struct bench_span){
		.wall_ns = clock_monotonic_ns(),
		.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
		.system_ns = nanoseconds(usage.ru_stime),
	};
}

/* The most memory that was ever resident; getrusage() would count that of the parent before exec.
 */
static long peak_rss_kb(void)
{
	char line[256];
	long peak = 0;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			peak = strtol(line + 6, NULL, 10);
	}
	if (status)
		(void)fclose(status);
	return peak;
}

void bench_report(const char *name, const struct bench_options *options, struct bench_span start,
	long replies, long failures)
{
	struct bench_span end = bench_now();
	double count = (double)replies;
	double wall_ns = (double)(end.wall_ns - start.wall_ns);
	printf("{\"loop\": \"%s\", \"http2\": %s, \"in_flight\": %d, \"requests\": %ld, "
	       "\"failures\": %ld, "
	       "\"requests_per_second\": %.0f, \"cpu_us_per_request\": %.2f, "
	       "\"system_us_per_request\": %.2f, \"peak_rss_kb\": %ld}\n",
		name, options->http2 ? "true" : "false", options->in_flight, replies, failures,
		count * 1e9 / wall_ns, (double)(end.cpu_ns - start.cpu_ns) / 1e3 / count,
		(double)(end.system_ns - start.system_ns) / 1e3 / count, peak_rss_kb());
}
