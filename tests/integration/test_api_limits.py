"""The API refuses what is too much: the limits settle at what it takes."""

import collections
import time

import pytest

from harness.requests import small
from harness.sim import Sim
from harness.waiting import wait_for

pytestmark = pytest.mark.alone

LIMIT = 200  # what the API takes a second
SETTLE_S = 10
MEASURE_S = 5


def refused(line):
    return line["status"] == 429


def test_limits_settle_at_what_the_api_takes(make_scene, tmp_path, figure):
    """At 0, 20 and 200 ms of latency, side by side: few are refused, and little of what is allowed is wasted."""
    sims = {latency: Sim(tmp_path / f"sim-{latency}", record=True, latency_ms=latency, limit=LIMIT) for latency in (0, 20, 200)}
    try:
        scenes = {latency: make_scene(sim=sim, directory=tmp_path / f"at-{latency}-ms", partitions=4) for latency, sim in sims.items()}
        for scene in scenes.values():
            scene.put(small(LIMIT * (SETTLE_S + MEASURE_S + 10)))
        begun = {}
        for latency, scene in scenes.items():
            scene.service(ready=False)
        for latency, sim in sims.items():
            wait_for(lambda sim=sim: sim.stats()["requests"] > 0, "requests come")
            begun[latency] = sim.requests()[0]["time_ms"]
        end = max(begun.values()) + (SETTLE_S + MEASURE_S) * 1000
        wait_for(lambda: time.monotonic() * 1000 > end, "the limits had time to settle", 60, 0.1)
        for latency, sim in sims.items():
            since = begun[latency] + SETTLE_S * 1000
            lines = [line for line in sim.requests() if since <= line["time_ms"] < since + MEASURE_S * 1000]
            share = sum(map(refused, lines)) / len(lines)
            rate = sum(not refused(line) for line in lines) / MEASURE_S
            figure(f"{latency} ms: {share:.1%} refused, {rate:.0f} a second of {LIMIT} answered")
            assert share < 0.05, f"at {latency} ms {share:.1%} are refused"
            assert rate >= 0.9 * LIMIT, f"at {latency} ms only {rate:.0f} a second"
    finally:
        for sim in sims.values():
            sim.down()


def test_nobody_is_asked_for_before_his_retry_after(make_scene, sim, size, figure):
    count, retry_after_s = size(1_000, 5_000), 1
    sim.set(limit=LIMIT, limit_retry_after=str(retry_after_s), latency_ms=5)
    scene = make_scene(partitions=4)
    scene.put(small(count))
    scene.service(ready=False)
    scene.wait_worked_off(60 + count / 50)
    scene.check().expect_exactly_once()
    asked = collections.defaultdict(list)
    for line in sim.requests():
        asked[line["email"]].append(line)
    waits = [later["time_ms"] - earlier["time_ms"] for lines in asked.values()
             for earlier, later in zip(lines, lines[1:]) if refused(earlier)]
    figure(f"{len(waits)} refusals; the shortest wait after one: {min(waits):.0f} ms")
    assert waits and min(waits) >= retry_after_s * 1000
