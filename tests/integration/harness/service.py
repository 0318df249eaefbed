"""care360-lookup under test: a process with a configuration file of its own."""

import collections
import json
import os
import pathlib
import signal
import urllib.error
import urllib.request
from typing import Any, Counter, Dict, List, Optional, Sequence, Tuple

from .paths import SERVICE
from .process import Process, free_port
from .waiting import wait_for

KEY = "test-key-4f1c"
_RELOADED = ("configuration read again", "the configuration stays as it was")


def config_text(settings: Dict[str, Any]) -> str:
    """Settings with dotted names as a libconfig file."""
    tree: Dict[str, Any] = {}
    for name, value in settings.items():
        group = tree
        *path, last = name.split(".")
        for part in path:
            group = group.setdefault(part, {})
        group[last] = value
    return "\n".join(f"{name} = {_literal(value)};" for name, value in tree.items()) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + " ".join(f"{name} = {_literal(member)};" for name, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(member) for member in value) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def clean_environment(**more: str) -> Dict[str, str]:
    """The test's environment without settings of ours in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARE360_")}
    return {**kept, **more}


class Service(Process):
    """`care360-lookup run` with its own configuration and key file. Several may share a directory."""

    def __init__(self, directory: pathlib.Path, settings: Dict[str, Any], name: str = "service",
                 key: Optional[str] = KEY, prefix: Tuple[str, ...] = (), stderr: Optional[int] = None,
                 command: Sequence[object] = (SERVICE, "run"), **environment: str) -> None:
        self.port = free_port()
        self.key_file = directory / "api-key"
        if key is not None:
            self.write_key(key)
        self.settings: Dict[str, Any] = {"server.listen": f"127.0.0.1:{self.port}", "care360.api_key_file": str(self.key_file), **settings}
        self.config = directory / f"{name}.cfg"
        directory.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config_text(self.settings))
        super().__init__([*prefix, *command, "-c", self.config], directory, name,
                         clean_environment(**environment), stderr=stderr)

    def write_key(self, key: str) -> None:
        """Puts a key in place as a whole, the way secrets are rotated."""
        self.key_file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.key_file.with_suffix(".new")
        fresh.write_text(key + "\n")
        fresh.chmod(0o600)
        fresh.rename(self.key_file)

    def configure(self, **changes: Any) -> None:
        """Writes its configuration anew, with these settings changed, for a reload or the next start."""
        self.settings.update(changes)
        self.config.write_text(config_text(self.settings))

    def reload(self, timeout: float = 30.0) -> List[Dict[str, Any]]:
        """SIGHUP, then the lines that its log has of it. A level that hides them is not for this."""
        before = len(self.log_lines())
        self.signal(signal.SIGHUP)

        def lines() -> List[Dict[str, Any]]:
            self.expect_running()
            fresh = self.log_lines()[before:]
            return fresh if any(line["message"] in _RELOADED for line in fresh) else []

        return wait_for(lines, f"{self.name} has read its configuration again", timeout)

    def get(self, path: str) -> Tuple[int, str]:
        """Status and body of its own HTTP server; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        self.expect_running()
        return self.get("/readyz")[0] == 200

    def wait_ready(self, timeout: float = 30.0) -> "Service":
        wait_for(self.ready, f"{self.name} is ready", timeout, detail=lambda: f"{self.get('/readyz')} {self.stderr[-1500:]}")
        return self

    def wait_not_ready(self, word: str, timeout: float = 30.0) -> str:
        """Waits until /readyz answers 503 with `word` in its line, and returns the line."""
        def line() -> str:
            self.expect_running()
            status, body = self.get("/readyz")
            return body if status == 503 and word in body else ""

        return wait_for(line, f"{self.name} is not ready because of {word!r}", timeout, detail=lambda: str(self.get("/readyz")))

    def wait_only_probes(self) -> None:
        """Waits until what was under way when the line stopped has ended."""
        wait_for(lambda: self.metric("care360_lookup_in_flight") <= 1, "what was under way has ended")

    def metric(self, name: str, **labels: str) -> float:
        """A value of /metrics by its full name and labels; the sum where several fit. 0 where none does."""
        total = 0.0
        for line in self.metrics().splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def wait_begun(self) -> "Service":
        """Waits until signals are its own to take: it blocks them before it writes its first line."""
        wait_for(lambda: self.stderr or not self.running(), f"{self.name} has begun")
        return self

    def wait_said(self, *messages: str) -> "Service":
        """Waits until its log has a line for each of these: they come a moment after what they tell of."""
        def missing() -> Counter[str]:
            self.expect_running()
            return collections.Counter(messages) - collections.Counter(line["message"] for line in self.log_lines())

        wait_for(lambda: not missing(), f"{self.name} says so", detail=lambda: f"{missing()} {self.stderr[-1500:]}")
        return self

    def metrics(self) -> str:
        """What /metrics says; waits where the server is busy."""
        def body() -> str:
            self.expect_running()
            status, text = self.get("/metrics")
            return text if status == 200 else ""

        return wait_for(body, f"{self.name} tells its metrics")

    def log_lines(self) -> List[Dict[str, Any]]:
        """Its log, which is JSON since no terminal is there. Fails where a line is something else."""
        whole = self.stderr.rpartition("\n")[0]  # the last one may be under way
        return [json.loads(line) for line in whole.splitlines() if line.strip()]
