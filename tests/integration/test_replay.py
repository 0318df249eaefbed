"""`replay`: publishes again the requests behind error events, each once, and touches no other."""

import collections
import contextlib
import dataclasses
import json
import os
import pty
import signal
import subprocess

import pytest

from harness.paths import SERVICE
from harness.requests import malformed, plain, small
from harness.service import clean_environment
from harness.waiting import wait_for

MARK = "care360-replay-of"
SETTINGS = {"retry.max_attempts": 2, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 20,
            "breaker.probe_interval_ms": 200, "breaker.failure_percent": 100}


class Outage:
    """A scene in which some requests have failed, and the command that replays them."""

    def __init__(self, scene):
        self.scene = scene
        self.failed = []

    def fail(self, count, word="down", partitions=None):
        """`count` requests that the API fails, while it answers others; waits for their error events."""
        scene = self.scene
        scene.sim.faults(f"status_500:match={word}")
        failed = [plain(email=f"{word}-{n}@example.org", request_id=f"{word}-{n}") for n in range(count)]
        for number, request in enumerate(failed):
            request.key = [None, b"", b"\xff\x00", f"key-{number}".encode()][number % 4]
            request.headers = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("x", b"")]
        with scene.witnesses():
            scene.put(failed)
            for request in failed:
                assert json.loads(scene.result_of(request).value)["error"]["reason"] == "api_unavailable"
        scene.wait_worked_off()
        self.failed += failed
        return failed

    def replay(self, *arguments, service=0, **options):
        command = [str(SERVICE), "replay", "-c", str(self.scene.services[service].config), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_environment(), **options)

    def requests(self):
        """All records of the request topic."""
        return list(self.scene.topics.read(self.scene.requests_topic))

    def replays(self):
        """The replays in the request topic, by the place of their first original."""
        found = collections.defaultdict(list)
        for record in self.requests():
            if record.header(MARK) is not None:
                found[record.header(MARK).decode()].append(record)
        return found

    def ends(self):
        return {topic: self.scene.topics.ends(topic) for topic in (self.scene.requests_topic, self.scene.results_topic)}


@pytest.fixture
def outage(make_scene):
    def make(partitions=4, **settings):
        scene = make_scene(partitions=partitions, **{**SETTINGS, **settings})
        scene.service()
        return Outage(scene)

    return make


def audit(done):
    """The counts and filters in the last line."""
    last = done.stdout.splitlines()[-1]
    assert last.startswith("audit: replay ")
    return dict(pair.split("=", 1) for pair in last.split()[2:])


def numbers(done, *names):
    return [int(audit(done)[name]) for name in names]


def test_after_an_outage_each_failed_request_is_answered_once_and_no_other_is_touched(outage):
    outage = outage()
    scene = outage.scene
    scene.put([*small(200), plain(email="nobody@example.org"), malformed("text", b"text")])
    failed = outage.fail(40)
    scene.sim.faults()
    before = {(r.partition, r.offset): r for r in outage.requests()}

    dry = outage.replay("--reason", "api_unavailable", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert len(outage.requests()) == len(before), "a dry run changes nothing"
    assert numbers(dry, "matched", "would_replay", "not_replayed") == [40, 40, 0]
    assert sorted(line.split(":")[0] for line in dry.stdout.splitlines() if "would be replayed (" in line) == \
        sorted(request.ce_id for request in failed)

    done = outage.replay("--reason", "api_unavailable")
    assert done.returncode == 0, done.stderr
    assert numbers(done, "matched", "repeats", "replayed_before", "gone", "replayed", "not_replayed") == [40, 0, 0, 0, 40, 0]
    replays = outage.replays()
    assert set(replays) == {request.ce_id for request in failed}
    for request in failed:
        record, = replays[request.ce_id]
        original = before[request.partition, request.offset]
        assert (record.partition, record.key, record.value) == (original.partition, original.key, original.value)
        assert record.headers == original.headers + [(MARK, request.ce_id.encode())]
    assert len(outage.requests()) == len(before) + 40

    scene.wait_worked_off()
    results = collections.defaultdict(list)
    for result in scene.results():
        if result.header(MARK) is not None:
            results[result.header(MARK).decode()].append(json.loads(result.value))
    assert set(results) == set(replays)
    for request in failed:
        value, = results[request.ce_id]
        assert (value["outcome"], value["caseId"], value["requestId"]) == ("found", plain(email=request.email).case_id, request.request_id)

    again = outage.replay("--reason", "api_unavailable")
    assert numbers(again, "matched", "replayed_before", "replayed") == [40, 40, 0], "what was replayed is left alone"
    assert len(outage.requests()) == len(before) + 40
    told = outage.replay("--reason", "api_unavailable", "--again")
    assert numbers(told, "matched", "replayed_before", "replayed") == [40, 0, 40], "unless it is asked for"
    assert all(len(records) == 2 for records in outage.replays().values())


def test_a_replay_that_fails_again_keeps_the_first_original(outage):
    outage = outage(partitions=2)
    failed = outage.fail(6)
    with outage.scene.witnesses():
        assert numbers(outage.replay("--reason", "api_unavailable"), "replayed") == [6]
        wait_for(lambda: sum(r.header(MARK) is not None for r in outage.scene.results()) == 6, "the replays failed too")
    outage.scene.sim.faults()
    once_more = outage.replay("--reason", "api_unavailable")
    assert numbers(once_more, "matched", "repeats", "replayed") == [12, 6, 6], "of a request, the last failure is replayed"
    assert {first: len(records) for first, records in outage.replays().items()} == {r.ce_id: 2 for r in failed}
    assert all(len([h for h, _ in record.headers if h == MARK]) == 1
               for records in outage.replays().values() for record in records)
    outage.scene.wait_worked_off()
    assert numbers(outage.replay("--reason", "api_unavailable"), "matched", "replayed_before", "replayed") == [12, 6, 0]


def test_what_retention_removed_is_listed_and_the_rest_is_replayed(outage):
    outage = outage(partitions=2)
    failed = outage.fail(10)
    outage.scene.sim.faults()
    gone = sorted(failed, key=lambda r: (r.partition, r.offset))[:3]
    outage.scene.topics.delete_records(outage.scene.requests_topic, {gone[-1].partition: gone[-1].offset + 1})
    done = outage.replay("--reason", "api_unavailable")
    assert done.returncode == 0
    assert sorted(line.split(":")[0] for line in done.stdout.splitlines() if "no longer in its topic (" in line) == \
        sorted(request.ce_id for request in gone)
    assert numbers(done, "matched", "gone", "replayed") == [10, 3, 7]
    assert set(outage.replays()) == {r.ce_id for r in failed} - {r.ce_id for r in gone}


def test_a_topic_that_was_made_anew_gives_no_stranger_away(outage):
    outage = outage(partitions=1)
    scene = outage.scene
    failed = outage.fail(4)
    scene.services[0].terminate()
    scene.sim.faults()
    scene.topics.delete(scene.requests_topic)
    scene.topics.create(scene.requests_topic, 1)
    scene.topics.produce(scene.requests_topic, 1, small(failed[1].offset + 1))
    done = outage.replay("--reason", "api_unavailable")
    assert done.returncode == 0 and outage.replays() == {}
    assert numbers(done, "matched", "replaced", "gone", "replayed") == [4, 2, 2, 0]


def test_reasons_and_times_choose(outage):
    outage = outage(partitions=2)
    scene = outage.scene
    scene.put([plain(email="nobody@example.org"), malformed("text", b"text")])
    outage.fail(2, "early")
    split = json.loads(scene.result_of(scene.put([plain(email="between@example.org")])[0]).value)["completedAt"]
    outage.fail(3, "late")
    scene.sim.faults()

    def matched(*arguments):
        done = outage.replay("--dry-run", *arguments)
        assert done.returncode == 0, done.stderr
        return int(audit(done)["matched"])

    assert matched() == 5, "without --reason: what may fare better later"
    assert matched("--reason", "case_not_found,malformed_event") == 2
    assert matched("--reason", "case_not_found", "--reason", "api_unavailable") == 6
    assert matched("--since", split) == 3
    assert matched("--until", split) == 2
    assert matched("--since", "1h", "--until", split) == 2
    assert matched("--since", "1d12h") == 5
    assert matched("--until", "1h") == 0
    assert "No error event matches." in outage.replay("--dry-run", "--until", "1h").stdout


def test_error_events_are_read_where_they_go(outage, topics):
    errors = topics.create(f"errors-{os.urandom(5).hex()}", 3)
    outage = outage(**{"kafka.error_topic": errors})
    scene = outage.scene
    scene.sim.faults("status_500:match=down")
    failed = [plain(email=f"down-{n}@example.org") for n in range(5)]
    with scene.witnesses():
        scene.put(failed)
        wait_for(lambda: topics.count(errors) == 5, "5 error events")
    scene.sim.faults()
    done = outage.replay("--reason", "api_unavailable")
    assert audit(done)["error_events"] == errors and numbers(done, "replayed") == [5]


def test_the_group_is_left_alone(outage):
    outage = outage()
    outage.fail(3)
    scene = outage.scene
    service = scene.services[0]
    rebalances = service.metric("care360_lookup_rebalances_total")
    scene.sim.faults()
    assert numbers(outage.replay(), "replayed") == [3]
    scene.wait_worked_off()
    assert service.metric("care360_lookup_rebalances_total") == rebalances
    assert service.get("/readyz")[0] == 200


def test_repeats_and_strange_records_do_no_harm(outage):
    outage = outage(partitions=1)
    scene = outage.scene
    request, = outage.fail(1)
    scene.sim.faults()
    event = next(r for r in scene.results() if r.ce_id == request.ce_id)
    headers = dict(event.headers)
    strange = [
        dataclasses.replace(request, value=event.value, key=event.key, headers=event.headers),  # a repeat
        dataclasses.replace(request, value=b"not JSON", headers=event.headers),
        dataclasses.replace(request, value=event.value.replace(scene.requests_topic.encode(), b"elsewhere"),
                            headers=list({**headers, "ce_id": b"elsewhere/0/%d" % request.offset}.items())),
        dataclasses.replace(request, value=event.value, headers=[]),  # somebody else's
    ]
    scene.topics.produce(scene.results_topic, 1, strange)
    done = outage.replay()
    assert done.returncode == 0
    assert numbers(done, "matched", "repeats", "malformed", "elsewhere", "replayed") == [2, 1, 1, 1, 1]
    assert "not a readable error event: not a JSON object at byte 1" in done.stdout
    assert "down-0@example.org" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["--since", "yesterday"], '--since: "yesterday" is neither a time such as 2026-11-24T03:00:00Z nor a span such as 90m, 2h or 1d'),
    (["--until", "2026-02-30T00:00:00Z"], '--until: "2026-02-30T00:00:00Z" is neither'),
    (["--since", "2"], '--since: "2" is neither'),
    (["--since", "9999-01-01T00:00:00Z"], "--since: lies in the future"),
    (["--since", "1h", "--until", "2h"], "--until: is not after --since"),
    (["--reason", "api_unavailble"], "--reason: there is no reason api_unavailble; did you mean api_unavailable?"),
    (["--reason", "rejected,"], "--reason: there is no reason"),
    (["--reason", "weather"], "those there are: case_not_found, email_missing, identity_missing, malformed_event, rejected"),
    (["--frobnicate"], "replay: there is no option --frobnicate"),
    (["everything"], 'replay: what is "everything" for? It takes options alone'),
])
def test_wrong_usage_exits_2_before_anything_is_asked(arguments, said):
    done = subprocess.run([str(SERVICE), "replay", *arguments], capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr


def test_a_topic_that_is_not_there_ends_it_with_1_and_its_name(outage):
    outage = outage(partitions=1)
    done = outage.replay("--set", "kafka.error_topic=nowhere")
    assert done.returncode == 1 and "topic nowhere does not exist" in done.stderr
    assert audit(done)["ended"] == "early"


def takes_signals(pid):
    """Whether the program keeps SIGTERM for itself to ask for; Python before it is the program, and librdkafka while it
    starts, block every signal for a moment."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        blocked = int(next(line.split()[1] for line in status if line.startswith("SigBlk")), 16)
    return blocked >> (signal.SIGTERM - 1) & 1 and not blocked >> (signal.SIGWINCH - 1) & 1


def test_an_interrupt_ends_it_with_1_and_the_audit(outage):
    outage = outage(partitions=1)
    scene = outage.scene
    scene.topics.produce(scene.results_topic, 1, small(200_000), keep=False)
    for _ in range(5):  # it may be through before the signal comes
        process = subprocess.Popen([str(SERVICE), "replay", "-c", str(scene.services[0].config)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=clean_environment())
        wait_for(lambda: process.poll() is not None or takes_signals(process.pid), "it reads", interval=0.001)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert process.returncode == 1 and "interrupted" in err
    assert "ended=early" in out.splitlines()[-1]


def test_a_terminal_gets_a_bar_and_a_file_plain_lines(outage):
    outage = outage(partitions=1)
    outage.fail(2)
    outage.scene.sim.faults()
    plain_text = outage.replay("--dry-run").stderr
    assert "\033" not in plain_text and "records with error events read" in plain_text

    def on_terminal() -> bytes:
        main, terminal = pty.openpty()
        subprocess.run([str(SERVICE), "replay", "--dry-run", "-c", str(outage.scene.services[0].config)], stdout=subprocess.DEVNULL,
                       stderr=terminal, timeout=60, env=clean_environment(TERM="xterm"))
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while True:
                shown += os.read(main, 65536)
        os.close(main)
        return shown

    assert b"\r\033[K[" in on_terminal()
    wait_for(lambda: b"#" in on_terminal(), "the bar has grown when it is drawn; where the first records are late, it may not")
