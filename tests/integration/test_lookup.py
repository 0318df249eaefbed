"""`lookup`: what it sends, how it tries again, and what it says where there is no answer. test_commands.py has its exit statuses."""

import json
import subprocess

import pytest

from harness.paths import SERVICE
from harness.requests import case_id
from harness.service import KEY, clean_environment

EMAIL = "a+b c'd@example.org"


@pytest.fixture
def lookup(sim):
    """Looks up at the simulated API with quick retries: lookup("--email", "a@b", stdin="")."""
    def call(*arguments, stdin="", key=KEY, **environment):
        if key is not None:
            environment["CARE360_API_KEY"] = key
        command = [str(SERVICE), "lookup", "--set", f"care360.base_url={sim.url}/", "--set", "care360.api_key_file=/nowhere/key",
                   "--set", "retry.initial_backoff_ms=1", "--set", "retry.max_attempts=3", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, input=stdin, env=clean_environment(**environment))

    return call


def test_verbose_shows_the_request_with_the_key_masked(lookup, sim):
    done = lookup("--verbose", "--email", EMAIL, "--phone", "+15550100")
    assert json.loads(done.stdout)["caseId"] == case_id(EMAIL, "+15550100")
    lines = done.stderr.splitlines()
    assert lines[0] == (f"GET {sim.url}/api/v1/customer-latest-case-id"
                        "?email=a%2Bb%20c%27d%40example.org&phoneNumber=%2B15550100")
    assert "CV-Api-Key: ***" in lines and "Content-Type: application/json" in lines
    assert lines[-1].startswith("after ") and lines[-1].endswith(" ms: HTTP 200")
    assert KEY not in done.stdout + done.stderr
    assert len(sim.requests()) == 1


def test_the_result_is_one_line_without_a_request(lookup):
    done = lookup("--phone", "+15550100")
    assert done.stderr == "" and done.stdout.count("\n") == 1
    value = json.loads(done.stdout)
    assert set(value) == {"requestId", "outcome", "caseId", "attempts", "completedAt"}
    assert (value["requestId"], value["attempts"]) == (None, 1)


@pytest.mark.parametrize("fault, attempts", [("status_503", 2), ("reset", 2), ("json_broken", 2), ("unknown_text", 2),
                                             ("status_429", 1), ("status_503:retry_after=1", 1)])
def test_it_tries_again_and_counts_what_counted(lookup, sim, fault, attempts):
    sim.faults(f"{fault}:count=1")
    done = lookup("--email", "a@example.org")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["attempts"] == attempts
    assert done.stderr.startswith("care360-lookup: attempt 1 of 3: ") and "again in" in done.stderr


@pytest.mark.parametrize("fault, said", [
    ("status_500", "after 3 attempts; the last: HTTP 500"),
    ("json_null", "after 3 attempts; the last: HTTP 200 with an undocumented body"),
    ("garbage", "after 3 attempts; the last: no valid HTTP reply"),
    ("status_429:retry_after=120", "the API asks to wait for 120 s (HTTP 429); try again then"),
    ("status_404", "answers with HTTP 404: this is not the Care360 API"),
    ("status_302:location=http://127.0.0.1:1/", "answers with HTTP 302: this is not the Care360 API"),
    ("key_missing", "refuses the API key (HTTP 400)"),
])
def test_without_an_answer_it_says_why_and_prints_no_result(lookup, sim, fault, said):
    sim.faults(fault)
    done = lookup("--email", "a@example.org")
    assert done.returncode == 1 and done.stdout == ""
    assert said in done.stderr.splitlines()[-1]
    assert KEY not in done.stderr and "a@example.org" not in done.stderr


def test_a_documented_error_that_is_not_a_missing_case_exits_1_with_the_result(lookup, sim):
    sim.set(require_email=True)
    done = lookup("--phone", "+15550100")
    assert done.returncode == 1 and "Email id not provided!" in done.stderr
    assert json.loads(done.stdout)["error"]["reason"] == "email_missing"


@pytest.mark.parametrize("arguments, stdin, said", [
    ([], "", "--email ADDRESS, --phone NUMBER or both are needed"),
    (["--email", "-", "--phone", "-"], "a\nb\n", "only one of --email and --phone can come from standard input"),
    (["--email", "-"], "", "--email: is empty"),
    (["--email", "-"], "\na@example.org\n", "--email: is empty"),
    (["--email", ""], "", "--email: is empty"),
    (["--email", "e" * 1025], "", "--email: is longer than 1024 bytes"),
    (["--phone", "-"], "1" * 5000, "--phone: is longer than 1024 bytes"),
    (["--email", "a\tb"], "", "--email: must be UTF-8 text without control characters"),
])
def test_details_that_cannot_be_looked_up_are_wrong_usage(lookup, sim, arguments, stdin, said):
    done = lookup(*arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"care360-lookup: lookup: {said}\n"
    assert sim.requests() == []


@pytest.mark.parametrize("stdin", ["a@example.org", "a@example.org\n", "a@example.org\r\nmore\n"])
def test_standard_input_gives_its_first_line(lookup, stdin):
    assert json.loads(lookup("--email", "-", stdin=stdin).stdout)["caseId"] == case_id("a@example.org", None)


def test_the_longest_details_are_looked_up(lookup):
    assert lookup("--email", "e" * 1024).returncode == 0


def test_without_a_key_it_names_both_places(lookup):
    done = lookup("--email", "a@example.org", key=None)
    assert done.returncode == 1
    assert "/nowhere/key" in done.stderr and "CARE360_API_KEY" in done.stderr


def test_the_proxies_of_the_environment_are_not_used(lookup):
    done = lookup("--email", "a@example.org", http_proxy="http://127.0.0.1:1", ALL_PROXY="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
