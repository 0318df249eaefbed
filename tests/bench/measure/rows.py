"""The rows of the table: each measures candidates in turn, several times, and holds a target beside what came out."""

import dataclasses
import json
import pathlib
import statistics
import time
from typing import Callable, Dict, List, Optional

from harness.records import fresh
from harness.requests import plain
from harness.service import Service
from harness.waiting import wait_for

from .candidates import PARTITIONS, Bench, Cost, Load, Stub, on_core


@dataclasses.dataclass
class Row:
    """One line of the table."""

    what: str
    value: str
    target: str
    met: Optional[bool]  # None: nothing is promised


def scheduled_seconds(pid: int) -> float:
    """CPU time of a process to the nanosecond: the usual clock's ticks are too coarse for one that idles."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Rows:
    """Measures; what was measured once in this run is not measured again."""

    def __init__(self, bench: Bench, rounds: int, scale: float) -> None:
        self._bench = bench
        self._rounds = rounds
        self._scale = scale
        self.costs = {}  # by candidate and load

    # --- measuring ---

    def _events(self, load: Load) -> int:
        """Enough for about five seconds, and never fewer than forty rounds of what is in flight."""
        rate = min(20_000, load.in_flight / (load.latency_ms / 1000)) if load.latency_ms else 20_000
        return int(max(5 * rate * self._scale, 40 * load.in_flight) / 1000 + 1) * 1000

    def measure(self, load: Load, *names: str) -> Dict[str, List[Optional[Cost]]]:
        """The runs of each candidate, taken in turn so that whatever disturbs disturbs all of them."""
        load = dataclasses.replace(load, events=self._events(load))
        for _ in range(self._rounds):
            for name in names:
                runs = self.costs.setdefault((name, str(load), load.workers), [])
                if len(runs) < self._rounds:
                    cost = getattr(self._bench, name)(load)
                    runs.append(cost)
                    print(f"  {name:8} {load}, {load.workers} workers: {cost or 'not built'}", flush=True)
        return {name: self.costs[name, str(load), load.workers] for name in names}

    @staticmethod
    def ratio(runs: List[Cost], others: List[Cost], figure: str = "cpu_us") -> float:
        """The median of the ratios of runs that stood side by side."""
        return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(runs, others))

    @staticmethod
    def median(runs: List[Optional[Cost]]) -> Optional[Cost]:
        """Each figure's own median; None for a candidate that is not there."""
        if None in runs:
            return None
        return Cost(**{field.name: statistics.median(getattr(run, field.name) for run in runs)
                       for field in dataclasses.fields(Cost)})

    # --- rows ---

    def cost_beside_libcurl(self) -> List[Row]:
        rows = []
        for latency in (0, 20):
            load = Load(latency_ms=latency)
            found = self.measure(load, "loop", "service", *(("go", "benthos") if latency == 20 else ()))
            ratio = self.ratio(found["service"], found["loop"])
            rows.append(Row(f"CPU per event beside bare libcurl, {load}", f"{ratio:.2f} times", "at most 1.5", ratio <= 1.5))
        return rows

    def cost_beside_peers(self) -> List[Row]:
        found = self.measure(Load(), "loop", "service", "go", "benthos")
        return self._beside(found, str(Load()), {"benthos": 5.0, "go": 1.3})

    def _beside(self, found: dict, where: str, wanted: dict) -> List[Row]:
        rows = []
        for name, times in wanted.items():
            if None not in found[name]:
                ratio = self.ratio(found[name], found["service"])
                rows.append(Row(f"events per CPU second beside {name}, {where}", f"{ratio:.1f} times", f"at least {times:g}",
                                ratio >= times))
        return rows

    def tls(self) -> List[Row]:
        if "tls_stub" not in self._bench.programs:
            return []
        rows = []
        for http2 in (False, True):
            load = Load(tls=True, http2=http2)
            found = self.measure(load, "loop", "service", "go", "benthos")
            ratio = self.ratio(found["service"], found["loop"])
            rows.append(Row(f"CPU per event beside bare libcurl, {load}", f"{ratio:.2f} times", "at most 1.5", ratio <= 1.5))
            rows += self._beside(found, str(load), {"benthos": 4.0})
            rows.append(Row(f"peak memory, {load}", f"{self.median(found['service']).rss_mib:.0f} MiB", "", None))
        return rows

    def throughput(self) -> List[Row]:
        rows = []
        for latency in (20, 100, 200):
            load = Load(latency_ms=latency)
            found = self.measure(load, "loop", "service")
            share = self.ratio(found["service"], found["loop"], "rate")
            rows.append(Row(f"throughput beside bare libcurl, {load}", f"{share:.0%}", "at least 97%", share >= 0.97))
        return rows

    def many_in_flight(self) -> List[Row]:
        few, many = Load(), Load(in_flight=2048)
        ratio = self.ratio(self.measure(many, "service")["service"], self.measure(few, "service")["service"])
        return [Row("CPU per event at 2,048 in flight beside 256", f"{ratio:.2f} times", "at most 1.5", ratio <= 1.5)]

    def workers(self) -> List[Row]:
        rows = []
        one = self.measure(Load(), "service")["service"]
        for workers in (2, 4):
            ratio = self.ratio(self.measure(Load(workers=workers), "service")["service"], one)
            rows.append(Row(f"CPU per event with {workers} workers beside one", f"{ratio:.2f} times", "at most 1.15",
                            ratio <= 1.15))
        return rows

    def memory(self) -> List[Row]:
        rows = []
        for in_flight, most in ((256, 32), (2048, 64)):
            load = Load(in_flight=in_flight)
            rss = self.median(self.measure(load, "service")["service"]).rss_mib
            rows.append(Row(f"peak memory, {load}", f"{rss:.0f} MiB", f"at most {most} MiB", rss <= most))
        return rows

    # --- rows of single runs of the service ---

    def _run(self, load: Load, use: Callable[[Service, str, str], object], requests: str = "") -> object:
        """Starts the service between two topics whose records bear the time when they were appended, and uses it."""
        appended = {"message.timestamp.type": "LogAppendTime"}
        requests = requests or self._bench.topics.create(fresh("requests"), PARTITIONS, appended)
        results = self._bench.topics.create(fresh("results"), PARTITIONS, appended)
        directory = self._bench.scratch()
        with Stub(directory, load, self._bench.programs) as stub:
            settings = self._bench.settings(load, stub, requests, results)
            with Service(directory, settings, prefix=tuple(on_core(0))) as service:
                return use(service, requests, results)

    def time_added(self) -> List[Row]:
        load = Load()
        count = int(500 * max(4, 20 * self._scale))

        def use(service: Service, requests: str, results: str) -> List[int]:
            service.wait_ready()
            topics = self._bench.topics
            begun = time.monotonic()
            for number in range(0, count, 5):
                topics.produce(requests, PARTITIONS, [dataclasses.replace(plain(f"c{n}@example.org"), key=b"key-%d" % n)
                                                      for n in range(number, number + 5)], keep=False)
                time.sleep(max(0.0, begun + number / 500 - time.monotonic()))
            wait_for(lambda: self._bench.count(results) >= count, "all are answered", 60)
            appended = {(record.partition, record.offset): record.timestamp_ms for record in topics.read(requests)}
            waits = []
            for record in topics.read(results):
                place = json.loads(record.value)["request"]
                waits.append(record.timestamp_ms - appended[place["partition"], place["offset"]] - load.latency_ms)
            return sorted(waits)

        self._run(load, use)  # for the broker's Java, whose first seconds are slow
        waits = self._run(load, use)
        half, most = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        what = "time added at 500 events a second"
        return [Row(f"{what}, {load}, the median", f"{half} ms", "under 3 ms", half < 3),
                Row(f"{what}, {load}, of 99%", f"at most {most} ms", "under 12 ms", most < 12)]

    def idle(self) -> List[Row]:
        seconds = max(3, 10 * self._scale)

        def use(service: Service, _requests: str, _results: str) -> float:
            service.wait_ready()
            time.sleep(1)  # what it does once it has started is no idling
            cpu, begun = scheduled_seconds(service.pid), time.monotonic()
            time.sleep(seconds)
            return (scheduled_seconds(service.pid) - cpu) / (time.monotonic() - begun)

        share = self._run(Load(), use)
        return [Row("idle", f"{share:.2%} of a core", "under 0.5%", share < 0.005)]

    def start(self) -> List[Row]:
        def use(service: Service, _requests: str, results: str) -> float:
            begun = time.monotonic()
            wait_for(lambda: self._bench.count(results) > 0, "the first result", 30, 0.01)
            return time.monotonic() - begun

        waits = [self._run(Load(), use, self._bench.requests(1000)) for _ in range(self._rounds)]
        return [Row("start to first result, an empty group", f"{statistics.median(waits):.2f} s", "under 1 s",
                    statistics.median(waits) < 1)]

    def stop(self) -> List[Row]:
        load = Load(latency_ms=200)

        def use(service: Service, _requests: str, results: str) -> float:
            wait_for(lambda: self._bench.count(results) > 3 * load.in_flight, "it is at work", 30, 0.01)
            begun = time.monotonic()
            assert service.terminate() == 0
            return time.monotonic() - begun

        waits = [self._run(load, use, self._bench.requests(10_000)) for _ in range(self._rounds)]
        return [Row(f"SIGTERM to end, {load}", f"{statistics.median(waits):.2f} s", "under 1 s", statistics.median(waits) < 1)]

    def all(self) -> Dict[str, Callable[[], List[Row]]]:
        return {"libcurl": self.cost_beside_libcurl, "peers": self.cost_beside_peers, "tls": self.tls,
                "throughput": self.throughput, "in_flight": self.many_in_flight, "workers": self.workers,
                "memory": self.memory, "added": self.time_added, "idle": self.idle, "start": self.start, "stop": self.stop}
