"""An update, one instance after the other, while requests come in: nobody notices."""

import threading

import pytest

from harness.requests import mixture
from harness.waiting import wait_for

INSTANCES, PARTITIONS = 3, 9


class Load:
    """Requests that keep coming until it is over."""

    def __init__(self, scene, a_second: int) -> None:
        self._scene = scene
        self._batch = a_second // 10
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        seed = 0
        while not self._over.wait(0.1):
            seed += 1
            self._scene.put(mixture(self._batch, seed))


def shared(services) -> bool:
    """Whether every partition has an owner, and every instance its share."""
    for service in services:
        service.expect_running()
    return [s.metric("care360_lookup_assigned_partitions") for s in services] == [PARTITIONS / INSTANCES] * INSTANCES


@pytest.mark.parametrize("named", [False, True], ids=["members come and go", "members keep their names"])
def test_a_rolling_update_loses_and_repeats_nothing(make_scene, sim, figure, named):
    sim.set(latency_ms=20)
    scene = make_scene(partitions=PARTITIONS)

    def start(number: int):
        return scene.service(settings={"kafka.instance_id": f"{scene.group}-{number}"} if named else {})

    running = [start(number) for number in range(INSTANCES)]
    wait_for(lambda: shared(running), "the partitions are shared", 60)
    with Load(scene, 600):
        scene.wait_results(500)
        for number in range(INSTANCES):
            assert running[number].terminate() == 0, running[number].stderr[-2000:]
            running[number] = start(number)
            wait_for(lambda: shared(running), "the new instance has its share", 60)
            scene.wait_results(scene.result_count() + 500)
    scene.wait_worked_off(180)
    report = scene.check()
    figure(str(report))
    report.expect_exactly_once()
