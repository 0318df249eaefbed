"""One round of a case: a service at work, something done to it, and what became of the requests."""

import contextlib
import dataclasses
import random
import shutil
import threading
import time
from typing import Any, Callable, Dict, List, Optional, TypeVar

from confluent_kafka import KafkaException
from harness.checker import Report, Result
from harness.deaths import BROKER_TIME, Death, ended_by_fatal_error, uncommitted_at
from harness.records import Topics
from harness.requests import small
from harness.scene import Scene
from harness.service import Service
from harness.waiting import wait_for

from .stage import Stage

Answer = TypeVar("Answer")

AT_LEAST_ONCE, EXACTLY_ONCE = "at_least_once", "exactly_once"
_PARTITIONS = 4
_RESTARTS = 3
_PATIENCE = 120.0

# The service is busy for a second or two with a round's requests, and has no port that somebody could take.
_SETTINGS = {"server.listen": "", "lookup.in_flight": 16, "lookup.workers": 1, "kafka.commit_interval_ms": 50,
             "kafka.transaction_interval_ms": 50}


@dataclasses.dataclass
class Outcome:
    """What a round has come to."""

    events: int = 0
    lost: int = 0
    repeated: int = 0
    bound: int = 0  # how many repeats the contract allows
    recovery: Optional[float] = None  # seconds
    problem: str = ""


class Trial:
    """
    What a case has at hand. All that it chooses comes from `chance`, which follows from the seed, the case and
    the number of the round.
    """

    def __init__(self, stage: Stage, name: str, delivery: str, chance: random.Random, events: int, long: bool,
                 barrier: threading.Barrier) -> None:
        self.stage = stage
        self.chance = chance
        self.long = long
        self.events = events
        self.once = delivery == EXACTLY_ONCE
        self.allowance = 0  # repeats that the contract allows beside those of deaths
        self._directory = stage.directory / name
        self._topics = Topics(stage.broker.bootstrap)
        self.scene = Scene(self._topics, stage.sim, self._directory, _PARTITIONS, BROKER_TIME, **_SETTINGS, **{"kafka.delivery": delivery})
        # A dead instance that had a name is replaced at once, else when its session and its transaction time out.
        self._named = not long or chance.random() < 0.5
        self._barrier = barrier
        self._deaths: List[Death] = []
        self._outcome = Outcome()
        self._last_start: Dict[str, Any] = {}
        self._healed_at: Optional[float] = None
        self._healed_with = 0
        self._finished = False
        self._seen: Dict[int, int] = {}  # results below these offsets are judged already

    def play(self, case: Callable[["Trial"], None]) -> Outcome:
        """Files of a round without a problem are removed."""
        try:
            with self.scene:
                case(self)
                self.finish()
                self.judge()
        except (AssertionError, KafkaException) as error:
            self._outcome.problem = self._outcome.problem or f"{error} (see {self._directory})"
        finally:
            self._topics.admin.delete_topics([self.scene.requests_topic, self.scene.results_topic])
            self._topics.end()
        if not self._outcome.problem:
            shutil.rmtree(self._directory, ignore_errors=True)
        return self._outcome

    # --- what cases do ---

    def put(self, share: float = 1.0) -> None:
        """Puts that share of the round's requests into the topic."""
        number = self._outcome.events + len(self.scene.sent)
        self.scene.put(small(int(self.events * share), keys=100, prefix=f"n{number}-"))

    def start(self, slot: int = 0, named: Optional[bool] = None, settings: Optional[Dict[str, Any]] = None, **environment: str) -> Service:
        """Starts an instance; who has a name has that of its slot."""
        names = {}
        if self._named if named is None else named:
            names["kafka.instance_id"] = f"{self.scene.group}-{slot}"
            if self.once:
                names["kafka.transactional_id"] = f"{self.scene.group}-{slot}"
        self._last_start = {"settings": {**names, **(settings or {})}}
        return self.scene.service(ready=False, **self._last_start, **environment)

    def wait_share(self, low: float, high: float) -> None:
        """Waits until some share of the requests, chosen between these, has results."""
        wanted = int(self.chance.uniform(low, high) * self.events)
        self._wait(lambda: self._ask(self.scene.result_count) >= wanted, f"{wanted} results")

    def wait_committed_more(self) -> None:
        """Waits until somebody commits something."""
        before = sum(self.committed().values())
        self._wait(lambda: sum(self.committed().values()) > before, "something is committed")

    def kill(self, service: Service) -> None:
        """kill -9; its repeats are allowed for."""
        service.kill()
        self.dead()

    def committed(self) -> Dict[int, int]:
        """The group's committed offsets."""
        return self._ask(lambda: self._topics.committed(self.scene.group, self.scene.requests_topic))

    def dead(self, committed: Optional[Dict[int, int]] = None) -> None:
        """
        Whoever is at work publishes no more, and its repeats are allowed for. Where it may go on before the group
        can be asked, `committed` is what was committed before.
        """
        if not self.once:
            now = time.time() * 1000
            self._deaths.append(Death(now, now, committed or self.committed()))

    def pause(self, low: float, high: float) -> None:
        """For as long as a fault lasts."""
        time.sleep(self.chance.uniform(low, high))

    def wait_ended(self, service: Service) -> int:
        """
        Waits until a service has died of what it does; its exit status. Where it has done all there is before that,
        since it did much at once, it gets more to do.
        """
        def ended() -> bool:
            if service.running() and self.committed() == self._ends():
                self.put(0.1)
            return not service.running()

        self._wait(ended, f"{service.name} has died")
        return service.wait()

    def once_for_all(self, do: Callable[[], None]) -> None:
        """Something that is done once, when all that are played together have come so far."""
        if self._barrier.wait(_PATIENCE) == 0:
            do()
        self._barrier.wait(_PATIENCE)

    def healed(self) -> None:
        """From now on the service can recover: it has when it commits something."""
        self._healed_with = sum(self.committed().values())
        self._healed_at = time.monotonic()

    def settle(self) -> None:
        """Waits until all is committed. Who ended by a fatal error is started again, as an orchestrator does."""
        ends = self._ends()

        def done() -> bool:
            self._revive()
            committed = self.committed()
            if self._healed_at is not None and sum(committed.values()) > self._healed_with:
                self._outcome.recovery = round(time.monotonic() - self._healed_at, 2)
                self._healed_at = None
            return committed == ends

        self._wait(done, "all is committed")

    def finish(self) -> None:
        """Settles, then ends all that are left in an orderly way, whatever was done to them."""
        if self._finished:
            return
        self.settle()
        for service in self.scene.services:
            if service.running():
                status = service.wait_begun().terminate()
                assert status == 0, f"{service.name} ended with {status}: {service.stderr[-1500:]}"
        self._finished = True

    def judge(self) -> None:
        """Compares results with requests; what it has seen is left out the next time."""
        results = [r for r in self._ask(self.scene.settled_results) if r.offset >= self._seen.get(r.partition, 0)]
        self._note(self.scene.check(results), results)
        self._seen = self._ask(lambda: self._topics.ends(self.scene.results_topic))
        self.scene.sent = []

    def forget_results(self) -> None:
        """The topic of results is another one."""
        self._seen = {}

    # --- inside ---

    def _note(self, report: Report, results: List[Result]) -> None:
        outcome = self._outcome
        bound = sum(uncommitted_at(results, death) for death in self._deaths) + (0 if self.once else self.allowance)
        outcome.events += report.requests
        outcome.lost += len(report.lost)
        outcome.repeated += len(report.repeated)
        outcome.bound += bound
        if report.lost or report.wrong or report.reordered or len(report.repeated) > bound:
            outcome.problem = (f"{report}, of at most {bound} repeated: {(report.lost + report.wrong + report.reordered)[:3]} "
                               f"(see {self._directory})")

    def _ends(self) -> Dict[int, int]:
        """Where each partition of requests ends."""
        return self._ask(lambda: self._topics.ends(self.scene.requests_topic))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Asks the broker, again where it has just come back and has no leaders or coordinators yet."""
        answers: List[Answer] = []

        def asked() -> bool:
            with contextlib.suppress(KafkaException):
                answers.append(question())
            return bool(answers)

        wait_for(asked, "the broker answers", _PATIENCE, 0.1)
        return answers[0]

    def _revive(self) -> None:
        services = self.scene.services
        if any(service.running() for service in services):
            return
        assert ended_by_fatal_error(services[-1]), services[-1].stderr[-2000:]
        assert len(services) <= _RESTARTS, "it does not come to an end"
        self.dead()
        self.scene.service(ready=False, **self._last_start)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        wait_for(condition, what, _PATIENCE, 0.05, detail=lambda: self.scene.services[-1].stderr[-1500:])
