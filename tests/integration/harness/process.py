"""A program under test: started, watched, stopped; its output kept in files."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
from typing import Optional, Sequence

from .waiting import wait_for

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """
    A loopback port that was free a moment ago. It is below those that the kernel gives to connections, so that it
    can be used again after a while in which nobody listened there.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One process of our own. Use it as a context manager: at its end the process is gone."""

    def __init__(self, command: Sequence[object], directory: pathlib.Path, name: str,
                 environment: Optional[dict] = None, keep_stdin: bool = False, stderr: Optional[int] = None) -> None:
        """`stderr`: a descriptor that takes the place of the file for standard error."""
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.stdout_path = directory / f"{name}.out"
        self.stderr_path = directory / f"{name}.err"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdout=out, stderr=err if stderr is None else stderr, cwd=directory,
                stdin=subprocess.PIPE if keep_stdin else subprocess.DEVNULL, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdin(self):
        return self._process.stdin

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 30.0) -> int:
        """The exit status, negative where a signal ended it. Fails where it goes on running."""
        wait_for(lambda: not self.running(), f"{self.name} has ended", timeout,
                 detail=lambda: self.stderr[-2000:])
        return self._process.returncode

    def terminate(self, timeout: float = 40.0) -> int:
        """SIGTERM, then its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """kill -9, and gone."""
        if self.running():
            self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Gone, whatever state it is in."""
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._process.stdin:
            self._process.stdin.close()

    def expect_running(self) -> None:
        assert self.running(), f"{self.name} ended with {self._process.returncode}: {self.stderr[-3000:]}"

    def resident_bytes(self) -> int:
        """Memory in use, as the kernel counts it."""
        fields = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * _PAGE

    def peak_bytes(self) -> int:
        """The most memory that it ever had in use."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10

    def cpu_seconds(self) -> float:
        """User and system time spent so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
