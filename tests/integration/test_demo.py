"""`demo`: everything at once, and nothing left behind."""

import os
import pathlib
import re
import signal
import time
import urllib.request

import pytest

from harness.paths import SERVICE
from harness.process import Process
from harness.service import clean_environment
from harness.waiting import wait_for


@pytest.fixture
def demo(tmp_path):
    """Starts a demo with its files in a directory of the test's own."""
    started = []

    def start(*arguments, **environment):
        files = tmp_path / "files"
        files.mkdir()
        process = Process([SERVICE, "demo", *arguments], tmp_path, "demo",
                          environment=clean_environment(TMPDIR=str(files), **environment))
        process.files = files
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def children(pid: int) -> list:
    return [int(word) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
            for word in path.read_text().split()]


def runs(pid: int) -> bool:
    """Whether there is such a process that has not ended (nobody may have waited for it yet)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def expect_gone(pids: list) -> None:
    assert len(pids) == 2
    wait_for(lambda: not any(map(runs, pids)), "the API and the service have ended")


def started(process: Process) -> list:
    wait_for(lambda: re.search(r"case [0-9a-f]{8}-", process.stdout), "the first result is there", 60,
             detail=lambda: process.stderr)
    return children(process.pid)


def test_the_demo_shows_both_stops_and_ends_by_itself(demo, figure):
    begun = time.monotonic()
    process = demo()
    pids = started(process)
    assert process.wait(60) == 0, process.stderr
    expect_gone(pids)
    text = process.stdout
    assert "the line stops: credentials" in text and "the line stops: api_down" in text
    assert text.count("the line runs again") == 2
    sent, answered, repeated = re.search(r"(\d+) requests, (\d+) answered, (\d+) repeated", text).groups()
    assert sent == answered and repeated == "0"
    for outcome in ("found", "case_not_found", "identity_missing", "malformed_event"):
        assert re.search(rf"^ +\d+  .*{outcome}$", text, re.MULTILINE)
    first = re.search(r"the first result was there (.*) after the start", text).group(1)
    figure(f"first result after {first}; {time.monotonic() - begun:.1f} s in all")
    assert not list(process.files.iterdir())


def test_the_demo_writes_plain_lines_where_there_is_no_terminal(demo):
    process = demo()
    started(process)
    process.signal(signal.SIGINT)
    process.wait()
    assert "\x1b" not in process.stdout and "\r" not in process.stdout


def test_ctrl_c_leaves_no_process_and_no_file(demo):
    process = demo()
    pids = started(process)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    expect_gone(pids)
    assert not list(process.files.iterdir())


def test_a_killed_demo_leaves_no_process(demo):
    process = demo()
    pids = started(process)
    process.signal(signal.SIGKILL)
    process.wait()
    expect_gone(pids)


def test_the_demo_keeps_running_until_it_is_told_to_end(demo):
    process = demo("--keep-running")
    pids = started(process)
    page = re.search(r"http://127\.0\.0\.1:\d+/(?= \(its status page)", process.stdout).group(0)
    assert urllib.request.urlopen(page, timeout=30).status == 200
    wait_for(lambda: "Ctrl-C ends it" in process.stdout, "the show is over", 60)
    before = len(process.stdout)
    wait_for(lambda: len(process.stdout) > before, "the trickle goes on")
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    expect_gone(pids)


def test_the_demo_is_deaf_to_the_environment_of_a_real_service(demo):
    process = demo(CARE360_LOOKUP_KAFKA_BROKERS="192.0.2.1:9092", CARE360_API_KEY="not-for-the-demo")
    started(process)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
