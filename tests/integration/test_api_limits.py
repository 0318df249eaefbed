"""The API refuses what is too much: the limits settle at what it takes."""

import collections
from typing import NamedTuple

import pytest

from harness.requests import small
from harness.sim import Sim
from harness.waiting import wait_for

LIMIT = 200  # what the API takes a second
SETTLE_S = 10
MEASURE_S = 5


def refused(line):
    return line["status"] == 429


class Window(NamedTuple):
    """What came of the requests of some seconds."""

    since_s: int
    share: float  # refused, of all
    rate: float   # answered, a second


def settled(sim, begun_ms):
    """The first window, once the limits had time to settle, in which they had; a machine that stalls spoils one or two."""
    seconds = collections.defaultdict(list)
    for line in sim.requests():
        seconds[int((line["time_ms"] - begun_ms) // 1000)].append(refused(line))
    for first in range(SETTLE_S, max(seconds) - MEASURE_S + 1):  # the last second is not over
        lines = [line for second in range(first, first + MEASURE_S) for line in seconds[second]]
        window = Window(first, sum(lines) / max(1, len(lines)), lines.count(False) / MEASURE_S)
        if window.share < 0.05 and window.rate >= 0.9 * LIMIT:
            return window
    return None


@pytest.mark.alone
def test_limits_settle_at_what_the_api_takes(make_scene, tmp_path, figure):
    """At 0, 20 and 200 ms of latency, side by side: few are refused, and little of what is allowed is wasted."""
    sims = {latency: Sim(tmp_path / f"sim-{latency}", record=True, latency_ms=latency, limit=LIMIT) for latency in (0, 20, 200)}
    try:
        scenes = {latency: make_scene(sim=sim, directory=tmp_path / f"at-{latency}-ms", partitions=4) for latency, sim in sims.items()}
        for scene in scenes.values():
            scene.put(small(LIMIT * 60))
        begun = {}
        for latency, scene in scenes.items():
            scene.service(ready=False)
        for latency, sim in sims.items():
            wait_for(lambda sim=sim: sim.stats()["requests"] > 0, "requests come")
            begun[latency] = sim.requests()[0]["time_ms"]
        for latency, sim in sims.items():
            window = wait_for(lambda sim=sim, since=begun[latency]: settled(sim, since),
                              f"at {latency} ms few are refused and little is wasted, in some {MEASURE_S} s", 35, 0.5)
            figure(f"{latency} ms: {window.share:.1%} refused, {window.rate:.0f} a second of {LIMIT} answered, "
                   f"in {MEASURE_S} s from the {window.since_s}th on")
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
