"""`check --online`: each broker, topic, right and step to the API is named, and what is wrong with it."""

import os
import pty
import re
import subprocess

import pytest

from harness.paths import SERVICE, SIMULATOR
from harness.process import Process, free_port
from harness.records import fresh
from harness.secured import ALL, DESCRIBE, GROUP, READ, TOPIC
from harness.service import clean_environment, config_text
from harness.tls import Authority
from harness.waiting import wait_for


@pytest.fixture
def online(tmp_path):
    """Runs it on these settings: exit status, lines of what was tried, and advice by those lines."""
    def run(settings, stdout=subprocess.PIPE, **environment):
        path = tmp_path / "a.cfg"
        path.write_text(config_text(settings))
        done = subprocess.run([SERVICE, "check", "--online", "-c", path], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120,
                              env=clean_environment(**environment))
        assert done.stderr == ""
        return done

    return run


def tried(done):
    """The lines after the first, without advice."""
    return [re.sub(r"  +", " ", line) for line in done.stdout.splitlines()[1:] if not line.startswith(" ")]


def settings_of(scene, **changes):
    return {**scene.settings, "care360.api_key_file": "/nowhere/key", **changes}


def test_all_is_named_where_all_is_fine_and_nobody_notices(make_scene, online, sim):
    scene = make_scene(partitions=3, **{"kafka.error_topic": fresh("errors")})
    scene.topics.create(scene.settings["kafka.error_topic"], 1)
    service = scene.service().wait_said("Kafka can be used", *["partition assigned"] * 3)
    before = len(service.log_lines())
    done = online(settings_of(scene))
    assert done.returncode == 0, done.stdout
    broker, errors = scene.topics.bootstrap, scene.settings["kafka.error_topic"]
    assert tried(done) == [
        f"ok broker {broker} connection: is there",
        f"ok broker {broker} answer: the cluster has 1 broker",
        f"ok topic {scene.requests_topic}: 3 partitions",
        f"ok right to read {scene.requests_topic}: granted",
        f"ok topic {scene.results_topic}: 3 partitions",
        f"untried right to write {scene.results_topic}: only a record would show it",
        f"ok topic {errors}: 1 partition",
        f"untried right to write {errors}: only a record would show it",
        f"ok right to use the group {scene.group}: granted",
        "ok API name: is known to this machine",
        f"ok API connection: 127.0.0.1 port {sim.port}",
        "ok API reply: HTTP 400, as the API documents it for a request without a key",
    ]
    request, = sim.requests()
    assert request["email"] is None and request["phone"] is None
    assert len(service.log_lines()) == before, "the group was disturbed"
    assert scene.result_count() == 0


def test_a_wrong_port_is_named_and_what_depends_on_it_is_left_out(make_scene, online):
    done = online(settings_of(make_scene(), **{"kafka.brokers": f"127.0.0.1:{free_port()}"}))
    assert done.returncode == 1
    lines = tried(done)
    assert re.fullmatch(r"WRONG broker \S+ connection: .*Connection refused", lines[0])
    assert lines[1] == "untried topics and rights: no broker answers"
    assert "does the broker run, is the address right" in done.stdout
    assert lines[-1].startswith("ok API reply: ")


def test_one_broker_of_several_may_be_wrong(make_scene, online):
    scene = make_scene()
    done = online(settings_of(scene, **{"kafka.brokers": f"127.0.0.1:{free_port()},{scene.topics.bootstrap}"}))
    assert done.returncode == 1
    assert [line.split()[0] for line in tried(done)] == ["WRONG"] + ["ok"] * 5 + ["untried"] + ["ok"] * 4


def test_missing_topics_are_named_and_not_created(make_scene, online):
    scene = make_scene(create=False)
    for _ in range(2):
        done = online(settings_of(scene))
        assert done.returncode == 1
        assert f"WRONG topic {scene.requests_topic}: does not exist" in tried(done)
        assert f"WRONG topic {scene.results_topic}: does not exist" in tried(done)
        assert done.stdout.count("create it: the service never creates topics") == 2


def test_what_keeps_it_out_is_told_by_the_step(make_scene, online, secured):
    scene = make_scene(topics=secured.topics)

    def lines(**changes):
        return tried(online(settings_of(scene, **secured.login("PLAIN", **changes))))

    broker = f"broker 127.0.0.1:{secured.broker.sasl_port}"
    wrong = lines(password="wrong-word-8")
    assert wrong[:2] == [f"ok {broker} connection: is there", f"ok {broker} TLS: the certificate is trusted"]
    assert re.match(f"WRONG {broker} login: the login as ada is refused: ", wrong[2]) and "wrong-word" not in str(wrong)
    assert wrong[3] == "untried topics and rights: no broker answers"
    stranger = lines(ca_file=secured.stranger)
    assert stranger[0] == f"ok {broker} connection: is there"
    assert re.match(f"WRONG {broker} TLS: the certificate of .* is signed by no authority in {secured.stranger}", stranger[1])


def test_missing_rights_are_told_one_by_one(make_scene, online, secured):
    scene = make_scene(topics=secured.topics)
    settings = settings_of(scene, **secured.login("PLAIN"))
    done = online(settings)
    assert done.returncode == 0, done.stdout
    assert tried(done)[2] == f"ok broker 127.0.0.1:{secured.broker.sasl_port} login: as ada by PLAIN"
    secured.allow(TOPIC, scene.requests_topic, DESCRIBE)
    secured.deny(TOPIC, scene.requests_topic, READ)
    secured.deny(TOPIC, scene.results_topic, DESCRIBE)
    secured.deny(GROUP, scene.group, ALL)
    wanted = {f"WRONG {what}: access denied" for what in (f"right to read {scene.requests_topic}", f"topic {scene.results_topic}",
                                                         f"right to use the group {scene.group}")}

    def denied():
        done = online(settings)
        return done if wanted <= set(tried(done)) else None

    done = wait_for(denied, "the rights are missed", detail=lambda: online(settings).stdout)
    assert done.returncode == 1
    for right in (f"Read on the topic {scene.requests_topic}", f"Describe on the topic {scene.results_topic}",
                  f"Read on the group {scene.group}"):
        assert f"the brokers' ACLs must allow {right}" in done.stdout


@pytest.mark.parametrize("trusted", [False, True])
def test_the_apis_certificate_must_be_trusted(make_scene, online, tmp_path, trusted):
    authority = Authority(tmp_path / "authority")
    certificate = authority.certificate("localhost", "DNS:localhost")
    command = [SIMULATOR, "--listen", "127.0.0.1:0", "--api-key", "k", "--tls-certificate", certificate.certificate, "--tls-key", certificate.key]
    with Process(command, tmp_path, "tls-sim", clean_environment()) as sim:
        port = wait_for(lambda: sim.stdout.strip(), "the simulator listens").rsplit(":", 1)[1]
        url = {"care360.base_url": f"https://localhost:{port}", "care360.ca_file": str(authority.ca_file) if trusted else ""}
        done = online(settings_of(make_scene(), **url))
    if trusted:
        assert done.returncode == 0, done.stdout
        assert re.fullmatch(r"ok API TLS: the certificate is trusted, and valid until .* GMT", tried(done)[-2])
    else:
        assert done.returncode == 1
        assert tried(done)[-1].startswith("WRONG API TLS: SSL certificate problem: ")
        assert "care360.ca_file must hold the authority" in done.stdout


@pytest.mark.parametrize("address, step", [("http://name.invalid", "name"), (None, "connection")])
def test_an_api_that_cannot_be_reached_is_told_by_the_step(make_scene, online, address, step):
    scene = make_scene()
    url = address or f"http://127.0.0.1:{free_port()}"
    done = online(settings_of(scene, **{"care360.base_url": url, "care360.allow_plain_http": True}))
    assert done.returncode == 1
    assert tried(done)[-1].startswith(f"WRONG API {step}: ")


@pytest.mark.parametrize("fault, said", [("status_404", "HTTP 404"), ("status_500", "HTTP 500"), ("html", "HTTP 200")])
def test_what_answers_must_be_the_api(make_scene, online, sim, fault, said):
    sim.faults(fault)
    done = online(settings_of(make_scene()))
    assert done.returncode == 1
    assert tried(done)[-1].startswith(f"WRONG API reply: {said}")


@pytest.mark.parametrize("environment, colours", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_what_is_under_way_is_shown(make_scene, online, environment, colours):
    scene = make_scene()
    master, terminal = pty.openpty()
    done = online(settings_of(scene), stdout=terminal, **environment)
    os.close(terminal)
    shown = b""
    try:
        while True:
            shown += os.read(master, 65536)
    except OSError:
        os.close(master)
    assert done.returncode == 0
    assert f"topic {scene.requests_topic}\r\033[K".encode() in shown
    assert (b"\033[32mok" in shown) == colours
