"""Plays rounds side by side, and writes down what they came to."""

import collections
import concurrent.futures
import dataclasses
import pathlib
import random
import statistics
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree
from typing import Callable, Dict, Iterable, List, Tuple

from .cases import CASES, Case
from .stage import Stage
from .trial import Outcome, Trial

_HEAD = ("case", "delivery", "rounds", "events", "lost", "repeated", "seconds to recover")


@dataclasses.dataclass
class Job:
    """A round to be played, and what it came to."""

    case: Case
    delivery: str
    number: int
    outcome: Outcome = dataclasses.field(default_factory=Outcome)
    seconds: float = 0

    @property
    def name(self) -> str:
        return f"{self.case.name}-{self.delivery}-{self.number}"

    @property
    def problem(self) -> str:
        """Why it failed. A service that is broken on purpose must have a problem, and that one."""
        outcome, catches = self.outcome, self.case.catches
        if not catches:
            return outcome.problem
        caught = outcome.lost if catches == "lost" else outcome.repeated - outcome.bound
        return "" if caught > 0 else f"the checker has not noticed: {outcome}"


class Player:
    """Plays rounds on a stage."""

    def __init__(self, stage: Stage, seed: int, events: int, long: bool, say: Callable[[str], None]) -> None:
        self._stage, self._seed, self._events, self._long, self._say = stage, seed, events, long, say

    def play(self, jobs: List[Job], side_by_side: int) -> None:
        """Plays them all; those that have the broker for themselves come last."""
        with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
            list(pool.map(lambda job: self._one(job, threading.Barrier(1)), (job for job in jobs if not job.case.together)))
            groups: Dict[Tuple[str, int], List[Job]] = collections.defaultdict(list)
            for job in jobs:
                if job.case.together:
                    groups[job.case.name, job.number].append(job)
            for group in groups.values():
                barrier = threading.Barrier(len(group))
                list(pool.map(lambda job: self._one(job, barrier), group))

    def _one(self, job: Job, barrier: threading.Barrier) -> None:
        begun = time.monotonic()
        # What a round chooses does not depend on which other rounds there are, but those that are played together
        # choose alike.
        own = "" if job.case.together else job.delivery
        chance = random.Random(f"{self._seed}/{job.case.name}/{own}/{job.number}")
        try:
            trial = Trial(self._stage, job.name, job.delivery, chance, self._events, self._long, barrier)
            job.outcome = trial.play(job.case.play)
        except Exception:  # noqa: BLE001: whatever it is, the other rounds are still to be played
            job.outcome.problem = traceback.format_exc()
        if job.problem:
            barrier.abort()  # nobody waits for it
        job.seconds = time.monotonic() - begun
        self._say(f"{f'FAILED  {job.name}: {job.problem}' if job.problem else f'ok      {job.name}'} ({job.seconds:.1f} s)")


def choose(word: str, delivery: str, rounds: int, long: bool) -> List[Job]:
    """The rounds that a word and a delivery choose; empty: all. The longest faults are the first to begin."""
    cases = [case for case in CASES.values() if word in case.name or word in case.what]
    cases = sorted((case for case in cases if long or not case.long_only), key=lambda case: -case.weight)
    return [Job(case, each, number) for case in cases for each in case.deliveries if delivery in ("", each)
            for number in range(1 if case.catches else min(rounds, case.most_rounds))]


def _lines(jobs: Iterable[Job]) -> Dict[Tuple[str, str], List[Job]]:
    lines: Dict[Tuple[str, str], List[Job]] = collections.defaultdict(list)
    order = list(CASES)
    for job in sorted(jobs, key=lambda job: order.index(job.case.name)):
        lines[job.case.what, job.delivery].append(job)
    return lines


def table(jobs: List[Job]) -> str:
    """What became of the requests, a line for each case and delivery, in Markdown."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    for (what, delivery), line in _lines(job for job in jobs if not job.case.catches).items():
        outcomes = [job.outcome for job in line]
        times = sorted(outcome.recovery for outcome in outcomes if outcome.recovery is not None)
        bound = sum(outcome.bound for outcome in outcomes)
        rows.append((what, delivery, str(len(line)), f"{sum(outcome.events for outcome in outcomes):,}",
                     str(sum(outcome.lost for outcome in outcomes)),
                     f"{sum(outcome.repeated for outcome in outcomes)}" + (f" of at most {bound}" if bound else ""),
                     f"{statistics.median(times):.1f}, at most {times[-1]:.1f}" if times else ""))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def self_test(jobs: List[Job]) -> str:
    """What the checker said of services that are broken on purpose."""
    return "\n".join(f"The checker on {what} ({delivery}): {line[0].outcome.lost} lost, {line[0].outcome.repeated} repeated"
                     for (what, delivery), line in _lines(job for job in jobs if job.case.catches).items())


def write_junit(jobs: List[Job], path: pathlib.Path) -> None:
    suite = ElementTree.Element("testsuite", name="chaos")
    for job in jobs:
        case = ElementTree.SubElement(suite, "testcase", classname=f"chaos.{job.case.name}", name=f"{job.delivery} {job.number}",
                                      time=f"{job.seconds:.3f}")
        if job.problem:
            ElementTree.SubElement(case, "failure", message=job.problem)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
