"""The rights on Kafka that README.md lists."""

import subprocess

import pytest

from harness.broker import KafkaBroker, Security
from harness.records import Topics
from harness.requests import small
from harness.tls import Authority

USER, PASSWORD = "ada", "right-word-7"


class StrictBroker(KafkaBroker):
    """A broker where whoever logs in may do what was granted, and whoever does not may do all."""

    def __init__(self, security: Security) -> None:
        super().__init__(security, properties="allow.everyone.if.no.acl.found=false\n")

    def grant(self, *right: str) -> None:
        """What kafka-acls.sh does."""
        done = subprocess.run(self._java("org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.bootstrap, "--add",
                                         "--allow-principal", f"User:{USER}", *right),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def strict(authority):
    with StrictBroker(Security(authority.certificate("broker", "IP:127.0.0.1"), authority.ca_file, USER, PASSWORD)) as broker:
        yield broker


@pytest.fixture
def scene(make_scene, strict, authority, tmp_path):
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    topics = Topics(strict.bootstrap)
    yield make_scene(topics=topics, **{
        "kafka.brokers": f"127.0.0.1:{strict.sasl_port}", "kafka.security.protocol": "sasl_ssl",
        "kafka.security.ca_file": str(authority.ca_file), "kafka.security.sasl_mechanism": "PLAIN",
        "kafka.security.username": USER, "kafka.security.password_file": str(password)})
    topics.end()


def test_the_rights_of_the_readme_are_needed_and_enough(scene, strict):
    requests = scene.put(small(50))
    service = scene.service(ready=False)
    service.wait_not_ready(scene.requests_topic)
    strict.grant("--operation", "Read", "--operation", "Describe", "--topic", scene.requests_topic)
    service.wait_not_ready(scene.results_topic)
    strict.grant("--operation", "Write", "--operation", "Describe", "--topic", scene.results_topic)
    service.wait_not_ready("group")
    strict.grant("--operation", "Read", "--group", scene.group)
    service.wait_ready(60)
    scene.wait_results(len(requests))
    scene.check().expect_exactly_once()
