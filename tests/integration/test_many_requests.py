"""The main job: requests of every kind, each answered by exactly one right result."""

import urllib.parse

from harness.requests import FOUND, MALFORMED, mixture
from harness.service import KEY


def test_every_request_of_every_kind_gets_exactly_one_right_result(make_scene, sim, size, figure):
    count = size(20_000, 100_000)
    scene = make_scene(partitions=8)
    requests = scene.put(mixture(count))
    scene.service()
    seconds = scene.wait_worked_off(60 + count / 500)
    report = scene.check()
    figure(f"{report} in {seconds:.1f} s; {report.reasons}")
    report.expect_exactly_once()
    assert {FOUND, "case_not_found", "identity_missing", MALFORMED} <= set(report.reasons)
    check_what_the_api_saw(sim.requests(), requests)


def check_what_the_api_saw(seen, requests):
    """Each identity was asked for, nobody else, each in the form the API's documentation wants."""
    wanted = {(request.email, request.phone) for request in requests if request.email or request.phone}
    assert {identity_of(line["query"]) for line in seen} == wanted
    for line in seen:
        assert (line["method"], line["path"]) == ("GET", "/api/v1/customer-latest-case-id")
        assert line["api_key"] == KEY
        assert line["content_type"] == "application/json"
    assert any("phoneNumber=%2B1" in line["query"] for line in seen)
    assert any("email=first%2Blast%2B" in line["query"] for line in seen)


def identity_of(query):
    """Reads the query as strictly as a server might: only unreserved characters may stand for themselves."""
    members = {}
    for member in query.split("&"):
        name, _, value = member.partition("=")
        decoded = urllib.parse.unquote(value, errors="strict")
        assert urllib.parse.quote(decoded, safe="") == value, f"not percent-encoded as RFC 3986 has it: {member}"
        assert name in ("email", "phoneNumber") and name not in members
        members[name] = decoded
    return members.get("email"), members.get("phoneNumber")
