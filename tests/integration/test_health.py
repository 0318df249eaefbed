"""`health`: what it says of whatever is, or is not, at server.listen. test_commands.py asks a real service."""

import contextlib
import socket
import subprocess
import threading

import pytest

from harness.paths import SERVICE
from harness.process import free_port
from harness.service import clean_environment


@contextlib.contextmanager
def answering(reply, family=socket.AF_INET, address="127.0.0.1"):
    """Somebody who answers every connection with these bytes, or not at all (None); the port."""
    with socket.create_server((address, 0), family=family) as server:
        held = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    if reply is None:
                        held.append(connection)
                        continue
                    connection.recv(4096)
                    connection.sendall(reply)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def health(listen, *options):
    return subprocess.run([SERVICE, "health", *options, "--set", f"server.listen={listen}"], capture_output=True, text=True, timeout=60,
                          env=clean_environment())


FINE = b"HTTP/1.1 200 OK\r\n\r\nready\n"


def test_a_server_at_all_addresses_is_asked_by_ipv6_or_ipv4():
    for address in ("0.0.0.0", "[::]"):
        with answering(FINE) as port:
            done = health(f"{address}:{port}")
            assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
    if socket.has_dualstack_ipv6():
        with answering(FINE, socket.AF_INET6, "::1") as port:
            assert health(f"[::]:{port}").returncode == health(f"[::1]:{port}").returncode == 0


def test_what_is_not_well_is_printed_and_exits_1():
    with answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\nstopped: kafka\n") as port:
        done = health(f"127.0.0.1:{port}", "--ready")
    assert (done.returncode, done.stdout, done.stderr) == (1, "stopped: kafka\n", "")


@pytest.mark.parametrize("listen, said", [
    ("", "server.listen is empty, so the service answers nobody; give it an address, or do without this check"),
    ("[::]:0", "[::]:0 means any free port: which one, only the service's log tells"),
    ("127.0.0.1:{free}", "nobody answers at 127.0.0.1:{free}: Connection refused"),
    ("[::]:{free}", "nobody answers at [::]:{free}: "),
])
def test_where_nobody_can_be_asked_it_says_why(listen, said):
    free = free_port()
    done = health(listen.format(free=free))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("care360-lookup: health: " + said.format(free=free))
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("reply, said", [
    (b"hello\n", "what answers at {listen} is not this service"),
    (b"", "what answers at {listen} is not this service"),
    (None, "{listen}: no answer in time"),
])
def test_whoever_else_answers_is_not_the_service(reply, said):
    with answering(reply) as port:
        listen = f"127.0.0.1:{port}"
        done = health(listen)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"care360-lookup: health: {said.format(listen=listen)}\n")


def test_a_port_that_is_taken_is_named_at_the_start(make_scene):
    scene = make_scene()
    with answering(FINE) as port:
        service = scene.service(ready=False, settings={"server.listen": f"127.0.0.1:{port}"})
        assert service.wait() == 1
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in service.stderr
