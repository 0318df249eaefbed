"""What all rounds share: one broker, ways to it that can be spoiled, and one simulated API."""

import contextlib
import pathlib
import queue
from typing import Iterator

from harness.broker import KafkaBroker
from harness.paths import BUILD
from harness.sim import Sim

from .toxiproxy import Toxiproxy, Wire

SHIM = BUILD / "tests" / "chaos_shim.so"
LATENCY_MS = 20

# A broker that was killed is soon found dead.
_PROPERTIES = """\
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class Stage:
    """A context manager. Rounds may use it side by side; what happens to the broker happens to all of them."""

    def __init__(self, directory: pathlib.Path, wires: int) -> None:
        self.directory = directory
        self._ends = contextlib.ExitStack()
        self.broker = self._ends.enter_context(KafkaBroker(wires=wires, properties=_PROPERTIES))
        self.sim = self._ends.enter_context(Sim(directory / "sim", latency_ms=LATENCY_MS))
        proxy = self._ends.enter_context(Toxiproxy(directory))
        self._wires: "queue.Queue[Wire]" = queue.Queue()
        for leads_to, port in self.broker.wires:
            self._wires.put(Wire(proxy, port, leads_to))

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_) -> None:
        self._ends.close()

    @contextlib.contextmanager
    def wire(self) -> Iterator[Wire]:
        """A way to the broker that nobody else uses; it is left mended."""
        wire = self._wires.get()
        try:
            yield wire
        finally:
            wire.mend()
            self._wires.put(wire)
