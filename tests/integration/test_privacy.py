"""Patient data and secrets appear nowhere but in the request to the API."""

import pytest

from harness.requests import malformed, plain

EMAIL = "canary.7hq2@example.org"
PHONE = "+15557706653"
KEY = "canary-key-x81v"
NEEDLES = [b"canary.7hq2", b"7706653", b"canary-key", b"canary-wrong"]


def requests(tag):
    """The canary in every place where a request can hold one."""
    made = [
        plain(email=EMAIL, request_id=f"r1-{tag}"),
        plain(phone=PHONE, request_id=2),
        plain(email=EMAIL, phone=PHONE),
        plain(email="nobody" + EMAIL, kind="not found"),
        plain(email="odd" + EMAIL, kind="retried"),
        plain(email="text" + EMAIL, kind="rejected"),
        malformed("the canary in broken JSON", b'{"email":"' + EMAIL.encode()),
        malformed("the canary in bare text", EMAIL.encode()),
        malformed("the canary with a control character", b'{"email":"%s\\n","phoneNumber":"%s"}' % (EMAIL.encode(), PHONE.encode())),
        malformed("the canary twice", b'{"email":"%s","email":"%s"}' % (EMAIL.encode(), EMAIL.encode())),
        malformed("the canary as a name", b'{"%s":1,"%s":2}' % (EMAIL.encode(), EMAIL.encode())),
    ]
    for number, request in enumerate(made):
        request.key = [EMAIL.encode(), PHONE.encode(), KEY.encode()][number % 3]
        request.headers = request.headers + [("patient", EMAIL.encode()), (EMAIL, b"name")]
    return made


def holding(texts):
    return [(needle, where) for where, text in texts for needle in NEEDLES if needle in text]


@pytest.mark.parametrize("result_key", ["request", "none"])
def test_the_canary_is_in_no_log_line_result_metric_or_page(make_scene, sim, result_key):
    sim.set(api_key=KEY, faults=["status_500:match=odd", f"unknown_text:match=text:text=No {EMAIL} here"])
    scene = make_scene(**{"lookup.result_key": result_key, "log.level": "debug", "kafka.client.debug": "all",
                          "retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50, "retry.max_attempts": 2, "breaker.probe_interval_ms": 200,
                          "care360.timeout_ms": 1000})
    put = scene.put(requests(result_key))
    service = scene.service(ready=False, key="canary-wrong-key")
    service.wait_not_ready("")
    pages = read_pages(service)
    service.write_key(KEY)
    with scene.witnesses():
        results = [scene.result_of(request) for request in put]
    pages += read_pages(service)
    assert service.terminate() == 0
    with_key = [("key of " + result.ce_id, result.key or b"") for result in results]
    values = [("value of " + result.ce_id, result.value) for result in results]
    headers = [(f"header {name!r} of {result.ce_id}", name.encode() + b"=" + (value or b""))
               for result in results for name, value in result.headers]
    output = [("log", service.stderr.encode()), ("standard output", service.stdout.encode())]
    assert holding(values + headers + output + pages) == []
    if result_key == "none":
        assert all(result.key is None for result in results)
    else:
        assert len(holding(with_key)) == len(results), "the key was to go along"


def read_pages(service):
    return [(path, service.get(path)[1].encode()) for path in ("/metrics", "/status.json", "/", "/readyz", "/livez")]
