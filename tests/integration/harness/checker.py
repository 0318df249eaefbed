"""Compares what came out with what had to: one result for each request, the right one, in order.

Its own tests are in test_checker.py: it must catch a service that loses, doubles, reorders or lies.
"""

import collections
import dataclasses
import datetime
import json
import re
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .requests import FOUND, MALFORMED, NULL_OR, Request

RETRYABLE = {"api_unavailable"}
API_ANSWERS = {
    "case_not_found": ("No Case found for provided details!", 400),
    "email_missing": ("Email id not provided!", 400),
}
FORWARDED = ("traceparent", "tracestate")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@dataclasses.dataclass
class Result:
    """A record of the result topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: List[Tuple[str, Optional[bytes]]]

    def header(self, name: str) -> Optional[bytes]:
        return next((value for header, value in self.headers if header == name), None)

    @property
    def ce_id(self) -> str:
        return (self.header("ce_id") or b"").decode(errors="replace")


def milliseconds(time: str) -> float:
    """A time of a result, in milliseconds since 1970."""
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000


@dataclasses.dataclass
class Report:
    """What the comparison found."""

    requests: int = 0
    results: int = 0
    lost: List[str] = dataclasses.field(default_factory=list)
    repeated: List[str] = dataclasses.field(default_factory=list)  # one entry a repeat
    wrong: List[str] = dataclasses.field(default_factory=list)
    reordered: List[str] = dataclasses.field(default_factory=list)
    reasons: Dict[str, int] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return (f"{self.requests} requests, {self.results} results, {len(self.lost)} lost, {len(self.repeated)} repeated, "
                f"{len(self.wrong)} wrong, {len(self.reordered)} out of order")

    def expect_exactly_once(self) -> None:
        self.expect_nothing_lost()
        assert not self.repeated, f"{self}: {self.repeated[:5]}"

    def expect_nothing_lost(self) -> None:
        """Every request has its right result, and maybe repeats of it."""
        assert not self.lost, f"{self}: lost {self.lost[:5]}"
        assert not self.wrong, f"{self}: " + "; ".join(self.wrong[:5])
        assert not self.reordered, f"{self}: " + "; ".join(self.reordered[:5])


@dataclasses.dataclass
class Checker:
    """The settings that decide what a right result is."""

    group_id: str
    with_key: bool = True  # lookup.result_key = "request"
    ordering: str = "key"  # lookup.ordering

    def check(self, requests: Iterable[Request], results: Iterable[Result]) -> Report:
        """Compares; results must be in the order of their offsets within each partition."""
        report = Report()
        by_id: Dict[str, List[Result]] = collections.defaultdict(list)
        for result in results:
            by_id[result.ce_id].append(result)
            report.results += 1
        lanes: Dict[Any, List[Tuple[Request, Result]]] = collections.defaultdict(list)
        for request in requests:
            report.requests += 1
            answers = by_id.pop(request.ce_id, [])
            if not answers:
                report.lost.append(f"{request.ce_id} ({request.kind})")
                continue
            report.repeated += [request.ce_id] * (len(answers) - 1)
            for answer in answers:
                report.wrong += [f"{request.ce_id} ({request.kind}): {p}" for p in self.problems(request, answer)]
            self._note_order(lanes, request, answers[0])
            report.reasons[request.reason] = report.reasons.get(request.reason, 0) + 1
        report.wrong += [f"a result of no request: {ce_id!r}" for ce_id in by_id]
        for lane in lanes.values():
            report.reordered += order_problems(lane)
        return report

    def problems(self, request: Request, result: Result) -> List[str]:
        """What is wrong with one result."""
        found = self._key_and_header_problems(request, result)
        try:
            value = json.loads(result.value)
        except (TypeError, ValueError):
            return found + ["its value is no JSON"]
        return found + value_problems(request, value, result)

    def _key_and_header_problems(self, request: Request, result: Result) -> List[str]:
        expected = {
            "content-type": b"application/json",
            "ce_specversion": b"1.0",
            "ce_source": f"/care360-lookup/{self.group_id}".encode(),
            "ce_type": b"care360.lookup.found.v1" if request.reason == FOUND else b"care360.lookup.error.v1",
        }
        problems = [f"header {name} is {result.header(name)!r}, not {value!r}"
                    for name, value in expected.items() if result.header(name) != value]
        key = request.key if self.with_key else None
        if result.key != key:
            problems.append(f"its key is {result.key!r}, not {key!r}")
        forwarded = [(name, value) for name, value in request.headers if name in FORWARDED]
        rest = [(name, value) for name, value in result.headers if name not in expected and name not in ("ce_id", "ce_time")]
        if sorted(rest, key=str) != sorted(forwarded, key=str):
            problems.append(f"its other headers are {rest}, not {forwarded}")
        return problems

    def _note_order(self, lanes: Dict[Any, list], request: Request, first: Result) -> None:
        """Puts a result in the lane whose order it must keep. A result partition is what has an order."""
        if self.ordering == "key" and request.key is not None:
            lanes[request.topic, request.partition, request.key, first.partition].append((request, first))
        elif self.ordering == "partition":
            lanes[request.topic, request.partition, first.partition].append((request, first))


def order_problems(lane: List[Tuple[Request, Result]]) -> List[str]:
    """First results of one lane must come in the order of their requests."""
    lane = sorted(lane, key=lambda pair: pair[0].offset)
    return [f"{later[0].ce_id} was answered before {earlier[0].ce_id}"
            for earlier, later in zip(lane, lane[1:]) if later[1].offset < earlier[1].offset]


def value_problems(request: Request, value: Any, result: Result) -> List[str]:
    """What is wrong with the JSON of a result."""
    problems = []

    def expect(name: str, actual: Any, expected: Any) -> None:
        if actual != expected or type(actual) is not type(expected):
            problems.append(f"{name} is {actual!r}, not {expected!r}")

    if not isinstance(value, dict):
        return ["its value is no object"]
    if not request_id_right(value.get("requestId", "absent"), request.request_id):
        problems.append(f"requestId is {value.get('requestId', 'absent')!r}, not {request.request_id!r}")
    expect("outcome", value.get("outcome"), "found" if request.reason == FOUND else "error")
    expect("caseId", value.get("caseId"), request.case_id)
    source = value.get("request", {})
    for name in ("topic", "partition", "offset"):
        expect(f"request.{name}", source.get(name), getattr(request, name))
    if not TIME.match(str(source.get("timestamp"))):
        problems.append(f"request.timestamp is {source.get('timestamp')!r}")
    if not TIME.match(str(value.get("completedAt"))):
        problems.append(f"completedAt is {value.get('completedAt')!r}")
    expect("ce_time", (result.header("ce_time") or b"").decode(), value.get("completedAt"))
    problems += attempts_problems(request, value.get("attempts"))
    return problems + (error_problems(request.reason, value.get("error")) if request.reason != FOUND else [])


def request_id_right(actual: Any, expected: Any) -> bool:
    if isinstance(expected, str) and expected.startswith(NULL_OR):
        return actual in (None, expected[len(NULL_OR):])
    return actual == expected and type(actual) is type(expected)


def attempts_problems(request: Request, attempts: Any) -> List[str]:
    """None for what never reaches the API; at least one else, more where it had to be retried."""
    if type(attempts) is not int:
        return [f"attempts is {attempts!r}"]
    asked = request.email is not None or request.phone is not None
    return [] if (attempts >= 1) == asked else [f"attempts is {attempts}"]


def error_problems(reason: str, error: Any) -> List[str]:
    """What is wrong with the `error` member of an error event."""
    if not isinstance(error, dict):
        return ["it has no error"]
    problems = []
    if error.get("reason") != reason:
        problems.append(f"reason is {error.get('reason')!r}, not {reason!r}")
    if error.get("retryable") is not (reason in RETRYABLE):
        problems.append(f"retryable is {error.get('retryable')!r}")
    if not error.get("message"):
        problems.append("it has no message")
    if reason in API_ANSWERS:
        wanted = (*API_ANSWERS[reason], "CASE_ERROR")
        actual = (error.get("message"), error.get("httpStatus"), error.get("code"))
        if actual != wanted:
            problems.append(f"message, httpStatus and code are {actual}, not {wanted}")
    if reason in (MALFORMED, "identity_missing") and ("httpStatus" in error or "code" in error):
        problems.append("it names a reply, and there was none")
    return problems
