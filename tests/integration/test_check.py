"""`check`: what it finds, what it prints, and that nothing secret is in it. Each single mistake is a case of io_settings_mistakes_test.c."""

import subprocess

import pytest

from harness.paths import PROJECT, SERVICE
from harness.service import clean_environment


def check(*arguments, stdout=subprocess.PIPE, **environment):
    return subprocess.run([str(SERVICE), "check", *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True,
                          timeout=60, env=clean_environment(**environment))


def shown(text):
    """The lines of --show by the setting's name, with single spaces."""
    return {line.split()[0]: " ".join(line.split()) for line in text.splitlines()}


def test_it_says_that_a_configuration_is_fine():
    done = check("-c", PROJECT / "config/care360-lookup.cfg")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{PROJECT}/config/care360-lookup.cfg: the configuration is fine\n"


def test_mistakes_of_all_sources_come_at_once_with_their_place(tmp_path):
    path = tmp_path / "a.cfg"
    path.write_text("retry = {\n  max_attempts = 99999999999;\n};\nlogs = { };\n")
    done = check("-c", path, "--set", "lookup.in_flight=0", CARE360_LOOKUP_LOG_LEVEL="loud")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{path}:2: retry.max_attempts: is too large; allowed: 1 to 50",
        f"{path}:4: logs: no such group of settings; did you mean log?",
        "environment: CARE360_LOOKUP_LOG_LEVEL: no such choice; allowed: debug, info, warn, error",
        "--set lookup.in_flight: is too small; allowed: 1 to 65536 requests",
        "care360-lookup: 4 mistakes in the configuration",
    ]


def test_an_unknown_variable_is_a_warning_and_those_of_kubernetes_are_nothing():
    done = check(CARE360_LOOKUP_KAFKA_BROKER="a:1", CARE360_LOOKUP_SERVICE_HOST="10.0.0.1",
                 CARE360_LOOKUP_PORT_8080_TCP="tcp://10.0.0.1:8080")
    assert done.returncode == 0 and "fine" in done.stdout
    assert done.stderr == ("environment: CARE360_LOOKUP_KAFKA_BROKER: warning: no setting has this variable; "
                           "did you mean CARE360_LOOKUP_KAFKA_BROKERS?\n")


def test_show_says_where_each_value_came_from_and_masks_passwords(tmp_path):
    path = tmp_path / "a.cfg"
    path.write_text("\nlookup = { in_flight = 77; };\n")
    done = check("--show", "-c", path, "--set", "kafka.client.socket_keepalive_enable=true",
                 CARE360_LOOKUP_CARE360_PROXY="http://someone:hunter2@127.0.0.1:3128")
    lines = shown(done.stdout)
    assert done.returncode == 0 and done.stderr == ""
    assert lines["lookup.in_flight"] == f"lookup.in_flight 77 requests {path}:2"
    assert lines["kafka.client.socket_keepalive_enable"].endswith(' "true" command line')
    assert lines["care360.proxy"] == 'care360.proxy "http://***@127.0.0.1:3128" environment'
    assert lines["care360.timeout_ms"] == "care360.timeout_ms 10000 ms default, reloadable"
    assert "hunter2" not in done.stdout and "someone" not in done.stdout


@pytest.mark.parametrize("assignment", ["kafka.client.sasl_password=hunter2", "care360.proxy=http://me:hunter2@proxy:1",
                                        "kafka.producer.ssl_key_pem=hunter2", "care360.base_url=https://me:hunter2@host"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(assignment):
    done = check("--set", assignment)
    assert done.returncode == 2
    assert done.stderr.startswith(f"--set {assignment.split('=')[0]}: ") and "hunter2" not in done.stderr


def test_the_example_is_the_file_in_config_and_is_all_defaults(tmp_path):
    example = check("--example").stdout
    assert example == (PROJECT / "config/care360-lookup.cfg").read_text()
    path = tmp_path / "example.cfg"
    path.write_text(example)
    values = {name: line.rsplit(str(path), 1)[0] for name, line in shown(check("--show", "-c", path).stdout).items()}
    defaults = {name: line.rsplit("default", 1)[0] for name, line in shown(check("--show").stdout).items()}
    groups = {"kafka.client", "kafka.consumer", "kafka.producer"}
    assert {name: line for name, line in values.items() if name not in groups} == \
        {name: line for name, line in defaults.items() if name not in groups}


def test_the_reference_names_every_setting():
    reference = check("--reference").stdout.splitlines()
    names = [line.split("`")[1] for line in reference[2:]]
    assert set(names) == set(shown(check("--show").stdout))
    assert all(line.count("|") == 5 for line in reference)


@pytest.mark.parametrize("option", ["--show", "--example", "--reference"])
def test_a_full_disk_is_no_success(option):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = check(option, stdout=full)
    assert done.returncode == 1 and "standard output cannot be written" in done.stderr


@pytest.mark.parametrize("path, why", [("/nowhere/a.cfg", "there is no such file"), ("/", "is a directory; name a file in it")])
def test_a_file_that_cannot_be_read_is_named(path, why):
    done = check("-c", path)
    assert done.returncode == 2 and done.stderr.startswith(f"{path}: {why}\n")
