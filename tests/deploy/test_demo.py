"""The containers of the demonstrations, as processes on this machine: what they are told makes a whole that works."""

import json
import re
import subprocess
import urllib.request

import pytest
import yaml
from harness.broker import KafkaBroker
from harness.paths import BUILD
from harness.process import Process, free_port
from harness.records import Topics
from harness.requests import FOUND, Request
from harness.service import clean_environment
from harness.waiting import wait_for
from metrics import SERIES, exposed

REQUESTS = "care360.lookup-requests"
RESULTS = "care360.lookup-results"
PARTITIONS = 4


class Container:
    """One container, however it is described."""

    def __init__(self, command, environment, config=""):
        self.command = command
        self.environment = environment
        self.config = config

    def start(self, name, ports, directory):
        """As a process, with the ports of this machine, and with its mounted files in a directory."""
        (directory / "care360-lookup.cfg").write_text(moved(self.config, ports))
        (directory / "api-key").write_text("demo\n")
        command = [moved(word, ports).replace("/etc/care360-lookup", str(directory)) for word in self.command]
        environment = {name: moved(value, ports) for name, value in self.environment.items()}
        if "CARE360_API_KEY" not in environment:
            environment["CARE360_LOOKUP_CARE360_API_KEY_FILE"] = str(directory / "api-key")
        return Process([BUILD / command[0], *command[1:]], directory, name, clean_environment(**environment))


def moved(text, ports):
    """The text with this machine's addresses in place of the containers'."""
    text = re.sub(r"\b(kafka|care360-sim):(\d+)\b", lambda match: f"127.0.0.1:{ports[int(match[2])]}", text)
    return re.sub(r"\[::\]:(\d+)", lambda match: f"127.0.0.1:{ports[int(match[1])]}", text)


class ImageBroker(KafkaBroker):
    """A broker with the properties that Kafka's image makes of its environment: KAFKA_A_B becomes a.b."""

    def __init__(self, environment, ports):
        self._environment = environment
        self._ports = ports
        super().__init__()

    def _format(self):
        self.port = self._ports[9092]
        self.bootstrap = f"127.0.0.1:{self.port}"
        lines = [f"log.dirs={self._directory}/log"]
        for name, value in self._environment.items():
            if name == "KAFKA_HEAP_OPTS":
                continue  # is for the JVM
            value = re.sub(r":(\d{4})\b", lambda match: f":{self._ports[int(match[1])]}", value)
            value = re.sub(r"://(kafka)?:", "://127.0.0.1:", value)
            lines.append(f"{name[len('KAFKA_'):].lower().replace('_', '.')}={value}")
        self._properties.write_text("\n".join(lines) + "\n")
        super()._format()


def of_kubernetes(build):
    demo = build("overlays/demo")

    def container(name):
        [found] = demo.one("Deployment", name)["spec"]["template"]["spec"]["containers"]
        return Container([*found.get("command", ["care360-lookup"]), *found.get("args", [])],
                         {e["name"]: e["value"] for e in found.get("env", [])}, demo.mounted_config())

    return container


def of_compose(deploy):
    services = yaml.safe_load((deploy / "compose.yaml").read_text())["services"]

    def container(name):
        found = services[name]
        return Container([*found.get("entrypoint", ["care360-lookup"]), *found.get("command", ["run"])], found.get("environment", {}))

    return container


@pytest.fixture(params=["kubernetes", "compose"])
def container(request, build, deploy):
    return of_kubernetes(build) if request.param == "kubernetes" else of_compose(deploy)


def requests_of_the_script(deploy, count):
    """What it puts in, by its own loop: as key and value."""
    script = (deploy / "kubernetes" / "overlays" / "demo" / "requests.sh").read_text()
    loop = re.search(r"(?ms)^number=0.*?^done", script)[0].replace("sleep 0.3", f"[ $number -lt {count} ] || break")
    lines = subprocess.run(["sh", "-euc", loop], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    for key, value in (line.split("|", 1) for line in lines):
        yield Request("demo", value.encode(), FOUND, key=key.encode())


def test_the_demonstration_answers_its_requests(container, deploy, tmp_path):
    ports = {port: free_port() for port in (8080, 8081, 9092, 9093, 9094)}
    processes = []
    with ImageBroker(container("kafka").environment, ports) as broker:
        topics = Topics(broker.bootstrap)
        for topic in (REQUESTS, RESULTS):
            topics.create(topic, PARTITIONS)
        try:
            for name in ("care360-sim", "care360-lookup"):
                processes.append(container(name).start(name, ports, tmp_path))
            sent = topics.produce(REQUESTS, PARTITIONS, requests_of_the_script(deploy, 20))
            wait_for(lambda: topics.count(RESULTS) == len(sent), "every request is answered", 60,
                     detail=lambda: [process.stderr[-2000:] for process in processes])
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[8080]}/metrics", timeout=10) as reply:
                unknown = exposed(reply.read().decode()).items() - SERIES.items()
            reasons = [json.loads(result.value).get("error", {}).get("reason") for result in topics.read(RESULTS)]
        finally:
            for process in processes:
                process.end()
            topics.end()
    assert not unknown, "metrics that the alerts and the dashboard are not judged by"
    assert (reasons.count(None), reasons.count("case_not_found")) == (16, 4)


def test_the_script_of_the_demonstration_is_one(deploy):
    subprocess.run(["sh", "-n", deploy / "kubernetes" / "overlays" / "demo" / "requests.sh"], check=True)
