"""The Debian package: what it brings, and what it leaves behind."""

import json
import subprocess

import pytest

from builder import BASE, contained
from conftest import PROJECT


@pytest.fixture(scope="module")
def machine(builder, package):
    """A Debian 13 with nothing of ours, and systemd's tools."""
    with builder.container(BASE) as container:
        builder.run("buildah", "copy", "--quiet", container, package, "/tmp/")
        machine = Machine(builder, container)
        machine("apt-get -q update && apt-get -q install -y --no-install-recommends systemd")
        yield machine


class Machine:
    def __init__(self, builder, container) -> None:
        self._builder, self._container = builder, container

    def __call__(self, command: str) -> str:
        return self._builder.run("buildah", "run", self._container, "--", "sh", "-ec", f"exec 2>&1; {command}")


def test_it_is_installed_upgraded_removed_and_purged(machine):
    config = "/etc/care360-lookup/care360-lookup.cfg"
    machine("apt-get -q install -y --no-install-recommends /tmp/care360-lookup_*.deb")
    assert machine("care360-lookup check") == f"{config}: the configuration is fine\n"
    assert machine("dpkg -V care360-lookup; dpkg-query -W -f '${Conffiles}' care360-lookup").split()[0] == config

    machine(f"sed -i s/localhost:9092/localhost:9999/ {config}")
    machine("dpkg -i --force-confold /tmp/care360-lookup_*.deb")
    assert "localhost:9999" in machine("care360-lookup check --show"), "what was edited stays"

    machine("apt-get -q remove -y care360-lookup")
    assert machine("ls -d /usr/bin/care360* /usr/lib/systemd/system/care360* /usr/share/man/man*/care360* || true").count("cannot") == 3
    assert "localhost:9999" in machine(f"cat {config}")
    machine("apt-get -q purge -y care360-lookup")
    assert machine("find / -xdev -name '*care360*' -not -path '/tmp/*'") == ""


def test_its_dependencies_are_what_the_programs_are_linked_with(package):
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for name in ("librdkafka1 (>= ", "libcurl4t64 (>= ", "libjson-c5 (>= ", "libconfig11", "libmicrohttpd12t64 (>= ", "ca-certificates"):
        assert name in depends


def test_systemd_takes_its_unit_and_finds_it_safe(machine, figure):
    machine("apt-get -q install -y --no-install-recommends /tmp/care360-lookup_*.deb")
    assert machine("systemd-analyze verify --man=no care360-lookup.service") == ""
    found = machine("systemd-analyze security --offline=yes --threshold=20 care360-lookup.service")
    figure(found.strip().splitlines()[-1])


def test_its_bill_of_materials_names_what_it_runs_on(machine, package, root, tmp_path):
    output = tmp_path / "care360-lookup.cdx.json"
    subprocess.run([PROJECT / "deploy" / "sbom", package, output, root], check=True)
    bill = json.loads(output.read_text())
    versions = {component["name"]: component["version"] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"care360-lookup", "librdkafka1", "libcurl4t64", "libjson-c5", "libconfig11", "libc6"} <= versions.keys()
    assert versions["librdkafka1"].startswith("2."), "as it is in the image"
