"""The log: what it looks like, and that nobody who does not read it holds the service up."""

import contextlib
import os
import pty
import re
import signal
import time

import pytest

from harness.paths import full_size
from harness.requests import plain, small
from harness.rounds import best_of_rounds
from harness.sim import Sim
from harness.waiting import wait_for

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info |warn |error) \S")


@contextlib.contextmanager
def nobody():
    """A pipe that nobody reads, full to its last byte."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n" * 65536)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n")
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@contextlib.contextmanager
def full_disk():
    with open("/dev/full", "wb") as full:
        yield full.fileno()


@contextlib.contextmanager
def a_file():
    yield None


class Terminal:
    """A terminal, and what was shown on it."""

    def __init__(self):
        self._master, self.fd = pty.openpty()
        os.set_blocking(self._master, False)
        self._shown = b""

    def text(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self._shown += os.read(self._master, 65536)
        return self._shown.decode().replace("\r\n", "\n")

    def close(self):
        os.close(self._master)
        os.close(self.fd)


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    made.close()


@pytest.mark.parametrize("environment, colours", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_it_is_text_in_colours_unless_no_color_is_set(make_scene, terminal, environment, colours):
    scene = make_scene()
    service = scene.service(stderr=terminal.fd, **environment)
    assert service.terminate() == 0
    shown = terminal.text()
    assert ("\033[" in shown) == colours
    for line in re.sub(r"\033\[[0-9;]*m", "", shown).splitlines():
        assert LINE.match(line), line


def test_librdkafkas_own_lines_pass_through_the_same_door(make_scene):
    scene = make_scene(**{"log.level": "debug", "kafka.client.debug": "all"})
    scene.put(small(10))
    service = scene.service()
    scene.wait_results(10)
    assert service.terminate() == 0
    lines = service.log_lines()
    assert all(list(line)[:3] == ["time", "level", "message"] for line in lines)
    assert any(line["message"].startswith("producer: ") for line in lines)
    assert any(line["message"].startswith("consumer: ") for line in lines)


@pytest.mark.parametrize("stderr", [nobody, full_disk])
def test_it_starts_works_and_stops_while_the_log_cannot_be_written(make_scene, stderr):
    scene = make_scene()
    scene.put(small(100))
    with stderr() as descriptor:
        service = scene.service(stderr=descriptor)
        scene.wait_worked_off()
        if stderr is full_disk:
            wait_for(lambda: service.metric("care360_lookup_log_lines_dropped_total") > 0, "dropped lines are counted")
        assert service.terminate() == 0
    scene.check().expect_exactly_once()


def test_a_second_signal_ends_it_although_nobody_reads_the_log(make_scene, sim):
    sim.faults("hang")
    scene = make_scene(**{"care360.timeout_ms": 60_000})
    scene.put(small(10))
    with nobody() as descriptor:
        service = scene.service(stderr=descriptor)
        wait_for(lambda: sim.stats()["requests"] > 0, "a request hangs")
        service.signal(signal.SIGTERM)
        service.wait_not_ready("stopping")
        service.signal(signal.SIGTERM)
        assert service.wait() == 1


def rate(make_scene, sim, count, stderr):
    """Events a second of one instance, its start among them."""
    scene = make_scene(sim=sim, partitions=8)
    scene.topics.produce(scene.requests_topic, 8, (plain(email=f"customer{n}@example.org") for n in range(count)), keep=False)
    with stderr() as descriptor:
        begun = time.monotonic()
        service = scene.service(ready=False, stderr=descriptor)
        wait_for(lambda: service.metric("care360_lookup_results_total") == count, "all are answered", 60 + count / 100)
        duration = time.monotonic() - begun
        service.end()
    return count / duration


@pytest.mark.alone
def test_throughput_does_not_depend_on_who_reads_the_log(make_scene, tmp_path, size, figure):
    count = size(5_000, 200_000)
    ways = {"a file": a_file, "a pipe that nobody reads": nobody, "a full disk": full_disk}
    least = 0.9 if full_size() else 0.4  # smaller runs on shared cores say little: they only see what stands still

    def alike(rates):
        return min(rates.values()) >= least * rates["a file"]

    with Sim(tmp_path / "quiet") as sim:
        best = best_of_rounds({name: lambda stderr=stderr: rate(make_scene, sim, count, stderr) for name, stderr in ways.items()},
                              alike, least=2)
    for name in ways:
        figure(f"log to {name}: {best[name]:,.0f} a second, {best[name] / best['a file']:.2f} of the first")
    assert alike(best)
