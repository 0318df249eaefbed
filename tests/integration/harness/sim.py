"""The simulated Care360 API: started, misbehaving on demand, and asked what it saw."""

import json
import pathlib
import ssl
import urllib.request
from typing import Any, Dict, List, Optional

from .paths import SIMULATOR
from .process import Process, free_port
from .service import KEY, clean_environment
from .tls import Authority, Certificate
from .waiting import wait_for

_SETTINGS = "/_sim/settings"
_STATS = "/_sim/stats"
# Settings that it can have from its first request on, and their options.
_OPTIONS = {"latency_ms": "--latency", "latency_jitter_ms": "--latency-jitter", "limit": "--limit",
            "limit_burst": "--limit-burst", "limit_retry_after": "--limit-retry-after"}
_GREETING = "listening on "


class Sim:
    """care360-sim on a loopback port that stays the same over down() and up().

    With `authority` it speaks TLS, by a certificate from there; up() takes another one that was put in its place.
    """

    def __init__(self, directory: pathlib.Path, key: str = KEY, record: bool = False,
                 authority: Optional[Authority] = None, **settings: Any) -> None:
        self._directory = directory
        self._key = key
        self.record_path: Optional[pathlib.Path] = directory / "record.jsonl" if record else None
        self._ca_file = authority.ca_file if authority else None
        self.certificate: Optional[Certificate] = authority.certificate("care360-sim", "IP:127.0.0.1") if authority else None
        self._settings: Dict[str, Any] = settings
        self._process: Optional[Process] = None
        self.port = free_port()
        self.up()

    def __enter__(self) -> "Sim":
        return self

    def __exit__(self, *_) -> None:
        self.down()

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        return self._process

    def up(self) -> "Sim":
        """Starts it, at its port."""
        command: List[object] = [SIMULATOR, "--listen", f"127.0.0.1:{self.port}", "--api-key", self._key]
        for fault in self._settings.get("faults", []):
            command += ["--fault", fault]
        for name in _OPTIONS.keys() & self._settings.keys():
            command += [_OPTIONS[name], self._settings[name]]
        if self.record_path:
            command += ["--record", self.record_path]
        if self.certificate:
            command += ["--tls-certificate", self.certificate.certificate, "--tls-key", self.certificate.key]
        self._process = Process(command, self._directory, "sim", clean_environment())
        wait_for(self._greeting, "the simulator listens", 10, detail=lambda: self._process.stderr[-1000:])
        others = {name: value for name, value in self._settings.items() if name not in _OPTIONS and name != "faults"}
        if others:
            self._ask(_SETTINGS, others)
        return self

    def down(self) -> None:
        """Ends it: connections are refused from now on."""
        self._process.end()

    def set(self, **settings: Any) -> None:
        """Changes settings while it runs, such as latency_ms=20, api_key="new" or faults=[...]."""
        self._settings.update(settings)
        if "api_key" in settings:
            self._key = settings["api_key"]
        self._ask(_SETTINGS, settings)

    def faults(self, *faults: str) -> None:
        """Switches on these faults and no other, each as text: "status_500=30:match=odd"."""
        self.set(faults=list(faults))

    def stats(self) -> Dict[str, Any]:
        return self._ask(_STATS)

    def requests(self) -> List[Dict[str, Any]]:
        """Every request it saw, from the file of --record."""
        self.stats()  # has it write what it still holds
        with open(self.record_path) as record:
            return [json.loads(line) for line in record]

    def _greeting(self) -> str:
        self._process.expect_running()
        line = self._process.stdout.split("\n", 1)
        return line[0] if len(line) == 2 and line[0].startswith(_GREETING) else ""

    def _ask(self, path: str, change: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        data = json.dumps(change).encode() if change is not None else None
        request = urllib.request.Request(self.url + path, data, method="PUT" if data else "GET",
                                         headers={"content-type": "application/json"})
        trust = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else None
        with urllib.request.urlopen(request, timeout=10, context=trust) as reply:
            return json.loads(reply.read() or b"{}")
