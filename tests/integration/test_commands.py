"""The program at a terminal: exit statuses, what goes to standard output, signals."""

import json
import signal
import subprocess

import pytest

from harness.paths import SERVICE
from harness.requests import case_id, small
from harness.service import clean_environment, config_text
from harness.waiting import wait_for


def run(*arguments, stdin=None, **environment):
    return subprocess.run([str(SERVICE), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=clean_environment(**environment), input=stdin or "")


@pytest.fixture
def config(tmp_path, sim):
    """Writes a configuration for the simulated API and returns its path."""
    key = tmp_path / "key"
    key.write_text("test-key-4f1c\n")

    def write(**settings):
        path = tmp_path / "care360-lookup.cfg"
        path.write_text(config_text({"care360.base_url": sim.url, "care360.api_key_file": str(key), **settings}))
        return path

    return write


def test_lookup_prints_a_found_case_and_exits_0(config):
    done = run("lookup", "-c", config(), "--email", "a+b@example.org")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value["outcome"], value["caseId"]) == ("found", case_id("a+b@example.org", None))
    assert "request" not in value


def test_lookup_reads_the_address_from_standard_input(config):
    done = run("lookup", "-c", config(), "--email", "-", stdin="piped@example.org\n")
    assert json.loads(done.stdout)["caseId"] == case_id("piped@example.org", None)


def test_lookup_of_email_and_phone_asks_with_both(config):
    done = run("lookup", "-c", config(), "--email", "a@example.org", "--phone", "+15550100")
    assert json.loads(done.stdout)["caseId"] == case_id("a@example.org", "+15550100")


def test_lookup_exits_3_where_there_is_no_case(config):
    done = run("lookup", "-c", config(), "--email", "nobody@example.org")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["reason"] == "case_not_found"


def test_lookup_exits_1_where_the_api_does_not_answer(config, sim):
    path = config(**{"retry.max_attempts": 2, "retry.initial_backoff_ms": 10})
    sim.down()
    done = run("lookup", "-c", path, "--email", "a@example.org")
    assert done.returncode == 1 and done.stderr


def test_lookup_exits_1_where_the_key_is_refused(config, sim):
    sim.set(api_key="another")
    done = run("lookup", "-c", config(), "--email", "a@example.org")
    assert done.returncode == 1 and "test-key" not in done.stderr + done.stdout


@pytest.mark.parametrize("arguments", [
    ["lookup"], ["frobnicate"], [], ["run", "--frobnicate"], ["run", "-c", "/nowhere/at/all.cfg"],
    ["run", "--set", "kafka.broker=a:1"], ["run", "--set", "lookup.in_flight=many"], ["check", "-c", "/nowhere/at/all.cfg"],
])
def test_wrong_usage_exits_2_and_says_so_on_standard_error(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.strip()


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_configuration_exits_2_and_names_file_and_line(tmp_path, command):
    path = tmp_path / "bad.cfg"
    path.write_text('kafka = {\n  brokers = "localhost:9092";\n  grup_id = "x";\n};\nlookup = { in_flight = "many"; };\n')
    done = run(command, "-c", path)
    assert done.returncode == 2 and done.stdout == ""
    assert f"{path}:3: " in done.stderr and "kafka.group_id" in done.stderr, "the line, and the nearest known name"
    assert f"{path}:5: " in done.stderr, "every mistake in one go"


def test_check_of_a_good_configuration_exits_0(config):
    done = run("check", "-c", config())
    assert done.returncode == 0, done.stderr


def test_check_show_prints_settings_and_where_they_came_from_but_no_secret(config):
    path = config(**{"lookup.in_flight": 77})
    done = run("check", "--show", "-c", path, "--set", "lookup.workers=3", CARE360_LOOKUP_KAFKA_GROUP_ID="from-env",
               CARE360_API_KEY="secret-in-env")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "77" in lines["lookup.in_flight"] and f"{path}:" in lines["lookup.in_flight"]
    assert "from-env" in lines["kafka.group_id"] and "3" in lines["lookup.workers"]
    assert "secret-in-env" not in done.stdout + done.stderr and "test-key" not in done.stdout


@pytest.mark.parametrize("option", ["--help", "-h", "--version", "-V"])
def test_help_and_version_go_to_standard_output(option):
    done = run(option)
    assert done.returncode == 0 and done.stdout.strip() and done.stderr == ""


def test_sigterm_and_sigint_drain_and_exit_0(make_scene):
    for number in (signal.SIGTERM, signal.SIGINT):
        scene = make_scene()
        service = scene.service()
        service.signal(number)
        assert service.wait() == 0


def test_a_second_sigterm_ends_at_once_with_1(make_scene, sim):
    sim.faults("hang")
    scene = make_scene(**{"care360.timeout_ms": 120_000, "shutdown.timeout_ms": 120_000})
    scene.put(small(10))
    service = scene.service()
    wait_for(lambda: sim.stats()["requests"] > 0, "a request hangs")
    service.signal(signal.SIGTERM)
    wait_for(lambda: any(line["message"].startswith("stopping: ") for line in service.log_lines()), "the log says that it drains")
    service.signal(signal.SIGTERM)
    assert service.wait(30) == 1


def test_the_drain_ends_at_its_deadline_with_1(make_scene, sim):
    sim.faults("hang")
    scene = make_scene(**{"care360.timeout_ms": 60_000, "shutdown.timeout_ms": 1000})
    scene.put(small(10))
    service = scene.service()
    wait_for(lambda: sim.stats()["requests"] > 0, "a request hangs")
    assert service.terminate(20) == 1
    sim.faults()
    scene.service()
    scene.wait_worked_off()
    scene.check().expect_nothing_lost()


def test_run_writes_nothing_to_standard_output_and_one_json_object_a_line_to_standard_error(make_scene):
    scene = make_scene()
    scene.put(small(100))
    service = scene.service()
    scene.wait_worked_off()
    assert service.terminate() == 0
    assert service.stdout == ""
    for line in service.log_lines():
        assert list(line)[:3] == ["time", "level", "message"]
    assert len(service.log_lines()) < 50, "at info there is no line a request"


def test_health_asks_the_running_service(make_scene, sim):
    scene = make_scene()
    service = scene.service()
    wait_for(lambda: run("health", "-c", service.config).returncode == 0, "it says that it is alive")
    ready = run("health", "--ready", "-c", service.config)
    assert (ready.returncode, ready.stdout, ready.stderr) == (0, "ready\n", "")
    sim.set(api_key="another-key")
    scene.put(small(1))
    service.wait_not_ready("credentials")
    wait_for(lambda: run("health", "-c", service.config).returncode == 0, "it says that it is alive")
    ready = run("health", "--ready", "-c", service.config)
    assert ready.returncode == 1 and "credentials" in ready.stdout
    service.terminate()
    gone = run("health", "-c", service.config)
    assert gone.returncode == 1 and gone.stdout == "" and gone.stderr


def test_check_refuses_properties_that_librdkafka_does_not_know(config):
    done = run("check", "-c", config(), "--set", "kafka.consumer.fetch_min_bytess=1")
    assert done.returncode == 2
    assert "kafka.consumer.fetch_min_bytess: no such configuration property" in done.stderr
