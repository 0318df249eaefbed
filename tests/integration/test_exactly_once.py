"""kafka.delivery = "exactly_once": whoever reads committed data sees each result once, whatever dies."""

import time

from harness.broker import KafkaBroker
from harness.records import Topics
from harness.requests import mixture, small
from harness.scene import Scene
from harness.waiting import wait_for

ONCE = {"kafka.delivery": "exactly_once", "kafka.session_timeout_ms": 6000}


class Reader:
    """Reads committed results as they come."""

    def __init__(self, scene):
        self._follower = scene.topics.follow(scene.results_topic)
        self.count = 0

    def wait(self, count, timeout=90.0):
        def enough():
            self.count += len(self._follower.take())
            return self.count >= count

        wait_for(enough, f"{count} committed results", timeout, 0, detail=lambda: f"{self.count} so far")

    def close(self):
        self._follower.close()


def check_once(scene, timeout=90.0):
    scene.wait_worked_off(timeout)
    report = scene.check()
    report.expect_exactly_once()
    return report


def test_each_result_is_seen_once_and_offsets_are_committed_with_them(make_scene, sim):
    scene = make_scene(partitions=4, **ONCE)
    scene.put(mixture(3_000))
    service = scene.service()
    check_once(scene)
    assert service.terminate() == 0, service.stderr[-2000:]


def test_kill_dash_nine_in_the_middle_repeats_and_loses_nothing(make_scene, sim, size, figure):
    count, deaths = size(12_000, 100_000), 4
    sim.set(latency_ms=10)
    scene = make_scene(partitions=8, **ONCE)
    scene.put(mixture(count))
    reader = Reader(scene)
    for death in range(deaths):
        service = scene.service(ready=False)
        reader.wait((death + 1) * count // (deaths + 1))
        service.kill()
    reader.close()
    scene.service(ready=False)
    report = check_once(scene, 60 + count / 200)
    figure(f"{deaths} deaths: {report}")


def test_sigterm_in_the_middle_repeats_and_loses_nothing(make_scene, sim, size, figure):
    count = size(8_000, 50_000)
    sim.set(latency_ms=10)
    scene = make_scene(partitions=8, **ONCE)
    scene.put(mixture(count))
    reader = Reader(scene)
    drains = []
    for stop in range(2):
        service = scene.service()
        reader.wait((stop + 1) * count // 3)
        begun = time.monotonic()
        assert service.terminate() == 0, service.stderr[-2000:]
        drains.append(round(time.monotonic() - begun, 2))
    reader.close()
    scene.service(ready=False)
    figure(f"seconds to drain: {drains}; {check_once(scene)}")


def test_a_second_instance_joins_and_leaves(make_scene, sim, size, figure):
    count = size(8_000, 50_000)
    sim.set(latency_ms=20)
    scene = make_scene(partitions=8, **ONCE, **{"lookup.in_flight": 64})
    scene.put(mixture(count))
    reader = Reader(scene)
    scene.service()
    reader.wait(count // 4)
    other = scene.service()
    wait_for(lambda: other.metric("care360_lookup_assigned_partitions") == 4, "the partitions are shared")
    reader.wait(count // 2)
    assert other.terminate() == 0, other.stderr[-2000:]
    reader.close()
    figure(str(check_once(scene)))


def test_a_zombie_cannot_commit(make_scene, sim):
    """An instance that sleeps beyond its session has lost its partitions when it wakes up."""
    sim.set(latency_ms=20)
    scene = make_scene(partitions=4, **ONCE, **{"lookup.in_flight": 32})
    scene.put(small(6_000))
    reader = Reader(scene)
    sleeper = scene.service()
    reader.wait(500)
    sleeper.signal(19)  # SIGSTOP
    other = scene.service(ready=False)
    wait_for(lambda: other.metric("care360_lookup_assigned_partitions") == 4, "the other takes over", 60)
    reader.wait(2_000)
    sleeper.signal(18)  # SIGCONT
    reader.close()
    check_once(scene)


def test_the_broker_restarts(tmp_path, sim, figure):
    sim.set(latency_ms=5)
    with KafkaBroker() as broker, Scene(Topics(broker.bootstrap), sim, tmp_path, partitions=4, **ONCE) as scene:
        service = scene.service()
        scene.put(small(6_000))
        ends = scene.topics.ends(scene.requests_topic)
        reader = Reader(scene)
        reader.wait(1_000)
        reader.close()
        broker.stop()
        service.wait_not_ready("", 60)
        broker.start()

        def committed():
            if not scene.services[-1].running():
                scene.service(ready=False)
            try:
                return scene.topics.committed(scene.group, scene.requests_topic) == ends
            except Exception:  # noqa: BLE001: a broker that has just come back has no leaders yet
                return False

        wait_for(committed, "all is committed", 120, 0.1, detail=lambda: scene.services[-1].stderr[-1500:])
        report = scene.check()
        figure(f"{report}; {len(scene.services) - 1} restarts after a fatal error")
        report.expect_exactly_once()
