"""The checker catches what it is there to catch; what proves the service is proven itself."""

import dataclasses

import pytest

from harness.checker import Checker
from harness.fake_service import GROUP, serve, swapped, with_header, with_value
from harness.requests import FOUND, NULL_OR, case_id, mixture, plain


def requests_of(count=400):
    requests = list(mixture(count, seed=7))
    for offset, request in enumerate(requests):
        request.topic, request.partition, request.offset = "t", 0, offset
    return requests


def check(requests, results, **options):
    return Checker(GROUP, **options).check(requests, results)


def first(requests, wanted):
    return next(index for index, request in enumerate(requests) if wanted(request))


def test_right_results_pass():
    requests = requests_of()
    report = check(requests, serve(requests))
    report.expect_exactly_once()
    assert (report.requests, report.results) == (400, 400)


def test_a_lost_result_is_caught():
    requests = requests_of()
    results = serve(requests)
    report = check(requests, results[:9] + results[10:])
    assert len(report.lost) == 1 and requests[9].ce_id in report.lost[0]
    with pytest.raises(AssertionError, match="1 lost"):
        report.expect_nothing_lost()


def test_a_doubled_result_is_caught():
    requests = requests_of()
    results = serve(requests)
    report = check(requests, results + [dataclasses.replace(results[9], offset=400)])
    assert report.repeated == [requests[9].ce_id]
    report.expect_nothing_lost()
    with pytest.raises(AssertionError, match="1 repeated"):
        report.expect_exactly_once()


def test_results_of_one_key_out_of_order_are_caught():
    requests = requests_of()
    a = first(requests, lambda r: r.key is not None and sum(o.key == r.key for o in requests) > 1)
    b = a + 1 + first(requests[a + 1:], lambda r: r.key == requests[a].key)
    report = check(requests, swapped(serve(requests), a, b))
    assert report.reordered and not report.wrong and not report.lost


def test_results_of_different_keys_may_overtake_each_other_unless_the_partition_is_ordered():
    requests = [plain(email=f"a{number}@example.org") for number in range(4)]
    for offset, request in enumerate(requests):
        request.topic, request.partition, request.offset, request.key = "t", 0, offset, b"k%d" % offset
    results = swapped(serve(requests), 1, 2)
    check(requests, results).expect_exactly_once()
    assert check(requests, results, ordering="partition").reordered
    check(requests, results, ordering="none").expect_exactly_once()


def test_a_repeat_behind_later_results_is_no_breach_of_order():
    requests = requests_of()
    results = serve(requests)
    report = check(requests, results + [dataclasses.replace(r, offset=r.offset + 400) for r in results])
    assert len(report.repeated) == 400 and not report.reordered


def test_a_result_of_no_request_is_caught():
    requests = requests_of()
    results = serve(requests)
    report = check(requests[1:], results)
    assert any("no request" in problem for problem in report.wrong)


SPOILERS = {
    "a wrong reason": (lambda r: r.reason == "case_not_found", lambda r: with_value(r, error={
        "reason": "email_missing", "message": "No Case found for provided details!", "retryable": False,
        "httpStatus": 400, "code": "CASE_ERROR"})),
    "a wrong message": (lambda r: r.reason == "case_not_found", lambda r: with_value(r, error={
        "reason": "case_not_found", "message": "none", "retryable": False, "httpStatus": 400, "code": "CASE_ERROR"})),
    "an error in place of a case": (lambda r: r.reason == FOUND, lambda r: with_value(r, outcome="error", caseId=None)),
    "somebody else's case": (lambda r: r.reason == FOUND, lambda r: with_value(r, caseId=case_id("else@example.org", None))),
    "a case in place of an error": (lambda r: r.reason == "malformed_event", lambda r: with_value(r, outcome="found")),
    "a lost key": (lambda r: r.key is not None, lambda r: dataclasses.replace(r, key=None)),
    "an empty key where there was none": (lambda r: r.key is None, lambda r: dataclasses.replace(r, key=b"")),
    "no key where it was empty": (lambda r: r.key == b"", lambda r: dataclasses.replace(r, key=None)),
    "a lost requestId": (lambda r: isinstance(r.request_id, str) and not r.request_id.startswith(NULL_OR),
                         lambda r: with_value(r, requestId=None)),
    "a requestId of another type": (lambda r: type(r.request_id) is int, lambda r: with_value(r, requestId="5")),
    "a wrong offset": (lambda r: True, lambda r: with_value(r, request={
        "topic": "t", "partition": 0, "offset": -1, "timestamp": "2026-11-24T03:00:00.000Z"})),
    "a wrong ce_type": (lambda r: r.reason == FOUND, lambda r: with_header(r, "ce_type", b"care360.lookup.error.v1")),
    "a wrong ce_source": (lambda r: True, lambda r: with_header(r, "ce_source", b"/care360-lookup/other")),
    "a wrong content-type": (lambda r: True, lambda r: with_header(r, "content-type", b"text/plain")),
    "a ce_time that is not completedAt": (lambda r: True, lambda r: with_header(r, "ce_time", b"2020-01-01T00:00:00.000Z")),
    "a header that was to stay behind": (lambda r: True, lambda r: dataclasses.replace(
        r, headers=r.headers + [("private", b"stays behind")])),
    "a forwarded header lost": (lambda r: any(n == "traceparent" for n, _ in r.headers), lambda r: dataclasses.replace(
        r, headers=[h for h in r.headers if h[0] != "traceparent"])),
    "attempts where none was made": (lambda r: r.reason == "malformed_event", lambda r: with_value(r, attempts=1)),
    "no attempt where one must be": (lambda r: r.reason == FOUND, lambda r: with_value(r, attempts=0)),
    "a value that is no JSON": (lambda r: True, lambda r: dataclasses.replace(r, value=b"{")),
    "no value": (lambda r: True, lambda r: dataclasses.replace(r, value=None)),
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_spoiled_result_is_caught(spoiler):
    wanted, spoil = SPOILERS[spoiler]
    requests = requests_of()
    results = serve(requests)
    index = first(requests, wanted)
    results[index] = spoil(results[index])
    report = check(requests, results)
    assert report.wrong and all(requests[index].ce_id in problem for problem in report.wrong), report
    with pytest.raises(AssertionError):
        report.expect_nothing_lost()


def test_a_key_is_wrong_where_results_have_none():
    requests = requests_of()
    assert check(requests, serve(requests), with_key=False).wrong


def test_the_mixture_holds_every_kind_the_contract_names():
    requests = list(mixture(20_000))
    kinds = {request.kind for request in requests}
    assert sum(kind.startswith("malformed") for kind in kinds) >= 50
    for needed in ("phone only", "e-mail with +", "quotes", "spaces", "non-ASCII letters", "both", "900 kB",
                   "neither e-mail nor phone", "cloudevents structured", "cloudevents binary"):
        assert needed in kinds
    assert {None, b""} <= {request.key for request in requests}
