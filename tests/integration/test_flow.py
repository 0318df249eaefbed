"""Ordering, coalescing, back pressure, error topic: how requests flow through one instance."""

import json

import pytest

from harness.requests import mixture, plain, small
from harness.waiting import stays_so, wait_for


@pytest.mark.parametrize("ordering", ["key", "partition", "none"])
def test_each_ordering_keeps_the_order_it_promises(make_scene, sim, ordering):
    sim.set(latency_ms=2, latency_jitter_ms=30, faults=["status_500=3", "status_429=3"])
    scene = make_scene(partitions=2, **{"lookup.ordering": ordering, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50})
    scene.put(mixture(2_000))
    scene.service()
    scene.wait_worked_off(120)
    scene.check().expect_exactly_once()


# A request that hangs is slow for as long as the test wants, as soon as its next attempt may succeed.
HANGING = {"care360.timeout_ms": 2000, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50, "retry.max_attempts": 10}


def test_without_ordering_a_slow_request_holds_nobody_up(make_scene, sim):
    sim.faults("hang:match=slow")
    scene = make_scene(partitions=1, **HANGING, **{"lookup.ordering": "none"})
    requests = [plain(email="slow@example.org"), *(plain(email=f"fast{n}@example.org") for n in range(20))]
    for request in requests:
        request.key = b"same"
    scene.put(requests)
    scene.service()
    scene.wait_results(20)
    sim.faults()
    scene.wait_worked_off()
    order = [result.ce_id for result in sorted(scene.results(), key=lambda r: r.offset)]
    assert order[-1] == requests[0].ce_id


def test_by_key_a_slow_request_holds_up_its_key_alone(make_scene, sim):
    sim.faults("hang:match=slow")
    scene = make_scene(partitions=1, **HANGING)
    slow, behind, other = plain(email="slow@example.org"), plain(email="behind@example.org"), plain(email="other@example.org")
    slow.key, behind.key, other.key = b"a", b"a", b"b"
    scene.put([slow, behind, other])
    scene.service()
    scene.wait_results(1)
    sim.faults()
    scene.wait_worked_off()
    order = [result.ce_id for result in sorted(scene.results(), key=lambda r: r.offset)]
    assert order == [other.ce_id, slow.ce_id, behind.ce_id]


@pytest.mark.parametrize("coalesce", [True, False])
def test_waiting_requests_for_one_customer_share_an_api_request(make_scene, sim, coalesce):
    sim.set(latency_ms=100)
    scene = make_scene(partitions=1, **{"lookup.coalesce": coalesce, "lookup.ordering": "none", "lookup.workers": 1,
                                        "lookup.in_flight": 1})
    scene.put([plain(email="first@example.org")])
    scene.put([plain(email="same@example.org", request_id=n) for n in range(20)])
    service = scene.service()
    scene.wait_worked_off()
    scene.check().expect_exactly_once()
    asked = sum(line["email"] == "same@example.org" for line in sim.requests())
    if coalesce:
        assert asked <= 2, "those that came while one was under way share the next"
        assert service.metric("care360_lookup_coalesced_total") >= 18
    else:
        assert asked == 20


def test_other_details_are_another_customer(make_scene, sim):
    sim.set(latency_ms=100)
    scene = make_scene(partitions=1, **{"lookup.in_flight": 1})
    scene.put([plain(email="first@example.org"), plain(email="a@example.org"), plain(email="A@example.org"),
               plain(email="a@example.org", phone="+1"), plain(phone="a@example.org")])
    scene.service()
    scene.wait_worked_off()
    scene.check().expect_exactly_once()
    assert len(sim.requests()) == 5


def test_no_more_than_max_buffered_events_are_held(make_scene, sim):
    sim.faults("hang")
    scene = make_scene(**{"lookup.max_buffered_events": 500, "care360.timeout_ms": 60_000, "kafka.session_timeout_ms": 2000})
    scene.put(small(5_000))
    service = scene.service()
    wait_for(lambda: service.metric("care360_lookup_buffered_events") >= 500, "the buffer is full")
    stays_so(lambda: service.metric("care360_lookup_buffered_events") <= 510, "consumption is paused", 1)
    service.kill()
    sim.faults()
    scene.service(ready=False)
    scene.wait_worked_off()
    scene.check().expect_nothing_lost()


def test_no_more_than_max_buffered_bytes_are_held(make_scene, sim):
    sim.set(latency_ms=1000)
    scene = make_scene(**{"lookup.max_buffered_bytes": 4 << 20, "lookup.in_flight": 4})
    scene.put(plain(email=f"big{n}@example.org", padding="x" * 500_000) for n in range(100))
    service = scene.service()
    wait_for(lambda: service.metric("care360_lookup_buffered_bytes") > 1 << 20, "the buffer fills")
    sim.set(latency_ms=20)
    most = 0.0

    def done():
        nonlocal most
        most = max(most, service.metric("care360_lookup_buffered_bytes"))
        return scene.result_count() == 100

    wait_for(done, "all are answered", 60)
    assert most <= (4 << 20) + (1 << 20)
    scene.wait_worked_off()
    scene.check().expect_exactly_once()


def test_error_events_go_to_a_topic_of_their_own_where_one_is_named(make_scene):
    scene = make_scene()
    errors = scene.topics.create(scene.results_topic + "-errors", 2)
    scene.put([plain(email="here@example.org"), plain(email="nobody@example.org")])
    scene.service(settings={"kafka.error_topic": errors})
    scene.wait_worked_off()
    assert [json.loads(r.value)["outcome"] for r in scene.results()] == ["found"]
    assert [json.loads(r.value)["error"]["reason"] for r in scene.topics.read(errors)] == ["case_not_found"]


def test_no_more_than_in_flight_are_under_way(make_scene, sim):
    sim.set(latency_ms=50)
    scene = make_scene(**{"lookup.in_flight": 32})
    scene.put(small(2_000))
    scene.service()
    scene.wait_worked_off()
    assert 16 <= max(line["concurrent"] for line in sim.requests()) <= 32


def test_trace_context_goes_to_the_api_only_where_it_fits_its_grammar(make_scene, sim):
    scene = make_scene()
    good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    values = [good, b"nonsense", b"00-0\r\nCV-Api-Key: other", b""]
    requests = [plain(email=f"trace{n}@example.org") for n in range(len(values))]
    for request, value in zip(requests, values):
        request.headers = [("traceparent", value), ("tracestate", b"vendor=1")]
    scene.put(requests)
    scene.service()
    scene.wait_worked_off()
    scene.check().expect_exactly_once()
    sent = {line["email"]: line["traceparent"] for line in sim.requests()}
    assert sent["trace0@example.org"] == good.decode()
    assert [sent[f"trace{n}@example.org"] for n in (1, 2, 3)] == [None, None, None]


def test_many_requests_on_the_mock_cluster_too(mock_topics, make_scene):
    scene = make_scene(topics=mock_topics, partitions=4)
    scene.put(small(3_000, prefix="mock"))
    scene.service()
    scene.wait_worked_off(120)
    scene.check().expect_exactly_once()
