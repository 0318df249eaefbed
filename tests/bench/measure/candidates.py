"""What is measured: the service, bare libcurl, and what people use instead. Each does the same job on the same core."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from typing import Dict, List, Optional

from confluent_kafka import KafkaError, KafkaException

from harness.paths import BUILD
from harness.process import Process, free_port
from harness.records import Topics, fresh
from harness.requests import plain
from harness.service import Service, clean_environment
from harness.waiting import wait_for

PEERS = pathlib.Path(__file__).resolve().parents[1] / "peers"
PARTITIONS = 8
CASE_ID = "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da"
KEY = "bench-key"
WARM_UP = 0.15  # of the events: after this, connections and buffers are there


@dataclasses.dataclass
class Load:
    """One way to load a candidate."""

    latency_ms: int = 20
    in_flight: int = 256
    events: int = 30_000
    tls: bool = False
    http2: bool = False
    workers: int = 1

    def __str__(self) -> str:
        protocol = ("HTTP/2" if self.http2 else "HTTP/1.1") + (" over TLS" if self.tls else "")
        return f"{self.latency_ms} ms, {self.in_flight:,} in flight, {protocol}"


@dataclasses.dataclass
class Cost:
    """What it cost."""

    rate: float  # events a second
    cpu_us: float  # of an event
    rss_mib: float  # at most
    stub_busy: float  # the share of its core that the stub needed
    checked: int = 0  # results that were read and found right


def on_core(number: int) -> List[str]:
    return ["taskset", "-c", str(number)] if os.cpu_count() > 1 else []


class Stub(Process):
    """The API. Plain HTTP by the project's own, which costs least; TLS by one in Go."""

    def __init__(self, directory: pathlib.Path, load: Load, programs: Dict[str, pathlib.Path]) -> None:
        self.ca_file = directory / "ca.pem"
        command = ([programs["tls_stub"], "-latency", load.latency_ms, "-ca-file", self.ca_file] if load.tls else
                   [BUILD / "tests" / "bench" / "bench_stub", "--latency", load.latency_ms])
        super().__init__([*on_core(1), *command], directory, "stub")
        self.url = wait_for(lambda: self.stdout.strip(), "the stub listens").split()[-1]
        self._begun = time.monotonic(), self.cpu_seconds()

    def busy(self) -> float:
        begun, cpu = self._begun
        return (self.cpu_seconds() - cpu) / (time.monotonic() - begun)


def peak_mib(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Bench:
    """The broker's topics and the programs, for all candidates alike."""

    def __init__(self, topics: Topics, directory: pathlib.Path, programs: Dict[str, pathlib.Path]) -> None:
        self.topics = topics
        self.directory = directory
        self.programs = programs
        self._preloaded: Dict[int, str] = {}

    def requests(self, count: int) -> str:
        """A topic with so many requests of about 200 bytes."""
        if count not in self._preloaded:
            topic = self.topics.create(fresh("requests"), PARTITIONS)
            self.topics.produce(topic, PARTITIONS, (
                dataclasses.replace(plain(f"customer{n}@example.org", f"+1555{n:07}", f"request-{n}", note="x" * 100),
                                    key=b"key-%d" % n) for n in range(count)), keep=False)
            self._preloaded[count] = topic
        return self._preloaded[count]

    def scratch(self) -> pathlib.Path:
        return pathlib.Path(tempfile.mkdtemp(dir=self.directory))

    def settings(self, load: Load, stub: Stub, requests: str, results: str) -> dict:
        settings = {
            "kafka.brokers": self.topics.bootstrap, "kafka.group_id": fresh("group"), "kafka.request_topics": [requests],
            "kafka.result_topic": results, "care360.base_url": stub.url, "lookup.in_flight": load.in_flight,
            "lookup.workers": load.workers, "care360.http_version": "h2" if load.http2 else "http/1.1"}
        return {**settings, **({"care360.ca_file": str(stub.ca_file)} if load.tls else {})}

    def count(self, topic: str) -> int:
        """How many records there are; 0 too while the topic is so new that the broker does not lead it yet."""
        try:
            return self.topics.count(topic)
        except KafkaException as error:
            assert error.args[0].retriable() or error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION, error
            return 0

    # --- candidates: each takes a load and returns what it cost ---

    def service(self, load: Load) -> Cost:
        def start(stub: Stub, directory: pathlib.Path, requests: str, results: str) -> Process:
            return Service(directory, self.settings(load, stub, requests, results), prefix=tuple(on_core(0)))

        return self._pipeline(load, start)

    def go(self, load: Load) -> Optional[Cost]:
        def start(stub: Stub, directory: pathlib.Path, requests: str, results: str) -> Process:
            more = (["-ca-file", stub.ca_file] if load.tls else []) + (["-http2"] if load.http2 else [])
            return Process([*on_core(0), self.programs["go"], "-brokers", self.topics.bootstrap, "-group", fresh("group"),
                            "-input", requests, "-output", results, "-url", stub.url, "-key", KEY,
                            "-in-flight", load.in_flight, *more], directory, "go", clean_environment())

        return self._pipeline(load, start) if "go" in self.programs else None

    def benthos(self, load: Load) -> Optional[Cost]:
        def start(stub: Stub, directory: pathlib.Path, requests: str, results: str) -> Process:
            tls = f"tls: {{enabled: true, root_cas_file: {stub.ca_file}}}" if load.tls else ""
            values = {"PORT": free_port(), "BROKERS": self.topics.bootstrap, "GROUP": fresh("group"), "REQUESTS": requests,
                      "RESULTS": results, "URL": stub.url, "KEY": KEY, "IN_FLIGHT": load.in_flight, "TLS": tls}
            text = (PEERS / "benthos" / "pipeline.yaml").read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", str(value))
            config = directory / "benthos.yaml"
            config.write_text(text)
            return Process([*on_core(0), self.programs["benthos"], "-c", config], directory, "benthos", clean_environment())

        return self._pipeline(load, start) if "benthos" in self.programs else None

    def loop(self, load: Load) -> Cost:
        """The cheapest of the ways to write a loop around libcurl alone: HTTP, no Kafka, no JSON."""
        ways: List[List[str]] = [["--sticky"], ["--sticky", "--curlu"], []]
        with Stub(self.scratch(), load, self.programs) as stub:
            common = ["--url", stub.url, "--requests", load.events, "--warm-up", int(WARM_UP * load.events),
                      "--in-flight", load.in_flight, "--key", KEY]
            common += (["--ca-file", stub.ca_file] if load.tls else []) + (["--http2"] if load.http2 else [])
            runs = []
            for way in ways:
                words = [*on_core(0), BUILD / "tests" / "bench" / "bench_curl_loop", *common, *way]
                runs.append(json.loads(subprocess.run([str(word) for word in words], check=True, capture_output=True,
                                                      text=True).stdout))
                assert runs[-1]["failures"] == 0
            best = min(runs, key=lambda run: run["cpu_us_per_request"])
            return Cost(max(run["requests_per_second"] for run in runs), best["cpu_us_per_request"],
                        best["peak_rss_kb"] / 1024, stub.busy())

    def _pipeline(self, load: Load, start) -> Cost:
        """Runs something that works off a topic; measures from the end of the warm-up to the last result."""
        requests = self.requests(load.events)
        results = self.topics.create(fresh("results"), PARTITIONS)
        directory = self.scratch()
        samples = []
        with Stub(directory, load, self.programs) as stub, start(stub, directory, requests, results) as process:
            def sample() -> bool:
                process.expect_running()
                done = self.count(results)
                if done >= WARM_UP * load.events:
                    samples.append((time.monotonic(), done, process.cpu_seconds()))
                return done >= load.events

            slowest = load.events * max(load.latency_ms / 1000 / load.in_flight, 1 / 1000)
            wait_for(sample, f"{process.name} answers all", 60 + 3 * slowest, 0.1,
                     detail=lambda: process.stdout[-800:] + process.stderr[-800:])
            (begun, first, cpu_before), (ended, last, cpu_after) = samples[0], samples[-1]
            cost = Cost((last - first) / (ended - begun), (cpu_after - cpu_before) / (last - first) * 1e6,
                        peak_mib(process.pid), stub.busy())
        cost.checked = self._check(requests, results, load.events)
        self.topics.delete(results)
        shutil.rmtree(directory, ignore_errors=True)
        return cost

    def _check(self, requests: str, results: str, count: int) -> int:
        """Exactly one result an event, each with the case ID."""
        answered = set()
        for result in self.topics.read(results):
            value = json.loads(result.value)
            assert value["caseId"] == CASE_ID and value["request"]["topic"] == requests, value
            answered.add((value["request"]["partition"], value["request"]["offset"]))
        assert len(answered) == count == self.topics.count(results), f"{len(answered)} of {count} answered"
        return count
