"""The image, built from the Dockerfile on Debian 13 and run as an engine would run it."""

import datetime
import json
import os
import re
import signal
import subprocess

import pytest

from builder import contained
from harness.broker import KafkaBroker, Security
from harness.paths import full_size
from harness.process import free_port
from harness.records import Topics
from harness.requests import mixture
from harness.scene import Scene
from harness.service import KEY, Service
from harness.sim import Sim
from harness.tls import Authority

pytestmark = pytest.mark.usefixtures("units_on_debian_13")

UID = 10001


def run(root, image, directory, *command, timeout=120):
    return subprocess.run([str(word) for word in [*contained(root, image, directory), *command]], timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_says_how_it_wants_to_be_run(image, root, shared_directory):
    config, docker = image["OCIv1"]["config"], image["Docker"]["config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])
    assert (config["Entrypoint"], config["Cmd"], config["StopSignal"]) == (["care360-lookup"], ["run"], "SIGTERM")
    assert "CARE360_LOOKUP_SERVER_LISTEN=[::]:8080" in config["Env"] and "8080/tcp" in config["ExposedPorts"]
    assert docker["Healthcheck"]["Test"] == ["CMD", "care360-lookup", "health"]
    labels = {name.rpartition("image.")[2]: text for name, text in config["Labels"].items()}
    assert re.fullmatch(r"\S*debian:trixie-slim@sha256:[0-9a-f]{64}", labels["base.name"])
    version = run(root, image, shared_directory, "care360-lookup", "--version").stdout
    assert version == f"care360-lookup {labels['version']}\n"
    assert labels["licenses"] == "Apache-2.0" and labels["created"] == image["OCIv1"]["created"]


def test_it_holds_what_runs_and_nothing_else(image, root, figure):
    programs = {path.name for place in ("usr/bin", "usr/sbin", "usr/local/bin") for path in (root / place).iterdir()}
    assert "care360-lookup" in programs
    assert not programs & {"gcc", "cc", "ld", "make", "cmake", "ninja", "git", "curl", "wget", "python3"}
    assert not list(root.glob("usr/include/*")) and not list(root.glob("usr/lib/*/*.a"))
    assert [path.name for path in (root / "root").iterdir() if "history" in path.name] == []
    for left_over in ("var/lib/apt/lists", "var/cache", "var/log", "tmp", "source", "build"):
        assert not (root / left_over).exists() or not list((root / left_over).iterdir()), left_over
    sizes = [layer["size"] for layer in json.loads(image["Manifest"])["layers"]]
    figure(f"{sum(sizes) / 1e6:.0f} MB, of which {sum(sizes[1:]) / 1e6:.1f} MB are not the base's")


def test_nothing_can_be_written_and_no_right_is_left(image, root, shared_directory):
    status = run(root, image, shared_directory, "cat", "/proc/self/status").stdout
    assert re.search(rf"^Uid:\s+{UID}\s+{UID}\s+{UID}\s+{UID}$", status, re.M)
    assert set(re.findall(r"^Cap\w+:\t(\w+)$", status, re.M)) == {"0" * 16}
    assert "NoNewPrivs:\t1" in status
    for place in ("/x", "/tmp/x", "/etc/care360-lookup/x", "/var/x"):
        assert "Read-only" in run(root, image, shared_directory, "touch", place).stderr


def test_the_demo_works_in_it(image, root, shared_directory):
    demo = run(root, image, shared_directory, "care360-lookup", "demo")
    assert demo.returncode == 0, demo.stdout[-2000:] + demo.stderr[-2000:]
    assert re.search(r"^(\d+) requests, \1 answered, 0 repeated$", demo.stdout, re.M), demo.stdout[-2000:]


class ContainedService(Service):
    """The image's own command, with a configuration in a directory that it may only read."""

    def __init__(self, root, image, directory, settings, name) -> None:
        key_file = directory / "key"
        key_file.write_text(KEY + "\n")
        key_file.chmod(0o400)
        os.chown(key_file, UID, UID)
        self.listen = free_port()
        inside = [*contained(root, image, directory), f"CARE360_LOOKUP_SERVER_LISTEN=[::]:{self.listen}"]
        super().__init__(directory, {**settings, "care360.api_key_file": str(key_file)}, name, key=None,
                         command=[*inside, *image["OCIv1"]["config"]["Entrypoint"], *image["OCIv1"]["config"]["Cmd"]])
        self.port = self.listen

    def signal(self, number: int) -> None:
        """To the first process inside, as an engine does."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            os.kill(int(children.read().split()[0]), number)


def test_the_main_job_is_done_and_a_stop_in_the_middle_loses_and_repeats_nothing(
        image, root, shared_directory, tmp_path, figure):
    authority = Authority(shared_directory / "authority")
    (shared_directory / "password").write_text("right-word-7\n")
    security = Security(authority.certificate("broker", "IP:127.0.0.1"), authority.ca_file, "ada", "right-word-7")
    with KafkaBroker(security) as broker, Sim(tmp_path / "sim", latency_ms=20) as sim:
        login = {"kafka.brokers": f"127.0.0.1:{broker.sasl_port}", "kafka.security.protocol": "sasl_ssl",
                 "kafka.security.sasl_mechanism": "SCRAM-SHA-512", "kafka.security.username": "ada",
                 "kafka.security.password_file": str(shared_directory / "password"),
                 "kafka.security.ca_file": str(authority.ca_file)}
        with Scene(Topics(broker.bootstrap), sim, shared_directory, **login) as scene:
            scene.put(mixture(8_000))
            for life in ("first", "second"):
                service = ContainedService(root, image, shared_directory, scene.settings, life)
                scene.services.append(service)
                service.wait_ready(60)
                assert run(root, image, shared_directory, f"CARE360_LOOKUP_SERVER_LISTEN=[::]:{service.port}",
                           "care360-lookup", "health", "--ready").returncode == 0
                if life == "first":
                    scene.wait_results(2_000)
                else:
                    scene.wait_worked_off()
                assert service.terminate() == 0, service.stderr[-2000:]
            report = scene.check()
            figure(f"{report}, by SCRAM over TLS")
            report.expect_exactly_once()


def test_the_same_sources_give_the_same_image(builder, image, package, figure):
    created = datetime.datetime.strptime(image["OCIv1"]["created"], "%Y-%m-%dT%H:%M:%SZ").strftime("%Y-%m-%d %H:%M")
    listing = subprocess.run(["dpkg-deb", "-c", package], check=True, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "TZ": "UTC"}).stdout
    assert {" ".join(line.split()[3:5]) for line in listing.splitlines()} == {created}
    if full_size():
        again = builder.build_image("localhost/care360-lookup:again", "--no-cache")
        figure("built twice without a cache")
        assert again["FromImageID"] == image["FromImageID"]
