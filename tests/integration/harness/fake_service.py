"""A service in a few lines that makes right results, or spoils them in a way that is asked for.

It exists to test the checker: it works on lists, with no broker.
"""

import dataclasses
import json
from typing import List

from .checker import Result
from .requests import FOUND, NULL_OR, Request

GROUP = "fake-group"
TIME = "2026-11-24T03:00:00.120Z"


def answer(request: Request, offset: int) -> Result:
    """The right result of a request."""
    request_id = request.request_id
    if isinstance(request_id, str) and request_id.startswith(NULL_OR):
        request_id = None
    value = {"requestId": request_id, "outcome": "found" if request.reason == FOUND else "error",
             "attempts": 0 if request.email is None and request.phone is None else 1,
             "request": {"topic": request.topic, "partition": request.partition, "offset": request.offset, "timestamp": TIME},
             "completedAt": TIME}
    if request.reason == FOUND:
        value["caseId"] = request.case_id
    else:
        value["error"] = _error(request.reason)
    kind = "found" if request.reason == FOUND else "error"
    headers = [("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", request.ce_id.encode()),
               ("ce_source", f"/care360-lookup/{GROUP}".encode()), ("ce_type", f"care360.lookup.{kind}.v1".encode()),
               ("ce_time", TIME.encode())]
    headers += [(name, text) for name, text in request.headers if name in ("traceparent", "tracestate")]
    return Result(0, offset, 0, request.key, json.dumps(value).encode(), headers)


def _error(reason: str) -> dict:
    error = {"reason": reason, "message": "a sentence", "retryable": False}
    if reason == "case_not_found":
        error.update(message="No Case found for provided details!", httpStatus=400, code="CASE_ERROR")
    return error


def serve(requests: List[Request]) -> List[Result]:
    """Right results of all requests, in their order."""
    return [answer(request, offset) for offset, request in enumerate(requests)]


def with_value(result: Result, **members) -> Result:
    """The result with members of its value replaced; None takes one away."""
    value = {**json.loads(result.value), **members}
    value = {name: member for name, member in value.items() if member is not None or name == "requestId"}
    return dataclasses.replace(result, value=json.dumps(value).encode())


def with_header(result: Result, name: str, value: bytes) -> Result:
    return dataclasses.replace(result, headers=[(n, value if n == name else v) for n, v in result.headers])


def swapped(results: List[Result], first: int, second: int) -> List[Result]:
    """Two results in each other's place."""
    results = list(results)
    a, b = results[first], results[second]
    results[first] = dataclasses.replace(b, offset=a.offset)
    results[second] = dataclasses.replace(a, offset=b.offset)
    return results
