"""The API fails for some requests while it answers others: each event ends by its own fault alone."""

import collections
import json
import socket
import statistics

import pytest

from harness.checker import milliseconds
from harness.feeder import Feeder
from harness.requests import plain, small
from harness.rounds import best_of_rounds
from harness.waiting import stays_so, wait_for

PATIENT = {"retry.max_attempts": 8, "retry.initial_backoff_ms": 20, "retry.max_backoff_ms": 500,
           "care360.timeout_ms": 1000, "breaker.probe_interval_ms": 500}
QUICK = {"retry.max_attempts": 3, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50,
         "breaker.probe_interval_ms": 500, "breaker.window_ms": 1000}

# What a request may meet, in percent: with the redirect of the test 30 in all.
ALL_WAYS = ["status_500=3", "status_502=2:body=html", "status_503=2", "status_503=1:retry_after=0", "status_429=1",
            "status_408=1", "status_404=0.5", "html=2", "json_no_case=1", "json_broken=1", "json_deep=1", "reset=3",
            "reset_mid_body=2", "close=2", "hang=1", "hang_mid_body=1", "truncated=2", "garbage=2", "drip=0.5:ms=200",
            "huge_body=0.1", "huge_body=0.1:framing=chunked", "header_flood=0.1", "gzip_bomb=0.2"]
REASONS_OF_FAILURES = {"api_unavailable", "bad_reply", "rejected"}


def values_by_id(scene):
    """The value of the one result of each request."""
    values = collections.defaultdict(list)
    for result in scene.results():
        values[result.ce_id].append(json.loads(result.value))
    assert set(values) == {request.ce_id for request in scene.sent}, "each event has its result"
    assert all(len(found) == 1 for found in values.values()), "an event has two results"
    return {ce_id: found[0] for ce_id, found in values.items()}


def email_of(request_number):
    return f"s{request_number}@example.org"


@pytest.fixture
def other_host():
    """Where a redirect leads, and nobody must ever come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def somebody_came(listener):
    try:
        listener.accept()[0].close()
        return True
    except BlockingIOError:
        return False


def test_an_api_that_fails_three_requests_in_ten_costs_no_event_its_answer(make_scene, sim, size, figure, other_host):
    count = size(4_000, 50_000)
    location = "http://%s:%d/" % other_host.getsockname()
    sim.set(latency_ms=5, faults=[*ALL_WAYS, {"name": "status_302", "percent": 0.5, "location": location}])
    scene = make_scene(partitions=8, **PATIENT)
    scene.put(small(count))
    service = scene.service(ready=False)
    scene.wait_worked_off(120 + count / 50)
    values = values_by_id(scene)
    errors = [{**value["error"], "attempts": value["attempts"]} for value in values.values() if value["outcome"] == "error"]
    requests = sim.requests()
    figure(f"{count - len(errors)} found, {len(errors)} errors; {len(requests)} requests, "
           f"{sum(line['fault'] is not None for line in requests)} of them failed; "
           f"{service.metric('care360_lookup_retries_total'):.0f} retries")
    assert len(errors) <= count / 100, errors[:5]
    assert all(error["reason"] in REASONS_OF_FAILURES and error["attempts"] == 8 for error in errors), errors
    assert all(value["attempts"] <= 8 for value in values.values())
    sends = collections.Counter(line["email"] for line in requests)
    unseen = sum(max(0, value["attempts"] - sends[email_of(value["requestId"][2:])]) for value in values.values())
    # The time-out of an attempt may be over before it had a connection.
    assert unseen <= max(0, service.metric("http_client_request_duration_seconds_count") - len(requests)), "attempts never made"
    assert not somebody_came(other_host), "a redirect was followed"


POISONS = {"status_403": "rejected", "status_404": "rejected", "status_500": "api_unavailable", "unknown_text": "rejected"}


@pytest.mark.parametrize("fault", POISONS)
def test_one_poison_event_in_a_full_line_ends_as_one_error_and_delays_nobody(make_scene, sim, size, figure, fault):
    count, interval_ms = size(3_000, 10_000), 2000
    sim.set(latency_ms=20, faults=[f"{fault}=100:match=poison"])
    # One partition: it comes when the tenth part of the others has come, and they are its witnesses.
    scene = make_scene(partitions=1, **{"retry.initial_backoff_ms": 20, "retry.max_backoff_ms": 200,
                                        "breaker.probe_interval_ms": interval_ms, "lookup.in_flight": 32})
    requests = list(small(count))
    requests.insert(count // 10, plain(email="poison@example.org", request_id="poison"))
    poison = scene.put(requests)[count // 10]
    scene.service(ready=False)
    blamed = json.loads(scene.result_of(poison).value)
    assert blamed["error"]["reason"] == POISONS[fault]
    assert blamed["attempts"] == (2 if fault == "unknown_text" else 5)
    scene.wait_worked_off(60 + count / 100)
    values = values_by_id(scene)
    assert [ce_id for ce_id, value in values.items() if value["outcome"] == "error"] == [poison.ce_id], "others are blamed"
    times = sorted(line["time_ms"] for line in sim.requests() if line["fault"] is None)
    longest = max(later - earlier for earlier, later in zip(times, times[1:]))
    figure(f"{fault}: the longest time without a good request: {longest:.0f} ms")
    assert longest < 2 * interval_ms, "the others are held up for more than two probe intervals"


@pytest.mark.parametrize("fault", POISONS)
def test_a_poison_event_alone_waits_until_another_disproves_it(make_scene, sim, fault):
    scene = make_scene(**QUICK)
    sim.faults(f"{fault}=100:match=poison")
    poison, = scene.put([plain(email="poison@example.org", request_id="p")])
    service = scene.service(ready=False)
    service.wait_not_ready("endpoint" if fault in ("status_403", "status_404") else "api_down")
    stays_so(lambda: scene.result_count() == 0, "nobody disproved it yet", 1.5)
    assert service.get("/readyz")[0] == 503
    with Feeder(scene, 20, lambda number: plain(email=f"good{number}@example.org")):
        value = json.loads(scene.result_of(poison).value)
    assert value["error"]["reason"] == POISONS[fault]
    scene.wait_worked_off()
    values = values_by_id(scene)
    assert sum(value["outcome"] == "error" for value in values.values()) == 1
    service.wait_ready()


def median_of_good_ones(make_scene, count, rate, poisoned):
    """Milliseconds from a good request to its result; `poisoned`: as many requests that always fail come beside."""
    scene = make_scene(partitions=8, **{"retry.initial_backoff_ms": 20, "retry.max_backoff_ms": 200})
    service = scene.service()
    all_in_all = 2 if poisoned else 1

    def good_or_poison(number):
        name = "poison" if poisoned and number % 2 else "good"
        return plain(email=f"{name}{number}@example.org", request_id=f"{name}-{number}")

    with Feeder(scene, all_in_all * rate, good_or_poison) as feeder:
        wait_for(lambda: len(feeder.sent) >= all_in_all * count, "all are sent", 60 + 2 * count / rate)
    ends = scene.topics.ends(scene.requests_topic)
    with Feeder(scene, 50, lambda number: plain(email=f"witness{number}@example.org", request_id=f"witness-{number}")):
        scene.topics.wait_committed(scene.group, scene.requests_topic, ends, 60)
    scene.wait_worked_off(60)
    values = values_by_id(scene)
    good = [value for value in values.values() if value["requestId"].startswith("good")]
    bad = [value for value in values.values() if value["requestId"].startswith("poison")]
    assert all(value["outcome"] == "found" for value in good)
    assert all(value["error"]["reason"] == "api_unavailable" and value["attempts"] == 5 for value in bad)
    service.terminate()
    return statistics.median(milliseconds(value["completedAt"]) - milliseconds(value["request"]["timestamp"]) for value in good)


@pytest.mark.alone
def test_as_many_poison_events_as_good_ones_hardly_slow_the_good_ones(make_scene, sim, size, figure):
    count, rate = size(1_000, 10_000), 250
    sim.set(latency_ms=20, faults=["status_500=100:match=poison"])

    def hardly_slower(median):
        return median["beside"] < 1.1 * median["alone"] + 2

    median = best_of_rounds({"alone": lambda: median_of_good_ones(make_scene, count, rate, False),
                             "beside": lambda: median_of_good_ones(make_scene, count, rate, True)}, hardly_slower, min, most=3)
    figure(f"from a good request to its result, {rate} a second: median {median['alone']:.0f} ms alone, "
           f"{median['beside']:.0f} ms beside as many poison events")
    assert hardly_slower(median), "poison slows the good ones"
