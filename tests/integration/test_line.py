"""The line stops rather than fails: nothing is turned into error events, and nothing is lost."""

import json
import time

import pytest

from harness.requests import plain, small
from harness.waiting import stays_so, wait_for

PROBE_MS = 200
# Only the fault that hangs needs the time-out; what stalls the machine for a moment is no failure of the API's.
QUICK = {"retry.max_attempts": 2, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50,
         "breaker.probe_interval_ms": PROBE_MS, "breaker.window_ms": 1000, "care360.timeout_ms": 5000}


def stopped(service, cause):
    return lambda: service.metric("care360_lookup_line_stopped", cause=cause) == 1


def expect_all_found(scene, timeout=60):
    scene.wait_worked_off(timeout)
    report = scene.check()
    report.expect_exactly_once()
    return report


def test_a_refused_key_stops_the_line_until_the_file_holds_a_good_one(make_scene, sim):
    scene = make_scene(**QUICK)
    scene.put(small(500))
    service = scene.service(ready=False, key="not-the-key")
    service.wait_not_ready("credentials")
    wait_for(stopped(service, "credentials"), "the metric says so")
    service.wait_only_probes()
    asked, since = sim.stats()["requests"], time.monotonic()
    stays_so(lambda: scene.result_count() == 0, "no result while the key is refused", 1)
    probes = sim.stats()["requests"] - asked
    # One is due at any moment, and one may have been on its way at the beginning.
    assert probes <= (time.monotonic() - since) * 1000 / PROBE_MS + 2, "none but probes"
    assert sum(scene.topics.committed(scene.group, scene.requests_topic).values()) == 0
    service.write_key("test-key-4f1c")
    expect_all_found(scene)
    service.wait_ready()
    assert service.metric("care360_lookup_line_stopped", cause="credentials") == 0


def test_a_key_refused_in_the_middle_turns_nothing_into_an_error_event(make_scene, sim):
    sim.set(latency_ms=10)
    scene = make_scene(**QUICK)
    scene.put(small(4_000))
    service = scene.service()
    scene.wait_results(500)
    sim.set(api_key="another-key")
    scene.put(small(100, prefix="later"))  # somebody is refused, even where all the others are answered by now
    service.wait_not_ready("credentials")
    service.write_key("another-key")
    expect_all_found(scene)


def test_no_key_at_all_stops_the_line_until_there_is_one(make_scene, sim):
    scene = make_scene(**QUICK)
    scene.put(small(50))
    service = scene.service(ready=False, key=None)
    assert "no API key" in service.wait_not_ready("credentials")
    assert sim.stats()["requests"] == 0
    service.write_key("test-key-4f1c")
    expect_all_found(scene)


def test_an_api_that_refuses_connections_stops_the_line_and_it_recovers(make_scene, sim):
    sim.set(latency_ms=10)
    scene = make_scene(**QUICK)
    scene.put(small(4_000))
    service = scene.service()
    scene.wait_results(500)
    sim.down()
    scene.put(small(100, prefix="later"))
    service.wait_not_ready("api_down")
    before = scene.wait_answers_published(service)
    assert before < len(scene.sent)
    stays_so(lambda: scene.result_count() == before, "no result while the API is down", 1)
    sim.up()
    expect_all_found(scene)
    service.wait_ready()


LAST_REPLY = {"status_500": "HTTP 500", "status_503:body=html": "HTTP 503", "reset": "no connection, or it was cut",
              "hang": "no reply in time", "html": "HTTP 200 with an undocumented body",
              "json_broken": "HTTP 200 with an undocumented body", "unknown_text": "HTTP 400"}


@pytest.mark.parametrize("fault", LAST_REPLY)
def test_an_api_that_fails_every_request_stops_the_line_and_blames_no_event(make_scene, sim, fault):
    scene = make_scene(**QUICK)
    scene.put(small(300))
    sim.faults(fault)
    service = scene.service(ready=False)
    assert "api_down" in service.wait_not_ready(LAST_REPLY[fault], 60), "it says what the API replied"
    assert scene.result_count() == 0
    sim.faults()
    expect_all_found(scene)


@pytest.mark.parametrize("status", [302, 403, 404, 405, 410])
def test_a_wrong_endpoint_stops_the_line_at_once(make_scene, sim, status):
    scene = make_scene(**QUICK)
    scene.put(small(300))
    sim.faults(f"status_{status}")
    service = scene.service(ready=False)
    assert "endpoint" in service.wait_not_ready(f"HTTP {status}")
    stays_so(lambda: scene.result_count() == 0, "no result from a wrong endpoint", 0.5)
    sim.faults()
    expect_all_found(scene)


def test_nothing_but_refusals_stops_the_line_as_rate_limited(make_scene, sim):
    scene = make_scene(**QUICK)
    scene.put(small(300))
    sim.faults("status_429")
    service = scene.service(ready=False)
    service.wait_not_ready("rate_limited")
    assert scene.result_count() == 0
    sim.faults()
    expect_all_found(scene)


def test_one_probe_at_a_time_while_the_line_is_stopped(make_scene, sim):
    scene = make_scene(**QUICK)
    scene.put(small(300))
    sim.set(latency_ms=20, faults=["status_404"])  # two at once would be seen
    service = scene.service(ready=False)
    service.wait_not_ready("endpoint")
    service.wait_only_probes()
    seen = len(sim.requests())
    wait_for(lambda: len(sim.requests()) >= seen + 5, "five probes")
    assert all(line["concurrent"] == 1 for line in sim.requests()[seen + 1:])


def warned_of(service, word):
    return any(word in str(entry) for entry in service.log_lines() if entry["level"] in ("warn", "error"))


@pytest.mark.parametrize("missing", ["request", "result"])
def test_a_missing_topic_is_named_by_readiness_and_nothing_is_lost(make_scene, missing):
    scene = make_scene(create=False, **QUICK)
    there, lacking = scene.requests_topic, scene.results_topic
    if missing == "request":
        there, lacking = lacking, there
    scene.topics.create(there, 4)
    if missing == "result":
        scene.put(small(200))
    service = scene.service(ready=False)
    assert "kafka" in service.wait_not_ready(lacking)
    wait_for(lambda: warned_of(service, lacking), "the log names the topic")
    scene.topics.create(lacking, 4)
    service.wait_ready(60)
    if missing == "request":
        scene.put(small(200))
    expect_all_found(scene)


def test_a_result_topic_that_goes_away_stops_the_line_until_it_is_back(make_scene):
    scene = make_scene(**QUICK)
    service = scene.service()
    scene.topics.delete(scene.results_topic)
    scene.put(small(200))
    assert "kafka" in service.wait_not_ready(scene.results_topic)
    wait_for(lambda: warned_of(service, scene.results_topic), "the log names the topic")
    scene.topics.create(scene.results_topic, 4)
    expect_all_found(scene)
    service.wait_ready()


def test_a_topic_is_never_created_by_the_service(make_scene):
    scene = make_scene(create=False)
    scene.service(ready=False).wait_not_ready("does not exist")
    topics = scene.topics.admin.list_topics(timeout=20).topics
    assert scene.requests_topic not in topics and scene.results_topic not in topics


def test_an_event_that_alone_fails_is_blamed_while_others_pass(make_scene, sim):
    scene = make_scene(**QUICK)
    sim.faults("status_500:match=poison")
    poison, = scene.put([plain(email="poison@example.org", request_id="p")])
    service = scene.service(ready=False)
    service.wait_not_ready("api_down")
    stays_so(lambda: scene.result_count() == 0, "nobody disproved it yet", 0.5)
    scene.put(small(20))
    value = json.loads(scene.result_of(poison).value)
    assert value["error"]["reason"] == "api_unavailable" and value["attempts"] == 2
    scene.wait_worked_off()
    assert scene.result_count() == 21
