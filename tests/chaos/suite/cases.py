"""The cases: what goes wrong, one function each."""

import dataclasses
import pathlib
import signal
import time
from typing import Callable, Dict, Tuple

from harness.waiting import wait_for

from .trial import AT_LEAST_ONCE, EXACTLY_ONCE, Trial
from .stage import LATENCY_MS, SHIM

BOTH = (AT_LEAST_ONCE, EXACTLY_ONCE)
_SESSION_MS = 4000


@dataclasses.dataclass
class Case:
    """A line of the table, for each delivery."""

    name: str
    what: str
    play: Callable[[Trial], None]
    deliveries: Tuple[str, ...] = BOTH
    together: bool = False    # it is done to the broker, so to both deliveries at once and to nobody else
    long_only: bool = False
    most_rounds: int = 1 << 30
    weight: int = 0           # the heaviest begin first, so that none is left alone at the end
    catches: str = ""         # the service is broken on purpose, and the checker must say so: "lost" or "repeated"


CASES: Dict[str, Case] = {}


def case(name: str, what: str, **more) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    def add(play: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CASES[name] = Case(name, what, play, **more)
        return play

    return add


# --- the service ---


@case("kill", "kill -9 of the service", weight=5)
def _kill(trial: Trial) -> None:
    trial.put()
    service = trial.start()
    trial.wait_share(0.1, 0.7)
    trial.kill(service)
    trial.start()
    trial.healed()


@case("stop", "SIGSTOP beyond the session time-out, then SIGCONT", weight=12)
def _stop(trial: Trial) -> None:
    in_flight, a_second = 8, 8 * 1000 // LATENCY_MS
    trial.scene.settings["kafka.session_timeout_ms"] = _SESSION_MS
    trial.scene.settings["lookup.in_flight"] = in_flight
    trial.put(0.8)
    sleeper = trial.start(0)
    trial.wait_share(0.1, 0.4)
    sleeper.signal(signal.SIGSTOP)
    trial.dead()
    trial.put(0.2)  # there is something left to be committed, however late that was
    trial.healed()
    trial.start(1)
    trial.wait_committed_more()
    # It wakes up with replies in its sockets and goes on until it learns what it lost, which is told in its log.
    woken = time.monotonic()
    sleeper.signal(signal.SIGCONT)
    wait_for(lambda: "partitions lost" in sleeper.stderr or "partitions revoked" in sleeper.stderr, "it learns what it lost", 60)
    trial.allowance += in_flight + int(a_second * max(0.5, time.monotonic() - woken))


@case("storm", "6 instances join and leave at random", weight=10)
def _storm(trial: Trial) -> None:
    most = 6
    trial.scene.settings["lookup.in_flight"] = 4
    trial.put(2)
    running = [trial.start(slot, named=False) for slot in range(most)]
    leaving = []
    for step in range(30 if trial.long else 8):
        trial.pause(0.1, 0.8)
        if len(running) == most or (len(running) > 1 and trial.chance.random() < 0.5):
            leaving.append(running.pop(trial.chance.randrange(len(running))))
            leaving[-1].wait_begun().signal(signal.SIGTERM)
        else:
            running.append(trial.start(most + step, named=False))
    for service in leaving:
        status = service.wait(60)
        assert status == 0, f"{service.name} ended with {status}: {service.stderr[-1500:]}"
    trial.healed()


@case("clock", "the clock jumps an hour ahead, then two hours back")
def _clock(trial: Trial) -> None:
    offset = trial.scene.directory / "offset"
    offset.parent.mkdir(parents=True, exist_ok=True)
    offset.write_text("+0")
    trial.put()
    service = trial.start(LD_PRELOAD=f"{SHIM} {_faketime()}", FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1",
                          FAKETIME_DONT_FAKE_MONOTONIC="1")
    for jump in ("+3600", "-3600"):
        trial.wait_share(0.2, 0.4)
        offset.write_text(jump)
    trial.healed()
    trial.finish()
    hours = {line["time"][:13] for line in service.log_lines()}
    assert len(hours) > 1, f"it has seen no other hour than {hours}"


def _faketime() -> pathlib.Path:
    found = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing; deploy/packages lists it"
    return found[0]


# --- the broker ---


@case("broker", "the broker is killed and restarted", together=True)
def _broker(trial: Trial) -> None:
    trial.put()
    trial.start()
    trial.wait_share(0.1, 0.6)

    def restart() -> None:
        trial.stage.broker.kill()
        trial.pause(0, 2)
        trial.stage.broker.start()

    before = trial.committed()
    trial.once_for_all(restart)
    trial.dead(before)  # where its session is over by now, that is what it is to the group
    trial.healed()


def _on_wire(trial: Trial, spoil: Callable, seconds: Tuple[float, float], silent: bool) -> None:
    """Something happens to the way to the broker for a while; `silent`: nothing comes through."""
    with trial.stage.wire() as wire:
        trial.scene.settings["kafka.brokers"] = wire.address
        trial.put()
        trial.start()
        trial.wait_share(0.1, 0.4)
        spoil(wire)
        trial.pause(*seconds)
        if silent:
            trial.dead()  # where its session is over by now, that is what it is to the group
        wire.mend()
        trial.healed()
        trial.finish()


@case("cut", "the broker's connections are cut, and refused for up to 3 s")
def _cut(trial: Trial) -> None:
    _on_wire(trial, lambda wire: wire.cut(), (0, 3), True)


@case("delay", "the broker answers 0.1 to 1.5 s late")
def _delay(trial: Trial) -> None:
    milliseconds = trial.chance.randrange(100, 500)
    _on_wire(trial, lambda wire: wire.delay(milliseconds, milliseconds // 2), (2, 4), False)


@case("throttle", "the broker's connections carry 20 to 100 kB a second")
def _throttle(trial: Trial) -> None:
    rate = trial.chance.randrange(20, 100)
    _on_wire(trial, lambda wire: wire.throttle(rate), (2, 4), False)


def _add_black_hole(seconds: int, **more) -> None:
    @case(f"black-hole-{seconds}", f"nothing comes through for {seconds} s", **more)
    def _black_hole(trial: Trial) -> None:
        _on_wire(trial, lambda wire: wire.swallow(), (seconds, seconds), True)


_add_black_hole(5, weight=8)
_add_black_hole(30, weight=40, long_only=True, most_rounds=5)
_add_black_hole(120, weight=130, long_only=True, most_rounds=3)


@case("close", "the coordinator is gone when the service closes", weight=8)
def _close(trial: Trial) -> None:
    with trial.stage.wire() as wire:
        trial.scene.settings["kafka.brokers"] = wire.address
        trial.scene.settings["shutdown.timeout_ms"] = 3000
        trial.put()
        service = trial.start()
        trial.wait_share(0.1, 0.6)
        trial.chance.choice([wire.cut, wire.swallow])()
        service.signal(signal.SIGTERM)
        status = service.wait(30)
        assert status in (0, 1), f"it ended with {status}: {service.stderr[-1500:]}"
        trial.dead()
        wire.mend()
        trial.start()
        trial.healed()
        trial.finish()


@case("queue", "the producer's queue is full", weight=6)
def _queue(trial: Trial) -> None:
    full = trial.scene.directory / "full"
    with trial.stage.wire() as wire:
        trial.scene.settings["kafka.brokers"] = wire.address
        trial.scene.settings["kafka.producer.queue_buffering_max_messages"] = 8
        wire.delay(trial.chance.randrange(10, 30), 5)
        trial.put(0.5)
        trial.start(LD_PRELOAD=str(SHIM), CHAOS_FULL=str(full))
        trial.finish()
    assert full.exists(), "the queue was never full"


# --- topics ---


@case("partitions", "the topic gains partitions")
def _partitions(trial: Trial) -> None:
    trial.scene.settings["kafka.client.topic_metadata_refresh_interval_ms"] = 500
    trial.put(0.5)
    trial.start()
    trial.wait_share(0.1, 0.4)
    trial.scene.partitions *= 2
    trial.scene.topics.grow(trial.scene.requests_topic, trial.scene.partitions)
    trial.put(0.5)
    trial.healed()


@case("result-topic", "the topic of results is deleted and made again", weight=7)
def _result_topic(trial: Trial) -> None:
    scene = trial.scene
    trial.put(0.5)
    service = trial.start()
    trial.settle()
    trial.judge()
    scene.topics.delete(scene.results_topic)
    trial.put(0.6)
    wait_for(lambda: scene.results_topic in service.stderr, "the log names the topic", 60)
    scene.topics.create(scene.results_topic, scene.partitions)
    trial.forget_results()
    trial.healed()


@case("request-topic", "the topic of requests is deleted and made again", weight=14)
def _request_topic(trial: Trial) -> None:
    scene = trial.scene
    trial.scene.settings["kafka.client.topic_metadata_refresh_interval_ms"] = 500
    trial.put(0.5)
    trial.start()
    trial.settle()
    trial.judge()
    scene.topics.delete(scene.requests_topic)
    trial.pause(0, 2)
    scene.topics.create(scene.requests_topic, scene.partitions)
    # Fewer than there were: a topic that is beyond the old one's offsets before anybody looks hides its beginning.
    trial.put(0.1)
    trial.healed()
    trial.settle()
    trial.put(0.5)


# --- kill -9 at a chosen point ---


def _add_point(name: str, what: str, moment: str, function: str, most: int, deliveries: Tuple[str, ...] = BOTH) -> None:
    @case(name, f"kill -9 {what}", deliveries=deliveries)
    def _at_point(trial: Trial) -> None:
        call = trial.chance.randrange(1, most)
        trial.put()
        service = trial.start(LD_PRELOAD=str(SHIM), CHAOS_DIE=f"{moment} {function} {call}")
        status = trial.wait_ended(service)
        assert status == -signal.SIGKILL, f"it ended with {status}: {service.stderr[-1500:]}"
        trial.dead()
        trial.start()
        trial.healed()


_add_point("before-produce", "before a result is produced", "before", "rd_kafka_produceva", 600)
_add_point("after-produce", "once a result is in the producer's queue", "after", "rd_kafka_produceva", 600)
_add_point("report-store", "between delivery report and store", "before", "rd_kafka_offsets_store", 8, (AT_LEAST_ONCE,))
_add_point("store-commit", "between store and commit", "before", "rd_kafka_commit", 8, (AT_LEAST_ONCE,))
_add_point("after-commit", "while a commit is on its way", "after", "rd_kafka_commit", 8, (AT_LEAST_ONCE,))
_add_point("transaction-begun", "at the begin of a transaction", "after", "rd_kafka_begin_transaction", 8, (EXACTLY_ONCE,))
_add_point("transaction-offsets", "inside a transaction, offsets sent", "after", "rd_kafka_send_offsets_to_transaction", 8, (EXACTLY_ONCE,))
_add_point("transaction-commit", "inside a transaction, before its commit", "before", "rd_kafka_commit_transaction", 8, (EXACTLY_ONCE,))
_add_point("transaction-over", "once a transaction is committed", "after", "rd_kafka_commit_transaction", 8, (EXACTLY_ONCE,))


# --- the checker's own test: services that are broken ---


@case("commits-early", "a service that commits too early", deliveries=(AT_LEAST_ONCE,), catches="lost")
def _commits_early(trial: Trial) -> None:
    trial.scene.settings["lookup.in_flight"] = 2  # so that there is something to lose, however late it is killed
    trial.put()
    service = trial.start(LD_PRELOAD=str(SHIM), CHAOS_SPOIL="commits_early")
    trial.wait_share(0.1, 0.4)
    trial.kill(service)
    trial.start()


@case("drops", "a service that drops a result", deliveries=BOTH, catches="lost")
def _drops(trial: Trial) -> None:
    sink = trial.scene.topics.create(trial.scene.results_topic + "-sink", 1)
    trial.put(0.5)
    trial.start(LD_PRELOAD=str(SHIM), CHAOS_SPOIL="drops", CHAOS_SINK=sink)


@case("doubles", "a service that publishes twice", deliveries=BOTH, catches="repeated")
def _doubles(trial: Trial) -> None:
    trial.put(0.5)
    trial.start(LD_PRELOAD=str(SHIM), CHAOS_SPOIL="doubles")
