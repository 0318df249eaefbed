"""A scene: topics of its own, the simulated API and the service between them."""

import contextlib
import pathlib
import threading
from typing import Any, Dict, Iterable, Iterator, List, Optional

from .checker import Checker, Report, Result
from .records import Follower, Topics, fresh
from .requests import Request, plain
from .service import Service
from .sim import Sim
from .waiting import wait_for


class Scene:
    """What most tests need, with names that no other test has. A context manager: its services end with it."""

    def __init__(self, topics: Topics, sim: Sim, directory: pathlib.Path, partitions: int = 4,
                 topic_settings: Optional[Dict[str, str]] = None, create: bool = True, **settings: Any) -> None:
        self.topics = topics
        self.sim = sim
        self.directory = directory
        self.partitions = partitions
        self.requests_topic = fresh("requests")
        self.results_topic = fresh("results")
        self.group = fresh("group")
        self.settings: Dict[str, Any] = {
            "kafka.brokers": topics.bootstrap, "kafka.group_id": self.group,
            "kafka.request_topics": [self.requests_topic], "kafka.result_topic": self.results_topic,
            "care360.base_url": sim.url, **settings}
        self.sent: List[Request] = []
        self._follower: Optional[Follower] = None
        self._first_results: Dict[str, Result] = {}  # by ce_id, as far as result_of() has looked
        self.services: List[Service] = []
        if create:
            topics.create(self.requests_topic, partitions)
            topics.create(self.results_topic, partitions, topic_settings)

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *_) -> None:
        for service in self.services:
            service.end()
        if self._follower:
            self._follower.close()

    def service(self, ready: bool = True, settings: Optional[Dict[str, Any]] = None, **options: Any) -> Service:
        """Starts an instance; each has a name, and so files, of its own."""
        name = f"service-{len(self.services) + 1}"
        service = Service(self.directory, {**self.settings, **(settings or {})}, name, **options)
        self.services.append(service)
        return service.wait_ready() if ready else service

    def put(self, requests: Iterable[Request]) -> List[Request]:
        """Puts requests into the topic; check() will expect their results."""
        put = self.topics.produce(self.requests_topic, self.partitions, requests)
        self.sent += put
        return put

    def results(self) -> List[Result]:
        return list(self.topics.read(self.results_topic))

    def settled_results(self) -> List[Result]:
        """All of them, once no open transaction hides any."""
        self.topics.wait_transactions_over(self.results_topic)
        return self.results()

    def result_count(self) -> int:
        return self.topics.count(self.results_topic)

    def result_of(self, request: Request, timeout: float = 30.0) -> Result:
        """Waits for the first result of a request."""
        def find() -> Optional[Result]:
            self._expect_running()
            for result in self._follower.take():
                self._first_results.setdefault(result.ce_id, result)
            return self._first_results.get(request.ce_id)

        self._follower = self._follower or self.topics.follow(self.results_topic)
        return wait_for(find, f"{request.kind} is answered", timeout, 0, detail=self._state)

    def wait_results(self, count: int, timeout: float = 120.0) -> None:
        def enough() -> bool:
            self._expect_running()
            return self.result_count() >= count

        wait_for(enough, f"{count} results", timeout, 0.05, detail=lambda: f"{self.result_count()} so far; {self._state()}")

    def wait_answers_published(self, service: Service) -> int:
        """
        Waits until no request but a probe is under way while the line is stopped, and each case that the API told
        `service`, which works alone and for a customer of his own each time, is in the result topic; how many there are.
        """
        def told() -> float:
            return service.metric("http_client_request_duration_seconds_count", http_response_status_code="200")

        service.wait_only_probes()
        wait_for(lambda: self.result_count() == told(), "every answer of the API is published", detail=self._state)
        return self.result_count()

    def wait_worked_off(self, timeout: float = 120.0) -> float:
        """Waits until every request is answered and committed."""
        service = next((s for s in self.services if s.running()), None)
        return self.topics.wait_worked_off(self.group, self.requests_topic, timeout, service)

    def check(self, results: Optional[List[Result]] = None) -> Report:
        """Compares all results, read anew unless they are given, with all requests."""
        if results is None:
            results = self.settled_results()
        checker = Checker(self.group, self.settings.get("lookup.result_key", "request") == "request",
                          self.settings.get("lookup.ordering", "key"))
        return checker.check(self.sent, results)

    @contextlib.contextmanager
    def witnesses(self, every: float = 0.02) -> Iterator[None]:
        """Healthy requests going by all the while, so that failures of others have a witness."""
        over = threading.Event()

        def send() -> None:
            number = 0
            while not over.is_set():
                number += 1
                self.topics.produce(self.requests_topic, self.partitions, [plain(email=f"witness{number}@example.org")])
                over.wait(every)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _expect_running(self) -> None:
        """At least one instance is up, unless the test has ended all of them itself."""
        if self.services and not any(service.running() for service in self.services):
            self.services[-1].expect_running()

    def _state(self) -> str:
        if not self.services:
            return ""
        service = self.services[-1]
        return f"readyz {service.get('/readyz')}; log {service.stderr[-1500:]}"
