/*
 * Whether the limits settle: a line that never runs dry against models of an API, in virtual time.
 */
#include "core/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/retry.h"

#define UNDER_WAY_MAX 256
#define STEP_NS       (100 * NS_PER_US) /* the cost of a start: so many a second at most */
#define SETTLE_NS     (10 * NS_PER_S)
#define MEASURE_NS    (20 * NS_PER_S)

/* What the API bears; 0: no such limit. */
struct api {
	int64_t latency_ns;
	double per_second; /* a token bucket of a tenth of a second */
	unsigned at_once;
	unsigned random_percent; /* refused whatever the rate */
	double offered; /* so many a second are to be asked for until half of the time to settle
			   is over; 0: there is always more */
	double later_per_second; /* from half of the time to settle on; 0: as before */
};

struct call {
	uint64_t start;
	int64_t ends_at;
	bool refused;
};

struct scene {
	struct api api;
	struct limiter limiter;
	struct random random;
	struct call calls[UNDER_WAY_MAX]; /* a ring: all take equally long */
	unsigned first;
	unsigned under_way;
	unsigned accepted; /* of those under way */
	uint64_t last_start;
	double tokens;
	int64_t filled_at;
	int64_t now;
	unsigned answered; /* since the limits had time to settle */
	unsigned refused;
};

static bool api_refuses(struct scene *scene)
{
	struct api *api = &scene->api;
	if (api->per_second > 0) {
		double burst = api->per_second / 10;
		scene->tokens += api->per_second * (double)(scene->now - scene->filled_at) /
				 (double)NS_PER_S;
		scene->tokens = scene->tokens > burst ? burst : scene->tokens;
		scene->filled_at = scene->now;
		if (scene->tokens < 1)
			return true;
		scene->tokens -= 1;
	}
	return (api->at_once > 0 && scene->accepted >= api->at_once) ||
	       random_below(&scene->random, 100) < api->random_percent;
}

static void start_call(struct scene *scene)
{
	struct call *call = &scene->calls[(scene->first + scene->under_way) % UNDER_WAY_MAX];
	*call = (struct call){
		.start = ++scene->last_start,
		.ends_at = scene->now + scene->api.latency_ns,
		.refused = api_refuses(scene),
	};
	scene->under_way++;
	scene->accepted += call->refused ? 0 : 1;
}

static void end_call(struct scene *scene)
{
	const struct call *call = &scene->calls[scene->first];
	const struct limiter_end end = {call->start, scene->last_start, scene->under_way};
	scene->first = (scene->first + 1) % UNDER_WAY_MAX;
	scene->under_way--;
	scene->accepted -= call->refused ? 0 : 1;
	bool counts = scene->now >= SETTLE_NS;
	if (call->refused) {
		limiter_refused(&scene->limiter, &end, scene->now);
		scene->refused += counts ? 1 : 0;
	} else {
		limiter_answered(&scene->limiter, &end, scene->now);
		scene->answered += counts ? 1 : 0;
	}
}

static void live(struct scene *scene, const struct api *api)
{
	*scene = (struct scene){.api = *api, .random = {.state = 1}};
	limiter_init(&scene->limiter, UNDER_WAY_MAX, 0, true, 0);
	for (; scene->now < SETTLE_NS + MEASURE_NS; scene->now += STEP_NS) {
		bool offered =
			scene->now >= SETTLE_NS / 2 || api->offered <= 0 ||
			(double)scene->last_start < api->offered * (double)scene->now / NS_PER_S;
		if (scene->now == SETTLE_NS / 2 && api->later_per_second > 0)
			scene->api.per_second = api->later_per_second;
		while (scene->under_way > 0 && scene->calls[scene->first].ends_at <= scene->now)
			end_call(scene);
		if (offered && scene->under_way < limiter_in_flight(&scene->limiter) &&
			limiter_take(&scene->limiter, scene->now) == 0)
			start_call(scene);
	}
}

static double share_refused(const struct scene *scene)
{
	return (double)scene->refused / (scene->refused + scene->answered);
}

static double answered_per_second(const struct scene *scene)
{
	return (double)scene->answered / (double)(MEASURE_NS / NS_PER_S);
}

static void expect(const struct api *api, double most_refused, double least_per_second)
{
	struct scene scene;
	live(&scene, api);
	print_message("%lld ms: %.1f %% refused, %.0f a second; limits %.0f a second, %u at once\n",
		(long long)(api->latency_ns / NS_PER_MS), 100 * share_refused(&scene),
		answered_per_second(&scene), limiter_per_second(&scene.limiter),
		limiter_in_flight(&scene.limiter));
	assert_true(share_refused(&scene) < most_refused);
	assert_true(answered_per_second(&scene) >= least_per_second);
}

static const int64_t latencies_ms[] = {0, 20, 200};

static void at_an_api_with_a_limit_a_second(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		expect(&(struct api){.latency_ns = latencies_ms[i] * NS_PER_MS, .per_second = 200},
			0.05, 180);
		expect(&(struct api){.latency_ns = latencies_ms[i] * NS_PER_MS, .per_second = 20},
			0.05, 18);
	}
	expect(&(struct api){.latency_ns = 20 * NS_PER_MS, .per_second = 3000}, 0.05, 2700);
}

static void at_an_api_with_a_limit_at_once(void **state)
{
	(void)state;
	expect(&(struct api){.latency_ns = 20 * NS_PER_MS, .at_once = 20}, 0.05, 900);
	expect(&(struct api){.latency_ns = 200 * NS_PER_MS, .at_once = 50}, 0.05, 225);
}

static void at_an_api_whose_limit_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int64_t latency_ns = latencies_ms[i] * NS_PER_MS;
		expect(&(struct api){.latency_ns = latency_ns,
			       .per_second = 200,
			       .later_per_second = 100},
			0.05, 90);
		expect(&(struct api){.latency_ns = latency_ns,
			       .per_second = 100,
			       .later_per_second = 200},
			0.05, 180);
	}
}

static void refusals_that_do_not_depend_on_the_rate_do_not_strangle_the_line(void **state)
{
	(void)state;
	for (unsigned percent = 1; percent <= 40; percent += percent < 5 ? 1 : 5)
		for (size_t i = 1; i < 3; i++) {
			int64_t latency_ns = latencies_ms[i] * NS_PER_MS;
			double most = (double)UNDER_WAY_MAX * NS_PER_S / (double)latency_ns;
			most = most > 10000 ? 10000 : most;
			expect(&(struct api){.latency_ns = latency_ns, .random_percent = percent},
				1, 0.7 * most * (100 - percent) / 100);
		}
}

static void a_line_that_was_little_used_is_not_strangled_later(void **state)
{
	(void)state;
	for (unsigned percent = 1; percent <= 8; percent++)
		for (double offered = 180; offered < 1000; offered *= 3)
			expect(&(struct api){.latency_ns = 20 * NS_PER_MS,
				       .random_percent = percent,
				       .offered = offered},
				1, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_an_api_with_a_limit_a_second),
		cmocka_unit_test(at_an_api_with_a_limit_at_once),
		cmocka_unit_test(at_an_api_whose_limit_changes),
		cmocka_unit_test(refusals_that_do_not_depend_on_the_rate_do_not_strangle_the_line),
		cmocka_unit_test(a_line_that_was_little_used_is_not_strangled_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
