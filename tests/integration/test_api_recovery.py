"""The API stops answering, for everybody, and comes back: nothing is lost, nobody is blamed, nobody is trampled down."""

import collections
import json
import time

import pytest

from harness.feeder import Feeder
from harness.requests import plain, small
from harness.waiting import stays_so, wait_for

SECOND_MS = 1000


def all_found_once(scene):
    """Everything is answered, exactly once, in order, and as if nothing had happened."""
    scene.wait_worked_off(120)
    scene.check().expect_exactly_once()


def expect_few_probes(sim, since_ms, until_ms, interval_ms, figure):
    """What was under way when the line stopped has ended at `since_ms`: from then on there are only probes."""
    probes = [line for line in sim.requests() if since_ms < line["time_ms"] < until_ms]
    figure(f"{len(probes)} probes in {(until_ms - since_ms) / 1000:.1f} s, one each {interval_ms / 1000:g} s allowed")
    # One is due at any moment, and one sent before may be recorded after.
    assert len(probes) <= (until_ms - since_ms) / interval_ms + 2
    return probes


def now_ms():
    """The clock of the simulator's record."""
    return time.monotonic() * 1000


SOON_MS = {"/readyz says so": 1000, "the new key is tried": 500, "/readyz is fine again": 1000}


@pytest.mark.alone
def test_a_key_revoked_in_the_middle_and_restored_through_the_file(make_scene, sim, size, seconds, figure):
    count, outage = size(3_000, 20_000), seconds(3, 10)
    interval_ms = 1000
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **{"lookup.in_flight": 32, "breaker.probe_interval_ms": interval_ms})
    scene.put(small(count))
    service = scene.service()
    scene.wait_results(count // 3)
    took = collections.defaultdict(list)
    for key in ("another-key", "a-third-key"):  # once more where the machine had other things to do
        revoked = now_ms()
        sim.set(api_key=key)
        scene.put(small(100, prefix=key))  # somebody is refused, even where all the others are answered by now
        assert "refuses the API key" in service.wait_not_ready("credentials")
        took["/readyz says so"].append(now_ms() - revoked)
        service.wait_only_probes()
        quiet = now_ms()
        stays_so(lambda: service.get("/readyz")[0] == 503, "not ready", outage, 0.2)
        expect_few_probes(sim, quiet, now_ms(), interval_ms, figure)
        restored = now_ms()
        service.write_key(key)
        service.wait_ready()
        took["/readyz is fine again"].append(now_ms() - restored)
        took["the new key is tried"].append(next(line["time_ms"] for line in sim.requests() if line["api_key"] == key) - restored)
        if all(min(took[what]) < soon for what, soon in SOON_MS.items()):
            break
    for what, milliseconds in took.items():
        figure(f"{what} after {' and '.join(f'{each:.0f}' for each in milliseconds)} ms")
        assert min(milliseconds) < SOON_MS[what], what
    all_found_once(scene)


def answered_per_second(sim, since_ms, until_ms):
    """Good replies in each whole second."""
    bins = collections.Counter(int((line["time_ms"] - since_ms) // SECOND_MS) for line in sim.requests()
                               if line["fault"] is None and since_ms <= line["time_ms"] < until_ms)
    return [bins[second] for second in range(int((until_ms - since_ms) // SECOND_MS))]


def recovered(a_second, enough):
    return a_second if a_second and max(a_second) >= enough else []


def go_down(sim, how):
    if how == "refused":
        sim.down()
    else:
        sim.faults(how)


def come_back(sim, how):
    if how == "refused":
        sim.up()
    else:
        sim.faults()


@pytest.mark.alone
@pytest.mark.parametrize("how", ["status_503:body=html", "refused", "hang"])
def test_an_api_that_is_down_for_a_while_is_waited_for(make_scene, sim, seconds, figure, how):
    rate, latency_ms, interval_ms, outage = 400, 80, 1000, seconds(3, 20)
    sim.set(latency_ms=latency_ms)
    scene = make_scene(partitions=8, **{
        "lookup.in_flight": rate * latency_ms // 1000, "breaker.probe_interval_ms": interval_ms, "care360.timeout_ms": 2000,
        "retry.initial_backoff_ms": 50, "retry.max_backoff_ms": 500})
    scene.put(small(rate * (3 + 7)))
    begun = now_ms()
    service = scene.service()
    scene.wait_results(rate * 2)
    down = now_ms()
    go_down(sim, how)
    service.wait_not_ready("api_down")
    before = scene.wait_answers_published(service)
    quiet = now_ms()
    stays_so(lambda: scene.result_count() == before, "no result while the API is down", outage, 0.2)
    back = now_ms()
    come_back(sim, how)
    service.wait_ready()
    all_found_once(scene)
    requests = sim.requests()
    if how != "refused":
        expect_few_probes(sim, quiet, back, interval_ms, figure)
    first = min(line["time_ms"] for line in requests if line["time_ms"] > back and line["fault"] is None)
    # What so many at once make of that latency; a second before the outage may have had one or two more.
    most = max(rate, *answered_per_second(sim, begun, quiet))
    good = [line["time_ms"] for line in requests if line["fault"] is None and line["time_ms"] < down]
    mean = (len(good) - 1) * SECOND_MS / (good[-1] - good[0])
    after = answered_per_second(sim, first, now_ms())
    figure(f"{how}: {mean:.0f} a second before, at most {most}; after the first good probe: {after[:8]} a second")
    assert max(after) <= 1.05 * most, "a herd"
    assert max(after[:5]) >= 0.95 * mean, "it does not come back to its rate within 5 s"


@pytest.mark.parametrize("how", ["status_503:body=html", "refused", "hang"])
def test_an_outage_at_one_request_a_second_blames_nobody(make_scene, sim, how):
    scene = make_scene(partitions=2, **{"retry.initial_backoff_ms": 20, "retry.max_backoff_ms": 100,
                                        "breaker.probe_interval_ms": 500, "care360.timeout_ms": 500})
    service = scene.service()
    with Feeder(scene, 1, lambda number: plain(email=f"rare{number}@example.org", request_id=f"r-{number}")) as feeder:
        wait_for(lambda: len(feeder.sent) >= 1, "one is sent")
        scene.wait_results(1)
        go_down(sim, how)
        service.wait_not_ready("api_down")
        sent = len(feeder.sent)
        wait_for(lambda: len(feeder.sent) > sent, "another comes meanwhile")
        come_back(sim, how)
        service.wait_ready()
    all_found_once(scene)


@pytest.mark.parametrize("fault", ["html", "unknown_text"])
def test_what_everybody_gets_is_nobody_s_fault(make_scene, sim, seconds, fault):
    """A maintenance page, or the text that refuses the key changed into one that nobody knows."""
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **{"lookup.in_flight": 32, "breaker.probe_interval_ms": 1000,
                                        "retry.initial_backoff_ms": 20, "retry.max_backoff_ms": 100})
    scene.put(small(3_000))
    service = scene.service()
    scene.wait_results(1_000)
    sim.faults(fault)
    scene.put(small(100, prefix="later"))  # somebody gets it, even where all the others are answered by now
    service.wait_not_ready("api_down")
    stays_so(lambda: service.get("/readyz")[0] == 503, "the line is stopped", seconds(3, 30), 0.2)
    assert service.metric("care360_lookup_unclassified_replies_total") > 0 or fault == "html"
    sim.faults()
    all_found_once(scene)


@pytest.mark.alone
def test_latency_alone_lowers_no_limit_and_throughput_is_back_at_once(make_scene, sim, seconds, figure):
    in_flight = 32
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **{"lookup.in_flight": in_flight})
    scene.put(small(40_000))
    service = scene.service()
    scene.wait_results(2_000)
    begun = now_ms()
    wait_for(lambda: now_ms() > begun + 2 * SECOND_MS, "two seconds at 20 ms")
    slowed = now_ms()
    sim.set(latency_ms=2000)
    stays_so(lambda: service.get("/readyz")[0] == 200, "it stays ready", seconds(4, 20), 0.2)
    assert service.metric("care360_lookup_in_flight_limit") == in_flight, "latency lowers the limit"
    sim.set(latency_ms=20)
    before = answered_per_second(sim, begun, slowed)
    back = now_ms() + 2 * SECOND_MS  # the slow ones that are under way end first
    after = wait_for(lambda: recovered(answered_per_second(sim, back, now_ms()), 0.9 * max(before)), "throughput is back", 10, 0.5)
    figure(f"a second: {before} before, {after} after")
    assert service.metric("care360_lookup_retries_total") == 0, "no time-outs"
    service.terminate()
    assert all(json.loads(result.value)["outcome"] == "found" for result in scene.results())
