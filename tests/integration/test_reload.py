"""SIGHUP: what can change while the service runs does, what cannot is named, and a bad file changes nothing."""

import json
import signal

import pytest

from harness.requests import plain
from harness.waiting import stays_so, wait_for

LIMIT = "care360_lookup_requests_per_second_limit"


def of(lines, message):
    """What lines with a message say beside it."""
    return [{name: value for name, value in line.items() if name not in ("time", "level", "message")}
            for line in lines if line["message"] == message]


def answer(scene, request):
    return json.loads(scene.result_of(request).value)


def changed(lines):
    return {line["setting"]: (line["from"], line["to"], line["place"]) for line in of(lines, "setting changed")}


@pytest.fixture
def running(make_scene):
    """A service that runs on a scene of its own: running(**settings)."""
    def make(**settings):
        scene = make_scene(**settings)
        service = scene.service()
        # What it says of its start, a moment after it is ready, is not to be taken for news of a reload.
        return scene, service.wait_said("API key read", "Kafka can be used", *["partition assigned"] * scene.partitions)

    return make


def test_limits_change_at_once_and_are_named_with_their_place(running):
    _, service = running(**{"limits.requests_per_second": 900})
    assert service.metric(LIMIT) == 900
    service.configure(**{"limits.requests_per_second": 50})
    lines = service.reload()
    assert service.metric(LIMIT) == 50
    row = 1 + next(n for n, line in enumerate(service.config.read_text().splitlines()) if line.startswith("limits"))
    assert changed(lines) == {"limits.requests_per_second": ("900", "50", f"{service.config}:{row}")}
    assert of(lines, "configuration read again") == [{"changed": 1, "need_restart": 0}]
    assert of(service.reload(), "configuration read again") == [{"changed": 0, "need_restart": 0}]


def test_retries_and_time_outs_change_while_requests_go_by(running, sim):
    scene, service = running(**{"retry.max_attempts": 3, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 20, "breaker.probe_interval_ms": 100,
                                "care360.timeout_ms": 60_000})
    sim.faults("status_500:match=poison", "hang:match=slow")
    with scene.witnesses():
        before = scene.put([plain(email="poison1@example.org")])[0]
        assert answer(scene, before)["attempts"] == 3
        service.configure(**{"retry.max_attempts": 1, "care360.timeout_ms": 200})
        assert set(changed(service.reload())) == {"retry.max_attempts", "care360.timeout_ms"}
        poison, slow = scene.put([plain(email="poison2@example.org"), plain(email="slow@example.org")])
        assert answer(scene, poison)["attempts"] == 1
        assert answer(scene, slow)["error"]["reason"] == "api_unavailable"


def test_the_log_level_changes(running):
    scene, service = running(**{"kafka.client.debug": "msg"})
    assert not any(line["level"] == "debug" for line in service.log_lines())
    service.configure(**{"log.level": "debug"})
    service.reload()
    scene.put([plain(email="a@example.org")])
    wait_for(lambda: any(line["level"] == "debug" for line in service.log_lines()), "debug lines come")
    scene.wait_worked_off()  # nothing is left that a line could be written of
    service.configure(**{"log.level": "error"})
    assert changed(service.reload())["log.level"][:2] == ('"debug"', '"error"')
    assert service.terminate() == 0
    after = [line["message"] for line in service.log_lines()]
    assert after[after.index("configuration read again", after.index("configuration read again") + 1):] == ["configuration read again"]


def test_what_a_reload_cannot_change_is_named_and_stays(running):
    scene, service = running()
    service.configure(**{"kafka.group_id": "another", "lookup.in_flight": 7, "limits.requests_per_second": 70})
    lines = service.reload()
    named = [line["setting"] for line in lines if line["level"] == "warn"]
    assert named == ["kafka.group_id", "lookup.in_flight"]
    assert of(lines, "configuration read again") == [{"changed": 1, "need_restart": 2}]
    assert service.metric(LIMIT) == 70 and service.metric("care360_lookup_in_flight_limit") == 256
    scene.put([plain(email="a@example.org")])
    scene.wait_worked_off()


def test_a_bad_file_changes_nothing_and_each_mistake_is_named(running):
    scene, service = running(**{"limits.requests_per_second": 900})
    service.config.write_text("limits = {\n  requests_per_second = 50;\n  adaptiv = true;\n};\nretry = {\n max_attempts = 0;\n};\n")
    lines = service.reload()
    assert [line["finding"] for line in of(lines, "wrong in the configuration")] == [
        f"{service.config}:3: limits.adaptiv: no such setting; did you mean limits.adaptive?",
        f"{service.config}:6: retry.max_attempts: is too small; allowed: 1 to 50"]
    assert all(line["level"] == "error" for line in lines)
    assert of(lines, "the configuration stays as it was") == [{"reason": "2 mistakes in the configuration"}]
    assert service.metric(LIMIT) == 900
    scene.put([plain(email="a@example.org")])
    scene.wait_worked_off()
    service.configure(**{"limits.requests_per_second": 60})
    service.reload()
    assert service.metric(LIMIT) == 60


def test_a_file_that_is_gone_changes_nothing(running):
    _, service = running(**{"limits.requests_per_second": 900})
    service.config.unlink()
    lines = service.reload()
    assert of(lines, "wrong in the configuration") == [{"finding": f"{service.config}: there is no such file"}]
    assert service.metric(LIMIT) == 900


def test_a_reload_while_it_stops_is_left_alone(running, sim):
    scene, service = running(**{"care360.timeout_ms": 60_000})
    sim.faults("hang")
    scene.put([plain(email="a@example.org")])
    wait_for(lambda: sim.stats()["requests"] > 0, "a request hangs")
    service.signal(signal.SIGTERM)
    service.wait_not_ready("stopping")
    service.signal(signal.SIGHUP)
    stays_so(service.running, "it drains", 0.5)
    service.signal(signal.SIGTERM)
    assert service.wait() == 1
