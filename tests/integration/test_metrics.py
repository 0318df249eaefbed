"""Every metric of the contract, on a real broker: there from the start, moving as it should, gone when it should be."""

import re
import subprocess
import time

import pytest

from harness.metrics import Metrics
from harness.paths import SERVICE
from harness.requests import malformed, plain, small
from harness.waiting import wait_for

QUICK = {"retry.max_attempts": 2, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50,
         "breaker.probe_interval_ms": 200, "breaker.window_ms": 1000, "care360.timeout_ms": 1000}

REASONS = {"", "case_not_found", "email_missing", "identity_missing", "malformed_event", "rejected", "bad_reply",
           "api_unavailable", "result_too_large"}
CAUSES = {"status_429", "status_5xx", "timeout", "connect", "tls", "bad_reply", "other"}
STOPS = {"credentials", "endpoint", "api_down", "rate_limited", "kafka"}

# Section 5 of the contract, but for what a topic's or partition's name must be known for.
NAMES = """events_consumed_total results_total coalesced_total retries_total unclassified_replies_total rebalances_total
    delivery_failures_total offset_resets_total drains_cut_short_total headers_dropped_total identity_in_metadata_total
    log_lines_dropped_total ready buffered_events buffered_bytes in_flight in_flight_limit requests_per_second_limit
    retrying_events assigned_partitions line_stopped oldest_event_age_seconds uncommitted_events consumer_lag
    committed_offset config_last_reload_successful config_last_reload_success_timestamp_seconds
    api_key_last_change_timestamp_seconds build_info event_duration_seconds""".split()

OF_PARTITION = ["oldest_event_age_seconds", "uncommitted_events", "consumer_lag", "committed_offset"]


def scrape(service):
    return Metrics(service.metrics())


def wait_metric(service, name, value, **labels):
    def now():
        return scrape(service).find(f"care360_lookup_{name}", **labels)

    wait_for(lambda: now() == value, f"{name} {labels} is {value}", detail=now)


def test_all_are_there_from_the_start_and_pass_the_linters_rules(make_scene):
    scene = make_scene(partitions=2)
    service = scene.service()
    wait_metric(service, "assigned_partitions", 2)
    wait_for(lambda: "consumer_lag{" in scrape(service).text, "the partitions' figures")
    metrics = scrape(service)
    expected = {f"care360_lookup_{name}" for name in NAMES} | {"http_client_request_duration_seconds"}
    assert {name for name in metrics.names() if not name.startswith("process_")} == expected
    assert metrics.problems() + metrics.histogram_problems() == []
    assert metrics.label_values("care360_lookup_results_total", "reason") == REASONS
    assert metrics.label_values("care360_lookup_retries_total", "cause") == CAUSES
    assert metrics.label_values("care360_lookup_line_stopped", "cause") == STOPS
    assert metrics.label_values("care360_lookup_identity_in_metadata_total", "where") == {"key", "request_id"}
    counters = [name for name in NAMES if name.endswith("_total")]
    assert {name: metrics.ours(name) for name in counters} == dict.fromkeys(counters, 0)
    assert metrics.ours("events_consumed_total", topic=scene.requests_topic) == 0
    assert metrics.ours("offset_resets_total", topic=scene.requests_topic) == 0


def test_the_reference_names_each_with_its_type_and_labels(make_scene):
    scene = make_scene()
    service = scene.service()
    wait_metric(service, "assigned_partitions", 4)
    scene.put(small(5))
    scene.wait_worked_off()
    metrics = scrape(service)
    reference = subprocess.run([SERVICE, "check", "--metrics"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|((?: `\w+`)*) \| (.+) \|$", reference, re.MULTILINE)
    assert [row[0] for row in rows] == metrics.names()
    for name, kind, labels, meaning in rows:
        assert f"# TYPE {name} {kind}\n# " not in metrics.text and f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n" in metrics.text
        family = next(f for f in metrics.families if f.name == name.removesuffix("_total"))
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(re.findall(r"\w+", labels)), name


def test_the_usual_ones_of_the_process_are_plausible(make_scene):
    service = make_scene().service()
    metrics = scrape(service)
    assert abs(metrics.get("process_start_time_seconds") - time.time()) < 60
    wait_for(lambda: 0 < scrape(service).get("process_cpu_seconds_total") < 60, "it has spent some time")
    wait_for(lambda: scrape(service).get("process_resident_memory_bytes") == pytest.approx(service.resident_bytes(), rel=0.3),
             "the same memory as the kernel says")
    assert metrics.get("process_virtual_memory_bytes") > metrics.get("process_resident_memory_bytes")
    assert 10 < metrics.get("process_open_fds") < metrics.get("process_max_fds")
    assert 5 < metrics.get("process_threads") < 100
    assert metrics.ours("config_last_reload_successful") == 1
    for name in ("config_last_reload_success_timestamp_seconds", "api_key_last_change_timestamp_seconds"):
        assert abs(metrics.ours(name) - time.time()) < 60
    before = metrics.ours("api_key_last_change_timestamp_seconds")
    service.write_key("another-key")
    wait_for(lambda: scrape(service).ours("api_key_last_change_timestamp_seconds") > before, "the new key is noted")


ENDINGS = {  # what the simulator does to the first requests of that name, and the labels that count it
    "status_500:match=five:count=1": ("status_5xx", "500", "500"),
    "status_599:match=odd5:count=1": ("status_5xx", "5xx", "5xx"),
    "status_429:match=many:count=1": ("status_429", "429", "429"),
    "hang:match=hang:count=1": ("timeout", "", "timeout"),
    "close:match=shut:count=3": ("connect", "", "connect"),
    "garbage:match=junk:count=1": ("other", "", "_OTHER"),
    "json_broken:match=broken:count=1": ("bad_reply", "200", ""),
}


def test_retries_and_durations_tell_how_requests_ended(make_scene, sim):
    scene = make_scene(**{**QUICK, "retry.max_attempts": 5, "breaker.probe_interval_ms": 1000})
    sim.faults(*ENDINGS)
    service = scene.service()
    scene.put([plain(email="shut@example.org")])  # the first on its connection: libcurl sends others again without a word
    wait_for(lambda: sim.stats()["requests"] > 0, "it is asked for")
    scene.put(plain(email=f"{word}@example.org") for word in ("five", "odd5", "many", "hang", "junk", "broken"))
    scene.put(small(20))
    scene.wait_worked_off()
    metrics = scrape(service)
    for cause, status, error in ENDINGS.values():
        assert metrics.ours("retries_total", cause=cause) >= 1, cause
        assert metrics.get("http_client_request_duration_seconds_count", http_response_status_code=status, error_type=error) >= 1, cause
    labels = {"http_request_method": "GET", "server_address": "127.0.0.1", "server_port": str(sim.port)}
    assert metrics.get("http_client_request_duration_seconds_count", **labels) >= 27 + 6
    assert metrics.get("http_client_request_duration_seconds_bucket", error_type="timeout", le="0.75") == 0
    assert metrics.get("http_client_request_duration_seconds_bucket", error_type="timeout", le="7.5") >= 1
    assert metrics.ours("event_duration_seconds_count") == 27
    assert metrics.ours("event_duration_seconds_bucket", le="0.5") < metrics.ours("event_duration_seconds_bucket", le="3600") == 27
    assert metrics.histogram_problems() == []


def test_results_are_counted_by_outcome_and_what_was_odd_about_them_too(make_scene, sim):
    scene = make_scene(partitions=1, **{**QUICK, "lookup.workers": 1, "care360.timeout_ms": 10_000})
    sim.faults("email_missing:match=+1777", "unknown_text:match=odd", "json_broken:match=broken", "status_500:match=five")
    twins = [plain(email="twin@example.org") for _ in range(20)]
    named = plain(email="key@example.org", request_id="key@example.org")
    named.key = b"key@example.org"
    wordy = plain(email="wordy@example.org")
    wordy.headers = [("tracestate", b"x" * 5000)]
    scene.put([plain(email="nobody@example.org"), plain(phone="+17770000"), plain(), malformed("bare text", b"hello"),
               named, wordy, *twins])
    service = scene.service()
    with scene.witnesses():
        scene.put([plain(email=f"{word}@example.org") for word in ("odd", "broken", "five")])
        for reason in REASONS - {"", "case_not_found", "result_too_large"}:
            wait_metric(service, "results_total", 1, outcome="error", reason=reason)
    scene.wait_worked_off()
    metrics = scrape(service)
    assert metrics.ours("results_total", outcome="error", reason="case_not_found") == 1
    assert metrics.ours("results_total") == metrics.ours("events_consumed_total", topic=scene.requests_topic) == scene.result_count()
    assert metrics.ours("coalesced_total") == 19
    assert metrics.ours("unclassified_replies_total") >= 2
    assert metrics.ours("identity_in_metadata_total", where="key") == 1
    assert metrics.ours("identity_in_metadata_total", where="request_id") == 1
    wait_metric(service, "headers_dropped_total", 1)  # counted once it is sent, which may be after it is acknowledged


def test_a_result_that_its_topic_refuses_is_a_delivery_failure(make_scene):
    scene = make_scene(partitions=1, topic_settings={"max.message.bytes": "1400"})
    large = plain(email="large@example.org")
    large.key = b"k" * 1300
    scene.put([large])
    service = scene.service()
    wait_metric(service, "results_total", 1, outcome="error", reason="result_too_large")
    assert scrape(service).ours("delivery_failures_total") >= 1


def test_gauges_tell_what_is_held_and_the_limits_in_force(make_scene, sim):
    scene = make_scene(partitions=1, **{"lookup.in_flight": 8, "limits.requests_per_second": 500, "care360.timeout_ms": 30_000,
                                        "breaker.probe_interval_ms": 200})
    sim.faults("hang")
    scene.put(small(50))
    service = scene.service()
    wait_metric(service, "in_flight", 8)
    wait_metric(service, "uncommitted_events", 50, topic=scene.requests_topic, partition="0")
    wait_for(lambda: scrape(service).ours("oldest_event_age_seconds", partition="0") > 0.5, "its age grows")
    wait_metric(service, "consumer_lag", 50, topic=scene.requests_topic, partition="0")
    metrics = scrape(service)
    assert metrics.ours("ready") == 1
    assert metrics.ours("in_flight_limit") == 8
    assert metrics.ours("requests_per_second_limit") == 500
    assert metrics.ours("buffered_events") == 50
    assert metrics.ours("buffered_bytes") > 50 * 100
    assert metrics.ours("committed_offset", topic=scene.requests_topic, partition="0") == 0
    sim.faults()
    sim.process.kill()  # what hangs fails now, and is tried again
    sim.up()
    scene.wait_worked_off()
    wait_metric(service, "committed_offset", 50, partition="0")
    for name in ("in_flight", "buffered_events", "buffered_bytes", "retrying_events", "uncommitted_events", "consumer_lag",
                 "oldest_event_age_seconds"):
        wait_metric(service, name, 0)


def test_refusals_lower_the_limit_and_show_look_ups_that_are_tried_again(make_scene, sim):
    scene = make_scene(**{"lookup.in_flight": 64, "retry.initial_backoff_ms": 500, "retry.max_backoff_ms": 1000})
    sim.faults("status_429")
    scene.put(small(200))
    service = scene.service()
    wait_for(lambda: scrape(service).ours("in_flight_limit") < 64, "fewer at once")
    wait_for(lambda: scrape(service).ours("retrying_events") > 0, "some are tried again")
    sim.faults()
    scene.wait_worked_off()


def test_the_lag_is_known_while_nothing_is_fetched(make_scene, sim):
    scene = make_scene(partitions=2, **{**QUICK, "lookup.max_buffered_events": 100, "kafka.consumer": {"queued_min_messages": 1}})
    scene.put(small(1_000))
    service = scene.service(ready=False, key="not-the-key")
    service.wait_not_ready("credentials")
    wait_metric(service, "consumer_lag", 1_000)
    scene.put(small(3_000))
    wait_metric(service, "consumer_lag", 4_000)
    assert scrape(service).ours("line_stopped", cause="credentials") == 1


def test_partitions_that_go_to_another_take_their_series_along(make_scene, sim):
    sim.faults("hang")
    scene = make_scene(partitions=4, **{"kafka.revoke_timeout_ms": 100, "care360.timeout_ms": 30_000})
    scene.put(small(40))
    first = scene.service()
    wait_metric(first, "in_flight", 40)
    wait_metric(first, "consumer_lag", 40)
    assert scrape(first).label_values("care360_lookup_consumer_lag", "partition") == {"0", "1", "2", "3"}
    second = scene.service()
    wait_metric(first, "assigned_partitions", 2)
    wait_metric(second, "assigned_partitions", 2)

    def shares():
        return [scrape(service).label_values("care360_lookup_consumer_lag", "partition") for service in (first, second)]

    wait_for(lambda: sorted(partition for share in shares() for partition in share) == ["0", "1", "2", "3"], "each has its own", detail=shares)
    for name in OF_PARTITION:
        assert scrape(first).label_values(f"care360_lookup_{name}", "partition") <= shares()[0]
    metrics = scrape(first)
    assert metrics.ours("rebalances_total") >= 1
    assert metrics.ours("drains_cut_short_total") >= 1
    for service in (first, second):
        service.kill()  # there is nothing to wait for: its requests hang


def test_a_committed_offset_that_left_the_log_is_counted(make_scene, topics):
    scene = make_scene(partitions=1)
    scene.put(small(10))
    topics.commit(scene.group, scene.requests_topic, {0: 1_000})
    service = scene.service()
    wait_metric(service, "offset_resets_total", 1, topic=scene.requests_topic)
    wait_metric(service, "committed_offset", 10, partition="0")
