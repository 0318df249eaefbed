"""The schemas of the events and the AsyncAPI document say what the service really consumes and publishes."""

import json
import re
import subprocess

import jsonschema
import pytest

from harness import asyncapi
from harness.paths import PROJECT, SERVICE
from harness.requests import (FOUND, IDENTITY_MISSING, MALFORMED, NOT_FOUND, identity_missing, large, malformed_values, mixture, plain,
                              well_formed_edges)
from harness.service import clean_environment

CONFIG = PROJECT / "config"

# What is malformed in a way that a schema does not see.
BEYOND_A_SCHEMA = {"malformed: " + kind for kind in (
    "a high surrogate alone", "a low surrogate alone", "surrogates the wrong way round", "depth 9", "depth 5000",
    "an e-mail of 1026 bytes in 513 letters", "a binary CloudEvent without a value")}


def schema(name):
    with open(CONFIG / "schemas" / name, encoding="utf-8") as file:
        return json.load(file)


REQUEST = schema("lookup-request.v1.json")
RESULT = schema("lookup-result.v1.json")
CLOUDEVENT = {"$ref": "#/$defs/cloudEvent", "$defs": REQUEST["$defs"]}


def problems(instance, of):
    return [error.message for error in jsonschema.Draft202012Validator(of).iter_errors(instance)]


def strict(pairs):
    """An object without members given twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member given twice")
    return members


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def well_formed(request):
    """Whether the request is JSON and its schema has nothing against it."""
    value = request.value or b""
    if value[:1] == b"\0":
        value = value[5:]
    content_type = next((v for name, v in request.headers if name == "content-type"), b"").lower()
    try:
        instance = json.loads(value.decode("utf-8"), object_pairs_hook=strict, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return False
    of = CLOUDEVENT if content_type.startswith(b"application/cloudevents+json") else REQUEST
    return not problems(instance, of)


def check_request(request):
    expected = request.reason not in (MALFORMED, IDENTITY_MISSING)
    assert well_formed(request) == expected or request.kind in BEYOND_A_SCHEMA, \
        f"{request.kind}: {'is' if expected else 'is not'} a request, and the schema has it otherwise"


@pytest.mark.parametrize("of", [REQUEST, RESULT], ids=["request", "result"])
def test_the_schemas_are_schemas_and_their_examples_fit(of):
    jsonschema.Draft202012Validator.check_schema(of)
    assert of["examples"] and [problems(example, of) for example in of["examples"]] == [[] for _ in of["examples"]]


def test_the_examples_of_the_readme_fit():
    request, *results = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", (PROJECT / "README.md").read_text(),
                                                                   re.MULTILINE | re.DOTALL)]
    assert problems(request, REQUEST) == []
    assert results and [problems(result, RESULT) for result in results] == [[] for _ in results]


def test_the_schemas_are_open_to_further_members():
    assert problems({**REQUEST["examples"][0], "more": 1}, REQUEST) == []
    for example in RESULT["examples"]:
        assert problems({**example, "more": {"of": "tomorrow"}}, RESULT) == []
    error = {**RESULT["examples"][1], "error": {"reason": "of_tomorrow", "message": "New.", "retryable": True, "more": 1}}
    assert problems(error, RESULT) == []


def test_every_kind_of_request_is_judged_as_the_service_judges_it():
    requests = [*malformed_values("tag"), *well_formed_edges("tag"), *identity_missing("tag"), *large("tag"), *mixture(2_000)]
    for request in requests:
        check_request(request)
    assert BEYOND_A_SCHEMA <= {request.kind for request in requests}


def test_the_reasons_are_those_of_the_program():
    done = subprocess.run([str(SERVICE), "replay", "--reason", "weather"], capture_output=True, text=True, timeout=60, env=clean_environment())
    known = done.stderr.split("those there are: ")[1].strip().split(", ")
    assert RESULT["$defs"]["error"]["properties"]["reason"]["anyOf"][0]["enum"] == known


@pytest.fixture(scope="module")
def document():
    return asyncapi.parse(CONFIG / "asyncapi.yaml")


def test_asyncapis_own_parser_finds_nothing_wrong(document):
    assert document["problems"] == []
    assert sorted(document["operations"]) == ["receiveLookupRequest", "sendLookupResult"]


def without_names(schema):
    """A schema without what the parser writes into it."""
    if isinstance(schema, dict):
        return {name: without_names(member) for name, member in schema.items() if not name.startswith("x-parser-")}
    return [without_names(member) for member in schema] if isinstance(schema, list) else schema


def test_the_document_is_about_these_schemas_and_defaults(document):
    document = without_names(document["document"])
    messages = document["components"]["messages"]
    for name in ("caseFound", "lookupError"):
        assert messages[name]["payload"]["title"] == RESULT["title"]
        assert messages[name]["payload"]["properties"].keys() == RESULT["properties"].keys()
    for name in ("plainRequest", "binaryRequest"):
        assert messages[name]["payload"]["properties"].keys() == REQUEST["$defs"]["lookup"]["properties"].keys()
    assert messages["structuredRequest"]["payload"]["title"] == REQUEST["$defs"]["cloudEvent"]["title"]
    reference = subprocess.run([str(SERVICE), "check", "--reference"], capture_output=True, text=True, timeout=60).stdout
    defaults = dict(re.findall(r"^\| `([^`]+)` \| `([^`]*)`", reference, re.MULTILINE))
    channels = document["channels"]
    assert f'["{channels["lookupRequests"]["address"]}"]' == defaults["kafka.request_topics"]
    assert f'"{channels["lookupResults"]["address"]}"' == defaults["kafka.result_topic"]
    group = document["operations"]["receiveLookupRequest"]["bindings"]["kafka"]["groupId"]["default"]
    assert f'"{group}"' == defaults["kafka.group_id"]


def test_all_that_the_service_publishes_fits_schemas_and_document(make_scene, sim, document):
    scene = make_scene(**{"retry.max_attempts": 2, "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 20,
                          "breaker.failure_percent": 100})
    sim.faults("status_500:match=down", "unknown_text:match=odd", "html:match=page")
    scene.put(mixture(600))
    replayed = plain(email="again@example.org")
    replayed.headers = [("care360-replay-of", b"elsewhere/0/7")]
    failing = [plain(email=f"{word}@example.org") for word in ("down", "odd", "page")]
    scene.service()
    with scene.witnesses():
        for request in scene.put([*failing, replayed]):
            scene.result_of(request)
    scene.wait_worked_off()
    messages = document["document"]["components"]["messages"]
    seen = set()
    for result in scene.results():
        value = json.loads(result.value)
        assert problems(value, RESULT) == [], value
        headers = {name: header.decode() for name, header in result.headers}
        name = {"care360.lookup.found.v1": "caseFound", "care360.lookup.error.v1": "lookupError"}[headers["ce_type"]]
        assert problems(headers, messages[name]["headers"]) == [], headers
        assert problems(value, messages[name]["payload"]) == [], value
        seen.add(value.get("error", {}).get("reason", FOUND))
    assert seen == {FOUND, NOT_FOUND, MALFORMED, IDENTITY_MISSING, "api_unavailable", "rejected", "bad_reply"}
    for request in scene.sent:
        check_request(request)
        if request.reason not in (MALFORMED, IDENTITY_MISSING):
            headers = {name: header.decode() for name, header in request.headers if header is not None}
            assert problems(headers, messages["plainRequest"]["headers"]) == []
