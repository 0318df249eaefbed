"""deploy/compose.yaml: Compose takes it, and everything that it mounts, sets and depends on is there."""

import re
import subprocess

import pytest
import yaml
from settings import settings_in_effect


@pytest.fixture(scope="module")
def services(deploy):
    return yaml.safe_load((deploy / "compose.yaml").read_text())["services"]


def seconds(text):
    [(number, unit)] = re.findall(r"^(\d+)(s|m)$", text)
    return int(number) * {"s": 1, "m": 60}[unit]


def test_compose_takes_the_file(deploy, tmp_path):
    """Its first version, Debian 12's, knows no `name`; nothing else may be in its way."""
    text = (deploy / "compose.yaml").read_text()
    version = subprocess.run(["docker-compose", "version", "--short"], text=True, stdout=subprocess.PIPE).stdout
    if version.lstrip("v").startswith("1."):
        text = re.sub(r"(?m)^name:.*\n", "", text)
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    done = subprocess.run(["docker-compose", "-f", file, "config", "--quiet"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_accepts_its_settings(services, tmp_path):
    settings = settings_in_effect(tmp_path, "", services["care360-lookup"]["environment"])
    assert settings["kafka.brokers"] == "kafka:9092"
    assert settings["care360.base_url"] == "http://care360-sim:8081"
    assert settings["server.listen"] == "[::]:8080"


def test_a_stop_is_given_more_time_than_the_drain_takes(services, tmp_path):
    service = services["care360-lookup"]
    timeout = settings_in_effect(tmp_path, "", service["environment"])["shutdown.timeout_ms"]
    assert seconds(service["stop_grace_period"]) * 1000 >= timeout + 10_000


def test_everything_that_is_mounted_exists(services, deploy):
    mounts = [volume for service in services.values() for volume in service.get("volumes", [])]
    assert len(mounts) == 4
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (deploy / source).exists(), source
        assert mode == "ro"


def test_nothing_is_reachable_from_other_machines(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_grafana_finds_prometheus_and_the_dashboard(services, deploy):
    [source] = yaml.safe_load((deploy / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((deploy / "grafana/provisioning/dashboards/care360-lookup.yaml").read_text())["providers"]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in services
    mounted = {volume.split(":")[1] for volume in services["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/dashboard.json" in mounted
    assert services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in mounted


def test_prometheus_scrapes_the_service_where_it_listens(services, deploy):
    [job] = yaml.safe_load((deploy / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    [targets] = job["dns_sd_configs"]
    assert targets["names"] == ["care360-lookup"] and targets["names"][0] in services
    assert services["care360-lookup"]["environment"]["CARE360_LOOKUP_SERVER_LISTEN"].endswith(f":{targets['port']}")


def test_our_programs_run_without_rights(services):
    for name in ("care360-lookup", "care360-sim"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
