"""What a service manager such as systemd is told, by the protocol of sd_notify(3)."""

import os
import signal
import socket
import time

import pytest

from harness.waiting import wait_for


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(address)
        self._told = []

    def told(self):
        """Every datagram so far, each as its variables."""
        while True:
            try:
                self._told.append(dict(line.split("=", 1) for line in self._socket.recv(65536).decode().split("\n")))
            except BlockingIOError:
                return self._told

    def wait(self, name, after=0):
        """Waits for a datagram with that variable, the number `after` or later; its number."""
        return wait_for(lambda: next((n + 1 for n, one in enumerate(self.told()) if n >= after and name in one), 0),
                        f"{name} is told", detail=self.told)

    def close(self):
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"\0care360-test-{os.getpid()}-{time.monotonic_ns()}"
    made = Manager(name)
    made.variable = name.replace("\0", "@")
    yield made
    made.close()


def test_a_life_with_a_reload_as_the_manager_sees_it(make_scene, manager):
    scene = make_scene()
    service = scene.service(ready=False, NOTIFY_SOCKET=manager.variable, WATCHDOG_USEC="1000000")
    ready = manager.wait("READY")
    wait_for(lambda: {"STATUS": "ready"} in manager.told(), "the status is told", detail=manager.told)
    manager.wait("WATCHDOG", manager.wait("WATCHDOG"))
    before = time.monotonic_ns() // 1000
    service.signal(signal.SIGHUP)
    reloading = manager.wait("RELOADING", ready)
    assert before <= int(manager.told()[reloading - 1]["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    manager.wait("READY", reloading)
    assert service.terminate() == 0
    stopping = manager.wait("STOPPING")
    assert manager.told()[stopping - 1] == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "26000000"}


def test_it_has_started_although_the_line_cannot_run_yet(make_scene, sim, manager):
    scene = make_scene(create=False)
    scene.service(ready=False, NOTIFY_SOCKET=manager.variable)
    manager.wait("READY")
    wait_for(lambda: any("does not exist" in one.get("STATUS", "") for one in manager.told()), "the status says what is missing",
             detail=manager.told)
