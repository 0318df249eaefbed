"""What an event costs, beside bare libcurl on the same stub: a figure, as a ratio within one run; and what would slow it."""

import dataclasses
import json
import os
import statistics
import subprocess
import time

import pytest

from harness.paths import BUILD
from harness.process import Process
from harness.requests import plain
from harness.rounds import best_of_rounds
from harness.waiting import wait_for

pytestmark = pytest.mark.alone

ROUNDS = 3
IN_FLIGHT = 256
BENCH = BUILD / "tests" / "bench"


class Stub(Process):
    """The stub of the API, which is never what a benchmark measures."""

    def __init__(self, directory, latency_ms):
        super().__init__([*on_core(1), BENCH / "bench_stub", "--latency", latency_ms], directory, f"stub-{latency_ms}")
        self.url = wait_for(lambda: self.stdout.strip(), "the stub listens").split()[-1]


def on_core(number):
    """The words in front of a command that keep it on one core, where there are two."""
    return ["taskset", "-c", str(number)] if len(os.sched_getaffinity(0)) > 1 else []


def bare_loops(url, requests):
    """Requests a second and CPU in microseconds a request of the cheaper of libcurl's two bare loops."""
    runs = [json.loads(subprocess.run(
        [*on_core(0), BENCH / "bench_curl_loop", "--url", url, "--requests", str(requests), "--warm-up", str(requests // 10),
         "--in-flight", str(IN_FLIGHT), *options], check=True, capture_output=True, text=True).stdout) for options in ([], ["--sticky"])]
    best = min(runs, key=lambda run: run["cpu_us_per_request"])
    return best["requests_per_second"], best["cpu_us_per_request"]


def service_run(make_scene, url, count, **settings):
    """Events a second and CPU in microseconds an event of the service, from its first result to its last."""
    scene = make_scene(partitions=8)
    scene.topics.produce(scene.requests_topic, 8, (
        dataclasses.replace(plain(f"customer{n}@example.org", f"+1555{n:07}", f"request-{n}", note="x" * 100), key=b"key-%d" % n)
        for n in range(count)), keep=False)
    service = scene.service(ready=False, prefix=tuple(on_core(0)), settings={
        "care360.base_url": url, "lookup.in_flight": IN_FLIGHT, "lookup.workers": 1, **settings})
    samples = []

    def sample():
        done = service.metric("care360_lookup_results_total")
        if done == 0:
            samples.clear()  # the last look before the first result counts
        samples.append((time.monotonic(), done, service.cpu_seconds()))
        return done == count

    wait_for(sample, "all are answered", 60 + count / 200, 0.1, detail=lambda: service.stderr[-1000:])
    (begun, first, cpu_before), (ended, last, cpu_after) = samples[0], samples[-1]
    assert service.metric("care360_lookup_results_total", outcome="error") == 0
    service.terminate()
    return (last - first) / (ended - begun), (cpu_after - cpu_before) / (last - first) * 1e6


@pytest.mark.parametrize("latency_ms", [0, 20])
def test_the_cost_of_an_event_beside_bare_libcurl(make_scene, tmp_path, size, figure, latency_ms):
    count = size(20_000, 100_000)
    with Stub(tmp_path, latency_ms) as stub:
        bare, ours = [], []
        for _ in range(ROUNDS):
            bare.append(bare_loops(stub.url, count))
            ours.append(service_run(make_scene, stub.url, count))
    ratio = statistics.median(service[1] / loop[1] for service, loop in zip(ours, bare))
    for name, runs in (("bare libcurl", bare), ("the service", ours)):
        rate, cpu = (statistics.median(values) for values in zip(*runs))
        figure(f"{latency_ms} ms, {IN_FLIGHT} in flight, one core: {name}: {rate:,.0f} a second, {cpu:.1f} us of CPU each")
    figure(f"{latency_ms} ms: the service costs {ratio:.2f} times what bare libcurl does")


def test_a_backlog_is_fetched_without_pauses_however_little_librdkafka_queues(make_scene, tmp_path, size, figure):
    count = size(20_000, 200_000)

    def without_pauses(rates):
        return rates[200] > 0.7 * rates[100_000]

    with Stub(tmp_path, 20) as stub:
        def rate(queued):
            return service_run(make_scene, stub.url, count, **{"kafka.consumer": {"queued_min_messages": queued}})[0]

        best = best_of_rounds({100_000: lambda: rate(100_000), 200: lambda: rate(200)}, without_pauses)
    figure(f"{best[100_000]:,.0f} a second with everything queued, {best[200]:,.0f} with little")
    assert without_pauses(best), "before librdkafka 2.2, a full queue is looked at once a second"
