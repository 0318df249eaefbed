"""Instances die, stop, join and leave in the middle of the work: nothing is lost."""

import collections
import contextlib
import time

from confluent_kafka import KafkaException

from harness.broker import KafkaBroker
from harness.deaths import BROKER_TIME, Death, kill, offset_of, restart_after_fatal_error, uncommitted_at
from harness.records import Topics
from harness.requests import mixture, small
from harness.scene import Scene
from harness.waiting import wait_for

COMMIT_INTERVAL_MS = 200  # the default of kafka.commit_interval_ms
SLACK_MS = 500            # for a commit's way to the broker on two busy cores

SHORT_SESSION = {"kafka.session_timeout_ms": 2000}


def test_kill_dash_nine_ten_times_loses_nothing_and_repeats_little(make_scene, sim, size, figure):
    count, deaths = size(30_000, 100_000), 10
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, topic_settings=BROKER_TIME)
    scene.put(mixture(count))
    named = {"kafka.instance_id": scene.group}  # takes over at once, however late the dead one's heartbeat was
    killed = [Death(0, 0, {partition: 0 for partition in range(8)})]  # before the first life
    for death in range(deaths):
        service = scene.service(ready=False, settings=named)
        scene.wait_results((death + 1) * count // (deaths + 1))
        killed.append(kill(scene, service))
    scene.service(ready=False, settings=named)
    scene.wait_worked_off(60 + count / 500)
    report = scene.check()
    report.expect_nothing_lost()
    results = list(scene.results())
    repeats = repeats_of_each_death(results, killed)[1:]
    allowed = [uncommitted_at(results, death) for death in killed[1:]]
    figure(f"{report}; repeats of each death: {repeats}, of at most {allowed} published and not yet committed")
    assert sum(repeats) == len(report.repeated)
    assert all(repeated <= most for repeated, most in zip(repeats, allowed)), "more repeats than the contract allows"
    late = [said for before, death in zip(killed, killed[1:]) for said in late_commits(results, before, death)[:1]]
    assert len(late) <= deaths // 2, late  # a machine that stalls is late once or twice, a service that commits too seldom each time


def repeats_of_each_death(results, killed):
    """
    A repeat belongs to the last death that was over before it: what the dying instance itself still had on its way
    to the broker when it was killed is owed to the death before.
    """
    repeats = [0] * len(killed)
    seen = set()
    for result in sorted(results, key=lambda r: (r.timestamp_ms, r.offset)):
        if result.ce_id in seen:
            repeats[max(n for n, death in enumerate(killed) if death.over_ms <= result.timestamp_ms)] += 1
        seen.add(result.ce_id)
    return repeats


def late_commits(results, before, death):
    """What a life saw acknowledged without a gap, a commit interval before its death, and had not committed."""
    acknowledged = collections.defaultdict(dict)
    for result in results:
        if before.over_ms < result.timestamp_ms <= death.when_ms:
            partition, offset = offset_of(result)
            acknowledged[partition].setdefault(offset, result.timestamp_ms)
    deadline = death.when_ms - COMMIT_INTERVAL_MS - SLACK_MS
    late = []
    for partition, committed in death.committed.items():
        watermark = before.committed[partition]
        while acknowledged[partition].get(watermark, deadline + 1) <= deadline:
            watermark += 1
        if committed < watermark:
            late.append(f"partition {partition}: {committed} committed, but all below {watermark} were acknowledged "
                        f"{COMMIT_INTERVAL_MS + SLACK_MS} ms before the death")
    return late


def test_sigterm_in_the_middle_loses_and_repeats_nothing(make_scene, sim, size, figure):
    count, stops = size(20_000, 100_000), 3
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8)
    scene.put(mixture(count))
    drains = []
    for stop in range(stops):
        service = scene.service()
        scene.wait_results((stop + 1) * count // (stops + 1))
        begun = time.monotonic()
        assert service.terminate() == 0, service.stderr[-2000:]
        drains.append(round(time.monotonic() - begun, 2))
    scene.service(ready=False)
    scene.wait_worked_off(60 + count / 500)
    report = scene.check()
    figure(f"{report}; seconds to drain: {drains}")
    report.expect_exactly_once()


def test_instances_that_join_and_leave_lose_nothing(make_scene, sim, size, figure):
    count = size(20_000, 100_000)
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **{"lookup.in_flight": 64})
    scene.put(mixture(count))
    scene.service()
    for step in (1, 3):
        scene.wait_results(step * count // 6)
        other = scene.service()
        wait_for(lambda: other.metric("care360_lookup_assigned_partitions") == 4, "the partitions are shared")
        scene.wait_results((step + 1) * count // 6)
        assert other.terminate() == 0, other.stderr[-2000:]
    scene.wait_worked_off(60 + count / 500)
    report = scene.check()
    figure(str(report))
    report.expect_nothing_lost()
    assert not report.repeated, "a rebalance drains what it takes away, so that nothing is repeated"


def test_a_dead_instance_is_replaced_by_the_one_that_is_left(make_scene, sim):
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **SHORT_SESSION)
    dying = scene.service()
    scene.service()
    scene.put(small(8_000))
    scene.wait_results(1_000)
    dying.kill()
    scene.wait_worked_off(60)
    scene.check().expect_nothing_lost()


def test_the_broker_going_and_coming_back_loses_nothing(tmp_path, sim, figure):
    sim.set(latency_ms=5)
    with KafkaBroker() as broker, Scene(Topics(broker.bootstrap), sim, tmp_path, partitions=4) as scene:
        service = scene.service()
        scene.put(small(10_000))
        ends = scene.topics.ends(scene.requests_topic)
        scene.wait_results(2_000)
        broker.stop()
        service.wait_not_ready("", 60)
        broker.start()

        def worked_off() -> bool:
            if not scene.services[-1].running():
                restart_after_fatal_error(scene)
            with contextlib.suppress(KafkaException):  # a broker that has just come back has no leaders yet
                return scene.topics.committed(scene.group, scene.requests_topic) == ends
            return False

        wait_for(worked_off, "all is committed", 90, 0.1)
        report = scene.check()
        figure(f"{report}; {len(scene.services) - 1} restarts after a fatal error of the producer")
        report.expect_nothing_lost()
        scene.services[-1].wait_ready()
