"""Encrypted brokers: logging in works, and what is wrong with it is said once, in words."""

import confluent_kafka
import pytest

from harness.requests import small
from harness.scene import Scene
from harness.secured import PASSWORD
from harness.waiting import stays_so, wait_for

WRONG = "wrong-word-8"
SCRAM_IS_RIGHT = 0x020601FF  # before librdkafka 2.6.1 SCRAM has a nonce too many, which Kafka 4 refuses


@pytest.fixture
def scene_with(secured, make_scene):
    return lambda settings: make_scene(topics=secured.topics, **settings)


def expect_all_answered(scene: Scene) -> None:
    scene.put(small(500))
    service = scene.service()
    scene.wait_worked_off()
    scene.check().expect_exactly_once()
    assert service.terminate() == 0
    assert complaints(service) == []


def complaints(service) -> list:
    """Its log lines that are worse than information. That no broker answers may come first, where one takes its time."""
    lines = service.log_lines()
    begun = next((number for number, line in enumerate(lines) if line["message"] == "Kafka can be used"), len(lines))
    return [line for number, line in enumerate(lines)
            if line["level"] in ("warn", "error") and not (number < begun and "none answers" in str(line))]


def test_a_password_over_tls_lets_it_in(secured, scene_with):
    expect_all_answered(scene_with(secured.login("PLAIN")))


def test_scram_over_tls_lets_it_in_or_says_that_the_library_is_too_old(secured, scene_with):
    scene = scene_with(secured.login("SCRAM-SHA-512"))
    if confluent_kafka.libversion()[1] >= SCRAM_IS_RIGHT:
        expect_all_answered(scene)
    else:
        scene.service(ready=False).wait_not_ready("Kafka 4 takes SCRAM from librdkafka 2.6.1 on")


def test_a_certificate_of_its_own_lets_it_in(secured, scene_with):
    expect_all_answered(scene_with(secured.certificate()))


@pytest.mark.parametrize("change, reason", [
    ({"mechanism": "SCRAM-SHA-512", "password": WRONG}, "the login as ada is refused"),
    ({"mechanism": "PLAIN", "password": WRONG}, "the login as ada is refused"),
    ({"mechanism": "PLAIN", "ca_file": "stranger"}, "is signed by no authority in"),
    ({"mechanism": "PLAIN", "host": "localhost"}, "is for another name"),
], ids=["wrong password", "wrong password without a challenge", "unknown authority", "wrong host name"])
def test_what_keeps_it_out_is_said_once(secured, scene_with, change, reason):
    if "ca_file" in change:
        change = {**change, "ca_file": secured.stranger}
    scene = scene_with(secured.login(**change))
    scene.put(small(10))
    service = scene.service(ready=False)
    line = service.wait_not_ready(reason)
    assert line.startswith("stopped: kafka: no broker of ") and "error:" not in line
    wait_for(lambda: complaints(service), "the log says why")
    stays_so(lambda: service.running() and len(complaints(service)) == 1, "one line, and it goes on trying", 2)
    assert reason in complaints(service)[0]["reason"]
    assert WRONG not in service.stderr and PASSWORD not in service.stderr
    assert sum(scene.topics.committed(scene.group, scene.requests_topic).values()) == scene.result_count() == 0
    assert service.terminate() == 0


@pytest.mark.parametrize("setting, holds, reason", [
    ("ca_file", None, "kafka.security.ca_file: {path}: No such file or directory"),
    ("ca_file", "x", "kafka.security.ca_file: holds no certificate that can be read"),
    ("certificate_file", "x", "kafka.security.certificate_file: holds no certificate that can be read"),
    ("key_file", "x", "kafka.security.key_file: holds no key that can be read"),
    ("key_password_file", "x", "kafka.security.key_password_file is not its password"),
])
def test_files_that_do_not_do_are_named_by_their_setting(secured, scene_with, tmp_path, setting, holds, reason):
    path = tmp_path / "a-file"
    if holds:
        path.write_text(holds)
    service = scene_with({**secured.certificate(), f"kafka.security.{setting}": str(path)}).service(ready=False)
    assert service.wait() == 1
    said = complaints(service)
    assert len(said) == 1 and reason.format(path=path) in said[0]["reason"], said
