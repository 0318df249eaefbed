"""Toxiproxy, which stands between the service and the broker and spoils what goes through."""

import json
import os
import pathlib
import subprocess
import urllib.request
from typing import Any, Dict, List, Optional

from harness.paths import PROJECT
from harness.process import Process, free_port
from harness.waiting import wait_for

_VERSION = "v2.8.0"  # the newest that Debian 12's Go builds
_DIRECTIONS = ("upstream", "downstream")


def _program() -> pathlib.Path:
    """Where it is; it is built where it is missing, from Go's module proxy."""
    tools = pathlib.Path(os.environ.get("CARE360_TOOLS_DIR", PROJECT / "build-tests" / "tools")).resolve()
    directory = tools / f"toxiproxy-{_VERSION}"
    program = directory / "server"
    if not program.exists():
        directory.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["go", "install", f"github.com/Shopify/toxiproxy/v2/cmd/server@{_VERSION}"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "GOBIN": str(directory), "GOFLAGS": "-modcacherw"})
        assert done.returncode == 0, f"Toxiproxy cannot be built: {done.stdout[-2000:]}"
    return program


class Toxiproxy:
    """The server. A context manager."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._port = free_port()
        self._process = Process([_program(), "-port", self._port], directory, "toxiproxy")
        wait_for(self._answers, "Toxiproxy answers", 20, detail=lambda: self._process.stderr[-1000:])

    def __enter__(self) -> "Toxiproxy":
        return self

    def __exit__(self, *_) -> None:
        self._process.end()

    def ask(self, path: str, body: Optional[Dict[str, Any]] = None, method: Optional[str] = None) -> None:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    def _answers(self) -> bool:
        self._process.expect_running()
        try:
            self.ask("/version")
        except OSError:
            return False
        return True


class Wire:
    """One way to the broker: a port that leads to another."""

    def __init__(self, proxy: Toxiproxy, port: int, leads_to: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._proxy = proxy
        self._path = f"/proxies/wire-{port}"
        self._spoiled: List[str] = []
        proxy.ask("/proxies", {"name": f"wire-{port}", "listen": self.address, "upstream": f"127.0.0.1:{leads_to}"})

    def cut(self) -> None:
        """Closes every connection and refuses new ones."""
        self._set_enabled(False)

    def delay(self, milliseconds: int, jitter: int) -> None:
        self._spoil("latency", latency=milliseconds, jitter=jitter)

    def throttle(self, kilobytes_per_second: int) -> None:
        self._spoil("bandwidth", rate=kilobytes_per_second)

    def swallow(self) -> None:
        """Connections stay and can be made, and nothing comes through; when it is mended, they are closed."""
        self._spoil("timeout", timeout=0)

    def mend(self) -> None:
        for kind in self._spoiled:
            for direction in _DIRECTIONS:
                self._proxy.ask(f"{self._path}/toxics/{kind}_{direction}", method="DELETE")
        self._spoiled.clear()
        self._set_enabled(True)

    def _set_enabled(self, enabled: bool) -> None:
        self._proxy.ask(self._path, {"enabled": enabled})

    def _spoil(self, kind: str, **attributes: int) -> None:
        self._spoiled.append(kind)
        for direction in _DIRECTIONS:
            self._proxy.ask(f"{self._path}/toxics", {"type": kind, "stream": direction, "attributes": attributes})
