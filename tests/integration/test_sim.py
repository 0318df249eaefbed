"""care360-sim: every documented reply, every fault as it is on the wire, and the control interface."""

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import select
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CARE360_BUILD_DIR", ROOT / "build")) / "care360-sim"
PATH = "/api/v1/customer-latest-case-id"
KEY = "a-key-for-tests"
EMAIL = "patient@carevalidate.com"
TIMEOUT = 10  # of anything that should be there at once


def case_id(email="", phone=""):
    """The id of the case that the simulator makes, as --help defines it."""
    text = hashlib.sha256(f"{email}\n{phone}".encode()).hexdigest()[:32]
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def case_error(text):
    return {
        "status": 400,
        "success": False,
        "message": "Invalid case data",
        "error": text,
        "code": "CASE_ERROR",
    }


def found(email="", phone=""):
    return {"status": 200, "success": True, "case": {"id": case_id(email, phone)}}


def target(email=EMAIL, phone=None):
    pairs = {"email": email, "phoneNumber": phone}
    query = urllib.parse.urlencode(
        {name: value for name, value in pairs.items() if value is not None}, quote_via=urllib.parse.quote
    )
    return f"{PATH}?{query}"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Simulator:
    def __init__(self, *arguments, key=True):
        command = [PROGRAM, "--listen", "127.0.0.1:0", *(["--api-key", KEY] if key else []), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert select.select([self.process.stdout], [], [], TIMEOUT)[0], "it does not say where it listens"
        line = self.process.stdout.readline()
        assert line.startswith("listening on http"), line + self.process.stderr.read()
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def request(self, path, method="GET", headers=None, body=None):
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())

    def get(self, email=EMAIL, phone=None, key=KEY):
        return self.request(target(email, phone), headers={"CV-Api-Key": key})

    def control(self, method, path, change=None):
        body = None if change is None else json.dumps(change)
        reply = self.request(f"/_sim/{path}", method, body=body)
        assert reply.status == 200, reply.body
        return reply.json

    def set(self, **change):
        return self.control("PUT", "settings", change)

    def send(self, email=EMAIL):
        """A socket on which a look-up was sent, and nothing was read yet."""
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        peer.sendall(f"GET {target(email)} HTTP/1.1\r\nHost: sim\r\nCV-Api-Key: {KEY}\r\n\r\n".encode())
        return peer

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, complaints


@contextlib.contextmanager
def running(*arguments, **options):
    simulator = Simulator(*arguments, **options)
    try:
        yield simulator
    finally:
        status, complaints = simulator.stop()
    assert (status, complaints) == (0, "")


@pytest.fixture
def sim():
    with running() as simulator:
        yield simulator


def read_to_end(peer):
    """All bytes until the peer's orderly end; a reset raises ConnectionResetError."""
    parts = []
    while part := peer.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def split(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.decode(), body


# Documented replies


def test_the_case_of_an_email_in_the_documented_bytes(sim):
    reply = sim.get(EMAIL)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body == b'{"status": 200, "success": true, "case": {"id": "%s"}}' % case_id(EMAIL).encode()


def test_email_and_phone_make_another_case_than_the_email_alone(sim):
    assert sim.get(EMAIL, "+15550100").json == found(EMAIL, "+15550100")
    assert sim.get(EMAIL).json == found(EMAIL)


def test_a_phone_number_alone_is_enough(sim):
    assert sim.get(None, "+15550100").json == found("", "+15550100")


def test_a_phone_number_alone_is_not_enough_where_an_email_is_required():
    with running("--require-email") as sim:
        reply = sim.get(None, "+15550100")
        assert (reply.status, reply.json) == (400, case_error("Email id not provided!"))
        assert sim.get(EMAIL, "+15550100").status == 200


@pytest.mark.parametrize("query", ["", "?", "?email=", "?email", "?phoneNumber=&email=", "?EMAIL=a", "?other=a"])
def test_no_details(sim, query):
    reply = sim.request(PATH + query, headers={"CV-Api-Key": KEY})
    assert (reply.status, reply.json) == (400, case_error("Email id not provided!"))


def test_the_error_in_the_documented_bytes(sim):
    assert sim.request(PATH, headers={"CV-Api-Key": KEY}).body == (
        b'{"status": 400, "success": false, "message": "Invalid case data", '
        b'"error": "Email id not provided!", "code": "CASE_ERROR"}'
    )


@pytest.mark.parametrize("headers", [{}, {"CV-Api-Key": ""}])
def test_no_key(sim, headers):
    reply = sim.request(target(), headers=headers)
    assert (reply.status, reply.json) == (400, case_error("Secret key not provided!"))
    assert reply.headers["Content-Type"] == "application/json"


def test_a_wrong_key(sim):
    reply = sim.get(key="another")
    digest = hashlib.sha256(b"another").hexdigest()
    assert (reply.status, reply.json) == (400, case_error(f"Organization with [{digest}] not found!"))


def test_the_key_is_checked_before_the_details(sim):
    assert sim.request(PATH).json == case_error("Secret key not provided!")
    assert "Organization" in sim.request(PATH, headers={"CV-Api-Key": "x"}).json["error"]


@pytest.mark.parametrize(
    "email, phone", [("nobody@example.org", None), (None, "+000123"), ("nobody-else", "+15550100")]
)
def test_no_case(sim, email, phone):
    reply = sim.get(email, phone)
    assert (reply.status, reply.json) == (400, case_error("No Case found for provided details!"))


def test_a_phone_number_of_nobody_beside_an_email_has_a_case(sim):
    assert sim.get(EMAIL, "+000123").json == found(EMAIL, "+000123")


def test_another_path_and_another_method(sim):
    assert sim.request("/api/v1/other").status == 404
    assert sim.request(PATH + "/").status == 404
    reply = sim.request(PATH, "POST", {"CV-Api-Key": KEY}, "{}")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")
    assert sim.request(target(), "HEAD", {"CV-Api-Key": KEY}).status == 405


@pytest.mark.parametrize(
    "raw, email",
    [
        ("patient%40carevalidate.com", "patient@carevalidate.com"),
        ("a%2Bb%40c.org", "a+b@c.org"),
        ("a+b@c.org", "a b@c.org"),
        ("j%C3%B6rg%40c.org", "jörg@c.org"),
        ("%22q%22%26%3D%25", '"q"&=%'),
        ("a&email=b", "a"),
        ("100%", "100%"),
    ],
)
def test_the_query_is_percent_decoded(sim, raw, email):
    assert sim.request(f"{PATH}?email={raw}", headers={"CV-Api-Key": KEY}).json == found(email)


def test_a_phone_number_whose_plus_was_not_encoded_is_another_one(sim):
    raw = sim.request(f"{PATH}?phoneNumber=+15550100", headers={"CV-Api-Key": KEY})
    assert raw.json == found("", " 15550100")
    assert sim.get(None, "+15550100").json == found("", "+15550100")


def test_cases_from_a_file(tmp_path):
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"a@b.org": 'case-"1"', "+15550100": "case-2", "c@d.org": None}))
    with running("--cases", path) as sim:
        assert sim.get("a@b.org").json["case"]["id"] == 'case-"1"'
        assert sim.get("a@b.org", "+15550100").json["case"]["id"] == 'case-"1"'
        assert sim.get(None, "+15550100").json["case"]["id"] == "case-2"
        assert sim.get("unknown@b.org", "+15550100").json["case"]["id"] == "case-2"
        for email in "c@d.org", "unknown@b.org":
            assert sim.get(email).json == case_error("No Case found for provided details!")


# What can be changed as it runs


def test_a_key_from_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("from-a-file\n")
    with running("--api-key-file", path, key=False) as sim:
        assert sim.get(key="from-a-file").status == 200
        assert sim.get(key=KEY).status == 400


def test_the_key_changes_while_it_runs_and_is_not_shown(sim):
    shown = sim.set(api_key="rotated")
    assert "Organization" in sim.get(key=KEY).json["error"]
    assert sim.get(key="rotated").status == 200
    assert "rotated" not in json.dumps(shown)


def test_settings_are_shown_and_changed_together_or_not_at_all(sim):
    shown = sim.set(latency_ms=5, limit=7, faults=[{"name": "reset", "percent": 2.5}, "hang=1:match=x"])
    assert shown == sim.control("GET", "settings")
    assert (shown["latency_ms"], shown["limit"]) == (5, 7)
    assert shown["faults"] == [
        {"name": "reset", "percent": 2.5},
        {"name": "hang", "percent": 1.0, "match": "x"},
    ]
    reply = sim.request("/_sim/settings", "PUT", body=json.dumps({"latency_ms": 9, "limit": -1}))
    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert sim.control("GET", "settings") == shown
    assert sim.set(limit=0) == {**shown, "limit": 0}
    assert sim.control("DELETE", "faults")["faults"] == []


@pytest.mark.parametrize(
    "change",
    [
        "",
        "[]",
        "{",
        '{"latency_ms": 1} x',
        '{"latency": 1}',
        '{"latency_ms": "1"}',
        '{"api_key": null}',
        '{"api_key": ""}',
        '{"require_email": 1}',
        '{"faults": {}}',
        '{"faults": [1]}',
        '{"faults": [{}]}',
        '{"faults": ["status_200"]}',
        '{"faults": ["status_5030"]}',
        '{"faults": ["reset=101"]}',
        '{"faults": ["reset=x"]}',
        '{"faults": ["reset:ms=1"]}',
        '{"faults": ["reset:nonsense=1"]}',
        '{"faults": ["huge_body:framing=odd"]}',
        '{"faults": ["padded:bytes=99999999"]}',
        '{"faults": [{"name": "status_503", "retry_after": "1\\r\\nX: y"}]}',
    ],
)
def test_a_wrong_change_is_refused(sim, change):
    before = sim.control("GET", "settings")
    reply = sim.request("/_sim/settings", "PUT", body=change)
    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert sim.control("GET", "settings") == before


def test_unknown_control_paths(sim):
    assert sim.request("/_sim/other").status == 404
    assert sim.request("/_sim/stats", "PUT", body="{}").status == 405


def test_stats_count_requests_and_replies(sim):
    sim.get()
    sim.get("nobody")
    sim.request(PATH)
    sim.set(faults=["status_500"])
    sim.get()
    stats = sim.control("GET", "stats")
    assert stats["requests"] == 4
    assert stats["replies"] == {"found": 1, "no_case": 1, "key_missing": 1, "fault:status_500": 1}
    assert (stats["in_flight"], stats["max_in_flight"]) == (0, 1)
    assert sum(stats["per_second"]["requests"]) == 4
    last = stats["per_second"]["from"] + len(stats["per_second"]["requests"]) - 1
    assert last == stats["now_ms"] // 1000
    assert stats["connections"] == 6  # with those of the control interface
    assert sim.control("DELETE", "stats")["requests"] == 0


def test_the_clock_of_stats_is_the_monotonic_one(sim):
    before = time.monotonic_ns() // 1000000
    now = sim.control("GET", "stats")["now_ms"]
    assert before <= now <= time.monotonic_ns() // 1000000


def test_requests_under_way_are_counted_until_they_end(sim):
    sim.set(faults=["hang"])
    peers = [sim.send() for _ in range(3)]
    deadline = time.monotonic() + TIMEOUT
    while sim.control("GET", "stats")["in_flight"] != 3:
        assert time.monotonic() < deadline
    for peer in peers:
        peer.close()
    while sim.control("GET", "stats")["in_flight"] != 0:
        assert time.monotonic() < deadline
    assert sim.control("GET", "stats")["max_in_flight"] == 3


def test_latency_delays_all_requests_at_once(sim):
    sim.set(latency_ms=300)
    start = time.monotonic()
    peers = [sim.send() for _ in range(50)]
    for peer in peers:
        assert peer.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        peer.close()
    assert 0.3 <= time.monotonic() - start < 50 * 0.3, "one after the other they take longer"


def test_a_client_that_leaves_before_the_reply_does_no_harm(sim):
    sim.set(latency_ms=50)
    for _ in range(50):
        sim.send().close()
    deadline = time.monotonic() + TIMEOUT
    while (stats := sim.control("GET", "stats"))["in_flight"] != 0:
        assert time.monotonic() < deadline
    assert stats["replies"] == {"found": 50}


def test_jitter_spreads_the_replies():
    with running("--latency-jitter", "200") as sim:
        took = []
        for _ in range(10):
            start = time.monotonic()
            sim.get()
            took.append(time.monotonic() - start)
        assert max(took) - min(took) > 0.02


def test_beyond_the_limit_there_are_refusals(sim):
    sim.set(limit=1, limit_burst=3, limit_retry_after="7")
    start = time.monotonic()
    replies = [sim.get() for _ in range(30)]
    took = time.monotonic() - start
    assert [reply.status for reply in replies[:3]] == [200] * 3
    refused = [reply for reply in replies if reply.status == 429]
    assert len(refused) >= 30 - 3 - took, "one a second comes back"
    assert refused[0].headers["Retry-After"] == "7"
    assert sim.control("GET", "stats")["replies"]["limited"] == len(refused)
    sim.set(limit_retry_after=None)
    assert sim.get().headers["Retry-After"] is None


def test_the_limit_fills_again(sim):
    sim.set(limit=50, limit_burst=1)
    start = time.monotonic()
    answered = 0
    while answered < 25:
        answered += sim.get().status == 200
        assert time.monotonic() - start < 3 * TIMEOUT
    assert time.monotonic() - start >= 24 / 50, "no faster than it may"
    for _ in range(10):
        time.sleep(1 / 50)
        assert sim.get().status == 200, "and no slower"


def test_connections_are_kept(sim):
    with contextlib.closing(sim.connect()) as connection:
        for i in range(3):
            connection.request("GET", target(f"a{i}"), headers={"CV-Api-Key": KEY})
            assert Reply(connection.getresponse()).json == found(f"a{i}")
    assert sim.control("GET", "stats")["connections"] == 2


# The record


def test_the_record_holds_what_was_asked(tmp_path):
    path = tmp_path / "record"
    with running("--record", path) as sim:
        before = time.monotonic() * 1000
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        headers = {"CV-Api-Key": KEY, "Content-Type": "application/json", "traceparent": trace}
        sim.request(target('a+"b"@jörg.org', "+1"), headers=headers)
        sim.request(f"{PATH}?email=%FF%0A")
        sim.set(faults=["reset", "status_503"])
        with pytest.raises(ConnectionError):
            sim.get()
        sim.request("/elsewhere", "PUT", body="x")
        sim.control("GET", "stats")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [line["reply"] for line in lines] == ["found", "key_missing", "fault:reset", "not_found"]
    first = dict(lines[0])
    assert before <= first.pop("time_ms") <= lines[1]["time_ms"] <= time.monotonic() * 1000
    assert first.pop("peer_port") != lines[1]["peer_port"]
    assert first == {
        "method": "GET",
        "path": PATH,
        "query": "email=a%2B%22b%22%40j%C3%B6rg.org&phoneNumber=%2B1",
        "email": 'a+"b"@jörg.org',
        "phone": "+1",
        "host": f"127.0.0.1:{sim.port}",
        "api_key": KEY,
        "content_type": "application/json",
        "traceparent": trace,
        "reply": "found",
        "fault": None,
        "status": 200,
        "concurrent": 1,
    }
    assert lines[1]["email"].encode("utf-8", "surrogateescape") == b"\xff\n"
    assert (lines[1]["api_key"], lines[1]["status"]) == (None, 400)
    assert (lines[2]["fault"], lines[2]["status"]) == ("reset", None)
    assert (lines[3]["method"], lines[3]["query"]) == ("PUT", None)


def test_the_record_is_whole_after_the_end(tmp_path):
    path = tmp_path / "record"
    with running("--record", path) as sim:
        for i in range(300):
            sim.get(f"a{i}")
    assert [json.loads(line)["email"] for line in path.read_text().splitlines()] == [f"a{i}" for i in range(300)]


# Faults: well-formed replies


@pytest.mark.parametrize("status", [300, 401, 403, 404, 418, 429, 500, 502, 503, 504, 599])
def test_a_status(sim, status):
    sim.set(faults=[f"status_{status}"])
    reply = sim.get()
    assert (reply.status, reply.json["status"]) == (status, status)
    assert reply.headers["Retry-After"] is None


@pytest.mark.parametrize("text", ["3", "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "soon"])
def test_a_status_with_retry_after_and_html(sim, text):
    sim.set(faults=[f"status_503:retry_after={text}:body=html"])
    reply = sim.get()
    assert (reply.status, reply.headers["Retry-After"]) == (503, text)
    assert reply.headers["Content-Type"] == "text/html"
    assert b"<html>" in reply.body


def test_a_redirect(sim):
    sim.set(faults=["status_302:location=http://127.0.0.1:9/x?a=b"])
    reply = sim.get()
    assert (reply.status, reply.headers["Location"]) == (302, "http://127.0.0.1:9/x?a=b")


def test_a_maintenance_page(sim):
    sim.set(faults=["html"])
    reply = sim.get()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html")
    assert reply.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    "fault, text",
    [
        ("key_missing", "Secret key not provided!"),
        ("key_invalid", f"Organization with [{hashlib.sha256(KEY.encode()).hexdigest()}] not found!"),
        ("email_missing", "Email id not provided!"),
        ("no_case", "No Case found for provided details!"),
        ("unknown_text:text=Some \"new\" text", 'Some "new" text'),
    ],
)
def test_an_error_whatever_the_request_is(sim, fault, text):
    sim.set(faults=[fault])
    reply = sim.get()
    assert (reply.status, reply.json) == (400, case_error(text))


def test_an_unknown_text_is_none_of_the_documented(sim):
    sim.set(faults=["unknown_text"])
    assert sim.get().json == case_error("Something nobody documented happened!")


ID = "e1e3f5c1-6f12-4e0d-a442-7a9ff31319da"


@pytest.mark.parametrize(
    "fault, body",
    [
        ("json_no_case", {"status": 200, "success": True}),
        ("json_case_null", {"status": 200, "success": True, "case": None}),
        ("json_case_text", {"status": 200, "success": True, "case": ID}),
        ("json_no_id", {"status": 200, "success": True, "case": {}}),
        ("json_id_null", {"status": 200, "success": True, "case": {"id": None}}),
        ("json_id_number", {"status": 200, "success": True, "case": {"id": 42}}),
        ("json_id_object", {"status": 200, "success": True, "case": {"id": {"id": ID}}}),
        ("json_id_empty", {"status": 200, "success": True, "case": {"id": ""}}),
        ("json_id_zero", {"status": 200, "success": True, "case": {"id": "e1e3\0f5c1"}}),
        ("json_success_false", {"status": 200, "success": False, "case": {"id": ID}}),
        ("json_error_in_200", case_error("No Case found for provided details!")),
        ("json_array", [{"status": 200, "success": True, "case": {"id": ID}}]),
        ("json_null", None),
    ],
)
def test_json_of_another_shape(sim, fault, body):
    sim.set(faults=[fault])
    reply = sim.get()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.json == body


@pytest.mark.parametrize("fault", ["json_broken", "json_trailing", "json_id_not_utf8", "json_empty_body"])
def test_json_that_is_none(sim, fault):
    sim.set(faults=[fault])
    reply = sim.get()
    assert reply.status == 200
    with pytest.raises(ValueError):
        json.loads(reply.body.decode())


def test_json_with_a_member_twice(sim):
    sim.set(faults=["json_duplicate"])
    assert sim.get().body.count(b'"id":') == 2


def test_json_that_is_deep(sim):
    sim.set(faults=["json_deep"])
    deep, depth = sim.get().json["deep"], 1
    while deep:
        deep, depth = deep[0], depth + 1
    assert depth >= 40


# Faults: what no polite server does


def test_reset_before_any_byte(sim):
    sim.set(faults=["reset"])
    with sim.send() as peer, pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_reset_of_a_kept_connection(sim):
    with contextlib.closing(sim.connect()) as connection:
        connection.request("GET", target(), headers={"CV-Api-Key": KEY})
        assert Reply(connection.getresponse()).status == 200
        sim.set(faults=["reset"])
        connection.request("GET", target(), headers={"CV-Api-Key": KEY})
        with pytest.raises(ConnectionResetError):
            connection.getresponse()


def test_reset_inside_the_body(sim):
    sim.set(faults=["reset_mid_body"])
    with sim.send() as peer:
        head, body = split(peer.recv(4096))
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert 0 < len(body) < int(head.split("Content-Length: ")[1].split()[0])
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_end_before_any_byte(sim):
    sim.set(faults=["close"])
    with sim.send() as peer:
        assert peer.recv(1) == b""


@pytest.mark.parametrize("ms", [0, 100])
def test_end_of_a_kept_connection_that_no_header_announced(sim, ms):
    sim.set(faults=[f"close_after:ms={ms}"])
    start = time.monotonic()
    with sim.send() as peer:
        head, body = split(read_to_end(peer))
    assert time.monotonic() - start >= ms / 1000
    assert "connection: close" not in head.lower()
    assert json.loads(body) == found(EMAIL)


def test_hang_before_the_reply(sim):
    sim.set(faults=["hang"])
    with sim.send() as peer:
        assert sim.control("DELETE", "faults")  # answered later, so the other would have been by now
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)


def test_hang_inside_the_body(sim):
    sim.set(faults=["hang_mid_body"])
    with sim.send() as peer:
        head, body = split(peer.recv(4096))
        assert 0 < len(body) < int(head.split("Content-Length: ")[1].split()[0])
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)


def test_truncated_body(sim):
    sim.set(faults=["truncated"])
    with sim.send() as peer:
        head, body = split(read_to_end(peer))
    assert 0 < len(body) < int(head.split("Content-Length: ")[1].split()[0])


def test_garbage(sim):
    sim.set(faults=["garbage"])
    with sim.send() as peer:
        assert not read_to_end(peer).startswith(b"HTTP")


def test_a_body_that_drips(sim):
    sim.set(faults=["drip:ms=3"])
    deadline, parts = time.monotonic() + 3 * TIMEOUT, []
    while len(parts) <= 20:  # who reads late finds in one piece what came meanwhile
        assert time.monotonic() < deadline, f"it came in {len(parts)} pieces"
        start = time.monotonic()
        with sim.send() as peer:
            _, body = split(peer.recv(4096))
            parts = list(iter(lambda: peer.recv(4096), b""))
        assert json.loads(body + b"".join(parts)) == found(EMAIL)
        assert time.monotonic() - start >= 0.003 * len(found(EMAIL)["case"]["id"])


def test_a_slow_reply(sim):
    sim.set(faults=["slow:ms=150:match=tail"])
    start = time.monotonic()
    assert sim.get("tail@x").json == found("tail@x")
    assert time.monotonic() - start >= 0.15


def test_a_padded_reply_is_the_right_one(sim):
    sim.set(faults=["padded:bytes=300000"])
    for _ in range(2):
        reply = sim.get()
        assert len(reply.body) > 300000 and reply.json == found(EMAIL)


def resident_kib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_huge_body_is_valid_and_takes_no_memory(sim, framing):
    size = 64 << 20
    before = resident_kib(sim.process)
    sim.set(faults=[f"huge_body:bytes={size}:framing={framing}"])
    body = sim.get().body
    assert len(json.loads(body)["case"]["id"]) == size
    assert resident_kib(sim.process) - before < 8192


def test_a_huge_body_is_a_gibibyte_unless_said_otherwise(sim):
    sim.set(faults=["huge_body"])
    with sim.send() as peer:
        head, _ = split(peer.recv(4096))
        assert int(head.split("Content-Length: ")[1].split()[0]) > 1 << 30


def test_a_client_that_leaves_a_huge_body_leaves_nothing_behind(sim):
    sim.set(faults=["huge_body"])
    for _ in range(20):
        with sim.send() as peer:
            peer.recv(100)
    deadline = time.monotonic() + TIMEOUT
    while sim.control("GET", "stats")["in_flight"] != 0:
        assert time.monotonic() < deadline


def test_a_flood_of_headers(sim):
    sim.set(faults=["header_flood:bytes=1000000"])
    with sim.send() as peer:
        head, body = split(read_to_end(peer))
    assert len(head) > 1000000
    assert json.loads(body) == found(EMAIL)


def test_a_gzip_bomb_though_nobody_asked(sim):
    sim.set(faults=["gzip_bomb"])
    reply = sim.get()
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(reply.body) < 2 << 20
    size = struct.unpack("<I", reply.body[-4:])[0]
    assert size > 256 << 20
    assert len(gzip.decompress(reply.body)) == size


# Which requests a fault hits


def test_no_fault_hits_the_control_interface(sim):
    sim.set(faults=["reset"])
    assert sim.control("GET", "settings")["faults"]


def test_a_fault_for_some_identities(sim):
    sim.set(faults=["status_403:match=poison@"])
    assert sim.get("poison@x.org").status == 403
    assert sim.get("good@x.org").status == 200
    sim.set(faults=["status_403:match=+1666"])
    assert sim.get("good@x.org", "+16661").status == 403
    assert sim.get("good@x.org", "+1777").status == 200


def test_a_fault_for_the_first_requests(sim):
    sim.set(faults=["status_500:count=2"])
    assert [sim.get().status for _ in range(4)] == [500, 500, 200, 200]
    assert sim.control("GET", "settings")["faults"] == [{"name": "status_500", "count": 2, "left": 0}]


def statuses(sim, count):
    with contextlib.closing(sim.connect()) as connection:
        for _ in range(count):
            connection.request("GET", target(), headers={"CV-Api-Key": KEY})
            yield Reply(connection.getresponse()).status


def test_percentages_add_up_and_chance_repeats_itself():
    arguments = ["--fault", "status_500=20", "--fault", "status_502=30", "--seed", "7"]
    with running(*arguments) as sim:
        first = list(statuses(sim, 2000))
    with running(*arguments) as sim:
        assert list(statuses(sim, 2000)) == first
    assert 320 < first.count(500) < 480
    assert 500 < first.count(502) < 700
    assert 880 < first.count(200) < 1120


# TLS


def test_tls(tmp_path):
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(cafile=certificate)
    with running("--tls-certificate", certificate, "--tls-key", key) as sim:
        assert sim.url.startswith("https://")
        connect = lambda: http.client.HTTPSConnection("127.0.0.1", sim.port, timeout=TIMEOUT, context=context)
        with contextlib.closing(connect()) as connection:
            for _ in range(3):
                connection.request("GET", target(), headers={"CV-Api-Key": KEY})
                assert Reply(connection.getresponse()).json == found(EMAIL)
            faults = json.dumps({"faults": ["huge_body:bytes=3000000:framing=close"]})
            connection.request("PUT", "/_sim/settings", body=faults)
            assert Reply(connection.getresponse()).status == 200
            connection.request("GET", target(), headers={"CV-Api-Key": KEY})
            assert len(Reply(connection.getresponse()).json["case"]["id"]) == 3000000
        with contextlib.closing(connect()) as connection:
            connection.request("PUT", "/_sim/settings", body=json.dumps({"faults": ["reset"]}))
            assert Reply(connection.getresponse()).status == 200
            connection.request("GET", target(), headers={"CV-Api-Key": KEY})
            with pytest.raises(ConnectionResetError):
                connection.getresponse()
        with contextlib.closing(connect()) as connection:
            connection.request("PUT", "/_sim/settings", body=json.dumps({"faults": ["close"]}))
            assert Reply(connection.getresponse()).status == 200
            connection.request("GET", target(), headers={"CV-Api-Key": KEY})
            connection.sock.suppress_ragged_eofs = False
            assert connection.sock.recv(1) == b""


# The command line


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "an API key is needed"),
        (["--api-key"], "--api-key needs a value"),
        (["--api-key", ""], "api_key is empty"),
        (["--nonsense"], "there is no option --nonsense"),
        (["-x"], "there is no option"),
        (["--api-key", "k", "extra"], '"extra" is no option'),
        (["--api-key", "k", "--latency", "1s"], '--latency: "1s" is no whole number'),
        (["--api-key", "k", "--latency", "-1"], '--latency: "-1" is no whole number'),
        (["--api-key", "k", "--limit", "99999999999"], "--limit: limit is not an integer"),
        (["--api-key", "k", "--seed", "9" * 20], "is no whole number"),
        (["--api-key", "k", "--fault", "nonsense"], '--fault: there is no fault "nonsense"'),
        (["--api-key", "k", "--fault", "hang=5:ms=1"], 'it takes no key "ms"'),
        (["--api-key", "k", "--tls-key", "x"], "--tls-certificate and --tls-key go together"),
        (["--api-key-file", "/nonexistent"], "--api-key-file: /nonexistent cannot be read"),
    ],
)
def test_wrong_usage(arguments, message):
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--listen", "nowhere"], '"nowhere" is no ADDR:PORT'),
        (["--listen", "192.0.2.1:80"], "cannot listen on 192.0.2.1:80"),
        (["--cases", "/nonexistent"], "the cases /nonexistent cannot be read"),
        (["--record", "/nonexistent/record"], "the record /nonexistent/record cannot be opened"),
        (["--tls-certificate", "/nonexistent", "--tls-key", "/nonexistent"], "the certificate /nonexistent"),
    ],
)
def test_failure_at_the_start(arguments, message):
    ended = run("--api-key", "k", *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', "{"])
def test_a_wrong_file_of_cases(tmp_path, content):
    path = tmp_path / "cases.json"
    path.write_text(content)
    ended = run("--api-key", "k", "--cases", path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert str(path) in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_help_names_every_option_and_fault():
    for option in "-h", "--help":
        ended = run(option)
        assert (ended.returncode, ended.stderr) == (0, "")
        for word in "--api-key-file", "--record", "status_STATUS", "gzip_bomb", "retry_after", "/_sim/stats":
            assert word in ended.stdout


def test_version():
    for option in "-V", "--version":
        ended = run(option)
        assert ended.returncode == 0
        assert ended.stdout.startswith("care360-sim ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_even_with_requests_under_way(number):
    sim = Simulator("--fault", "hang:match=hang", "--fault", "drip:match=drip", "--latency", "1")
    peers = [sim.send(email) for email in ("hang", "drip", "drip", "hang")]
    assert sim.get().status == 200
    sim.set(latency_ms=60000)
    peers.append(sim.send("late"))
    assert sim.control("GET", "stats")
    assert sim.stop(number) == (0, "")
    for peer in peers:
        peer.close()


def test_the_last_listen_counts_and_may_be_ipv6():
    simulator = Simulator("--listen", "[::1]:0")
    try:
        assert simulator.url.startswith("http://[::1]:")
    finally:
        assert simulator.stop() == (0, "")
