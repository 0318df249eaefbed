"""What becomes of each case: a row of the contract's table, a test.

One instance serves them all: each case is switched on for identities that begin with its own word,
while healthy requests go by as witnesses, so that failures count against their event.
"""

import contextlib
import json

import pytest

from harness.requests import plain
from harness.scene import Scene
from harness.sim import Sim
from harness.waiting import wait_for

MAX_ATTEMPTS = 3
SETTINGS = {"retry.max_attempts": MAX_ATTEMPTS, "retry.initial_backoff_ms": 50, "retry.max_backoff_ms": 100,
            "breaker.probe_interval_ms": 1_000, "care360.timeout_ms": 10_000}


@pytest.fixture(scope="module")
def scene(topics, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cases")
    with Sim(directory / "sim", record=True) as sim, Scene(topics, sim, directory, **SETTINGS) as scene:
        scene.service()
        with scene.witnesses():
            yield scene


@contextlib.contextmanager
def impatient(scene):
    """With a short time-out; with the long one, a simulator that is late for a moment does not pass for one that fails."""
    service = scene.services[0]
    service.configure(**{"care360.timeout_ms": 700})
    service.reload()
    yield
    service.configure(**{"care360.timeout_ms": SETTINGS["care360.timeout_ms"]})
    service.reload()


def outcome(scene, fault, word):
    """The result's value, and how often the API was asked, for one request under a fault."""
    scene.sim.faults(*([f"{fault}:match={word}-"] if fault else []))
    request, = scene.put([plain(email=f"{word}-{fault.split(':')[0]}@example.org", request_id=word)])
    value = json.loads(scene.result_of(request).value)
    asked = sum(line["email"] == request.email for line in scene.sim.requests())
    return value, asked


def test_a_case_is_published_as_found(scene):
    value, asked = outcome(scene, "", "found")
    assert (value["outcome"], value["attempts"], asked) == ("found", 1, 1)
    assert "error" not in value


@pytest.mark.parametrize("fault, reason, message", [
    ("no_case", "case_not_found", "No Case found for provided details!"),
    ("email_missing", "email_missing", "Email id not provided!"),
])
def test_a_documented_error_about_the_event_is_its_error_event(scene, fault, reason, message):
    value, asked = outcome(scene, fault, fault)
    assert (value["outcome"], value["attempts"], asked) == ("error", 1, 1)
    assert value["error"] == {"reason": reason, "message": message, "retryable": False, "httpStatus": 400, "code": "CASE_ERROR"}


@pytest.mark.parametrize("fault, status", [
    ("unknown_text", 400), ("status_400", 400), ("status_414", 414), ("status_422", 422), ("status_431", 431),
    ("status_418", 418), ("status_409", 409), ("status_451", 451),
])
def test_an_undocumented_refusal_of_the_event_is_asked_twice_and_then_rejected(scene, fault, status):
    value, asked = outcome(scene, fault, f"u{status}{fault[:2]}")
    assert (value["error"]["reason"], value["error"]["httpStatus"], value["error"]["retryable"]) == ("rejected", status, False)
    assert value["attempts"] == 2 and asked >= 2
    assert "nobody documented" not in value["error"]["message"], "the API's raw text is never published"


BAD_REPLIES = ["html", "json_no_case", "json_case_null", "json_case_text", "json_no_id", "json_id_null",
               "json_id_number", "json_id_object", "json_id_empty", "json_id_zero", "json_id_not_utf8", "json_duplicate",
               "json_success_false", "json_error_in_200", "json_broken", "json_trailing", "json_array", "json_deep", "json_null",
               "json_empty_body", "huge_body:bytes=1000000"]


@pytest.mark.parametrize("fault", BAD_REPLIES)
def test_a_2xx_reply_of_another_shape_is_retried_and_then_a_bad_reply(scene, fault):
    value, asked = outcome(scene, fault, "bad-" + fault.split(":")[0].replace("_", "-"))
    assert (value["outcome"], value["error"]["reason"], value["error"]["retryable"]) == ("error", "bad_reply", False)
    assert value["attempts"] == MAX_ATTEMPTS and asked >= MAX_ATTEMPTS


FAILURES = ["status_408", "status_425", "status_500", "status_500:body=html", "status_502", "status_503", "status_504", "status_599",
            "reset", "reset_mid_body", "close", "hang", "hang_mid_body", "truncated", "garbage"]


@pytest.mark.parametrize("fault", FAILURES)
def test_a_failure_is_retried_and_then_the_api_is_unavailable(scene, fault):
    with impatient(scene) if fault.startswith("hang") else contextlib.nullcontext():
        value, asked = outcome(scene, fault, "fail-" + fault.replace("_", "-").replace(":", "-").replace("=", "-"))
    assert (value["outcome"], value["error"]["reason"], value["error"]["retryable"]) == ("error", "api_unavailable", True)
    assert value["attempts"] == MAX_ATTEMPTS and asked >= MAX_ATTEMPTS


@pytest.mark.parametrize("fault", ["status_500", "reset", "json_broken", "html", "unknown_text"])
def test_a_failure_that_passes_leaves_no_trace_but_the_attempt(scene, fault):
    value, asked = outcome(scene, f"{fault}:count=1", "pass-" + fault.replace("_", "-"))
    assert value["outcome"] == "found" and asked == 2
    assert value["attempts"] in (1, 2), "the failed one counts only if another event disproved it in time"


@pytest.mark.parametrize("fault", ["status_429", "status_429:retry_after=1", "status_503:retry_after=1"])
def test_a_refusal_is_asked_again_and_counts_as_no_attempt(scene, fault):
    value, asked = outcome(scene, f"{fault}:count=2", "refused-" + fault.replace("_", "-").replace(":", "-").replace("=", "-"))
    assert (value["outcome"], value["attempts"], asked) == ("found", 1, 3)


@pytest.mark.parametrize("status", [301, 302, 307, 403, 404, 405, 410])
def test_an_endpoint_reply_that_others_disprove_rejects_its_event(scene, status):
    value, asked = outcome(scene, f"status_{status}", f"end{status}")
    assert (value["error"]["reason"], value["error"]["httpStatus"]) == ("rejected", status)
    assert value["attempts"] == MAX_ATTEMPTS and asked >= MAX_ATTEMPTS


def test_no_result_is_doubled_by_any_of_it(scene):
    scene.sim.faults()
    ids = [result.ce_id for result in scene.results()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("fault, reason", [
    ("no_case", "case_not_found"), ("email_missing", "email_missing"), ("unknown_text", "rejected"), ("json_broken", "bad_reply"),
    ("status_500", "api_unavailable"),
])
def test_the_row_of_each_case_shows_in_the_metrics(scene, fault, reason):
    service, = scene.services

    def count():
        return service.metric("care360_lookup_results_total", outcome="error", reason=reason)

    before, unclassified = count(), service.metric("care360_lookup_unclassified_replies_total")
    outcome(scene, fault, "row-" + fault.replace("_", "-"))
    wait_for(lambda: count() == before + 1, "its result is counted once it is acknowledged")
    assert (service.metric("care360_lookup_unclassified_replies_total") > unclassified) == (fault == "unknown_text")
