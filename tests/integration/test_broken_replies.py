"""Every kind of broken reply: on the wire, of HTTP/2, of TLS and of names. It is retried, waits or ends with its reason.

What happens byte by byte is for the unit tests of io/http_client; here it is the whole service.
"""

import collections
import json
import os
import socket
import threading

import pytest

from harness import h2_api
from harness.h2_api import H2Api
from harness.requests import plain, small
from harness.scene import Scene
from harness.sim import Sim
from harness.tls import Authority
from harness.waiting import wait_for

MAX_ATTEMPTS = 3
QUICK = {"retry.max_attempts": MAX_ATTEMPTS, "retry.initial_backoff_ms": 50, "retry.max_backoff_ms": 100,
         "breaker.probe_interval_ms": 500, "care360.timeout_ms": 1_000}
# Where a time-out would be the service's own fault.
PATIENT = {**QUICK, "care360.timeout_ms": 10_000, "care360.connect_timeout_ms": 10_000}
# Where so many sends fail that some event may fail often.
PERSISTENT = {**PATIENT, "retry.max_attempts": 20}
MIB = 1 << 20

# What the API does to one event again and again, and the reason with which that ends while others are answered.
ON_THE_WIRE = {
    "reset": "api_unavailable",
    "reset_mid_body": "api_unavailable",
    "close": "api_unavailable",
    "hang": "api_unavailable",
    "hang_mid_body": "api_unavailable",
    "truncated": "api_unavailable",
    "garbage": "api_unavailable",
    "drip:ms=200": "api_unavailable",
    "header_flood": "api_unavailable",
    "html": "bad_reply",
    "json_broken": "bad_reply",
    "json_id_number": "bad_reply",
    "gzip_bomb": "bad_reply",
    "huge_body": "bad_reply",
    "huge_body:framing=chunked": "bad_reply",
    "huge_body:framing=close": "bad_reply",
    "huge_body:bytes=300000": "bad_reply",
}

# What it does to all events, and what readiness says of it.
TO_ALL = {
    "reset": "is down or fails (no connection, or it was cut)",
    "hang_mid_body": "is down or fails (no reply in time)",
    "header_flood": "is down or fails (no valid HTTP reply)",
    "huge_body:framing=chunked": "is down or fails (a reply that is too long)",
    "json_broken": "is down or fails (HTTP 200 with an undocumented body)",
    "status_302:location=http://127.0.0.2/": "not the Care360 API, or denies access (HTTP 302)",
}


class Battered:
    """One service to which all of these happened at once, while others were answered."""

    def __init__(self, scene):
        service = scene.service()
        with scene.witnesses():
            wait_for(lambda: scene.result_count() >= 50, "it is warm")
            before = service.peak_bytes()
            words = {fault: f"{number}-" for number, fault in enumerate(ON_THE_WIRE)}
            scene.sim.faults(*[f"{fault}:match={word}" for fault, word in words.items()])
            requests = scene.put([plain(email=f"{words[fault]}@example.org", request_id=fault) for fault in ON_THE_WIRE])
            for request in requests:
                scene.result_of(request, 120)
            self.grown = service.peak_bytes() - before
        scene.wait_worked_off()
        self.results = scene.results()
        values = [json.loads(result.value) for result in self.results]
        self.errors = {value["requestId"]: value for value in values if value["outcome"] == "error"}
        seen = collections.Counter(line["email"] for line in scene.sim.requests())
        self.asked = {request.request_id: seen[request.email] for request in requests}
        self.running = service.running()


@pytest.fixture(scope="module")
def battered(topics, tmp_path_factory):
    directory = tmp_path_factory.mktemp("battered")
    # Longer than a busy machine stalls, and shorter than the drip.
    patient = {"care360.timeout_ms": 5_000, "care360.connect_timeout_ms": 5_000}
    with Sim(directory / "sim", record=True) as sim, Scene(topics, sim, directory, **{**QUICK, **patient}) as scene:
        return Battered(scene)


@pytest.mark.parametrize("fault", ON_THE_WIRE)
def test_a_broken_reply_is_retried_and_ends_with_its_reason(battered, fault):
    value = battered.errors[fault]
    assert value["error"]["reason"] == ON_THE_WIRE[fault]
    assert value["attempts"] == MAX_ATTEMPTS
    assert battered.asked[fault] >= MAX_ATTEMPTS


def test_others_are_answered_beside_all_of_them_and_nobody_twice(battered):
    assert set(battered.errors) == set(ON_THE_WIRE)
    assert max(collections.Counter(result.ce_id for result in battered.results).values()) == 1


def test_a_service_that_gets_all_of_them_stays_up_and_small(battered, figure):
    figure(f"grown by {battered.grown / MIB:.1f} MiB by nine bodies of 1 GiB and three bombs of 270 MB")
    assert battered.running
    assert battered.grown < 16 * MIB


def expect_all_found(scene):
    scene.wait_worked_off()
    report = scene.check()
    report.expect_exactly_once()
    assert set(report.reasons) == {""}


@pytest.fixture(scope="module")
def held_up(topics, tmp_path_factory):
    """A scene whose API breaks and recovers, again and again."""
    directory = tmp_path_factory.mktemp("held-up")
    with Sim(directory / "sim", record=True) as sim, Scene(topics, sim, directory, **QUICK) as scene:
        scene.service()
        yield scene


@pytest.mark.parametrize("fault", TO_ALL)
def test_an_api_that_breaks_every_reply_stops_the_line_and_fails_no_event(held_up, fault):
    service, = held_up.services
    answered = held_up.result_count()
    held_up.sim.faults(fault)
    held_up.put(small(20))
    service.wait_not_ready(TO_ALL[fault])
    assert held_up.result_count() == answered
    held_up.sim.faults()
    expect_all_found(held_up)
    service.wait_ready()


class Elsewhere:
    """Another host, which keeps what it is sent."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.url = f"http://127.0.0.2:{self._listener.getsockname()[1]}/"
        self.heard = b""
        threading.Thread(target=self._hear, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def say(self, text):
        with socket.create_connection(self._listener.getsockname()) as connection:
            connection.sendall(text)

    def _hear(self):
        try:
            while True:
                accepted, _ = self._listener.accept()
                with accepted:
                    accepted.settimeout(5)
                    self.heard += b"connected " + accepted.recv(4096)
        except OSError:
            pass


def test_the_key_follows_no_redirect(make_scene, sim):
    scene = make_scene(**{**PATIENT, "breaker.probe_interval_ms": 2_000})
    with Elsewhere() as elsewhere, scene.witnesses():
        sim.faults(*[f"status_{status}:location={elsewhere.url}:match={status}-" for status in (301, 302, 303, 307, 308)])
        scene.service()
        requests = scene.put([plain(email=f"{status}-@example.org") for status in (301, 302, 303, 307, 308)])
        for request in requests:
            assert json.loads(scene.result_of(request, 120).value)["error"]["reason"] == "rejected"
        elsewhere.say(b"the end")
        wait_for(lambda: b"the end" in elsewhere.heard, "the other host has heard what there was to hear")
    assert elsewhere.heard == b"connected the end"


def sends(service, events):
    """How many API requests the service says it made, when all events were answered."""
    return events + service.metric("care360_lookup_retries_total")


def test_what_libcurl_sends_again_by_itself_counts_as_an_attempt(make_scene, sim):
    scene = make_scene(**{**PERSISTENT, "care360.timeout_ms": 1_000})
    # Half of all connections are closed after a reply, just when the next request may be on its way.
    sim.faults("close_after=50:ms=1", "reset=5")
    scene.put(small(1_000))
    service = scene.service()
    scene.wait_worked_off()
    scene.check().expect_exactly_once()
    seen = collections.Counter(line["email"] for line in sim.requests())
    assert 1_000 < sum(seen.values()) <= sends(service, 1_000)


# Names


class Hosts:
    """What names resolve to, for a service that gets the environment."""

    def __init__(self, path):
        self._path = path
        self._time = 1_000_000_000
        self.environment = {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(path)}

    def resolve(self, name, address):
        """No other name resolves from now on."""
        self._time += 10  # a change is seen by the file's time
        self._path.write_text(f"{address} {name}\n")
        os.utime(self._path, (self._time, self._time))


def test_a_name_without_an_address_stops_the_line_until_it_has_the_right_one(make_scene, sim, tmp_path):
    host = "x" * 64 + ".example"  # longer than a name may be: no name server is asked, and none could answer
    hosts = Hosts(tmp_path / "hosts")
    hosts.resolve("other.example", "127.0.0.1")
    scene = make_scene(**{**QUICK, "care360.base_url": f"http://{host}:{sim.port}", "care360.allow_plain_http": True, "lookup.workers": 2})
    scene.put(small(50))
    service = scene.service(ready=False, **hosts.environment)
    service.wait_not_ready("is down or fails (its host name has no address)")
    wait_for(lambda: service.metric("care360_lookup_retries_total", cause="connect") >= 1, "retries are counted")
    hosts.resolve(host, "127.0.0.2")
    service.wait_not_ready("is down or fails (no connection, or it was cut)")
    assert scene.result_count() == 0
    hosts.resolve(host, "127.0.0.1")
    expect_all_found(scene)
    service.wait_ready()


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def certified(authority):
    return authority.certificate("care360", "IP:127.0.0.1")


@pytest.fixture
def tls_sim(tmp_path, authority):
    with Sim(tmp_path / "tls-sim", record=True, authority=authority) as sim:
        yield sim


def secure(authority, **settings):
    return {**PATIENT, "care360.ca_file": str(authority.ca_file), **settings}


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
def test_a_trusted_certificate_is_all_it_takes(make_scene, tls_sim, authority, version):
    scene = make_scene(sim=tls_sim, **secure(authority, **{"care360.http_version": version, "lookup.workers": 1,
                                                           "lookup.in_flight": 20}))
    scene.put(small(500))
    scene.service()
    expect_all_found(scene)
    assert tls_sim.stats()["requests"] == 500
    assert tls_sim.stats()["connections"] <= 30, "connections are kept"


def test_a_bad_certificate_stops_the_line_until_it_is_replaced(make_scene, tls_sim, authority, tmp_path):
    good = tls_sim.certificate
    untrusted = {
        "its certificate has expired or is not valid yet": authority.expired("IP:127.0.0.1"),
        "its certificate is for another host name": authority.certificate("another", "IP:127.0.0.2"),
        "its certificate is of an authority that is not trusted": certified(Authority(tmp_path / "stranger")),
    }
    scene = make_scene(sim=tls_sim, **secure(authority))
    scene.put(small(300))
    service = None
    for said, certificate in untrusted.items():
        tls_sim.down()
        tls_sim.certificate = certificate
        tls_sim.up()
        service = service or scene.service(ready=False)
        service.wait_not_ready(said)
        assert scene.result_count() == 0, "no result from an API that nobody vouches for"
        tls_sim.down()
        assert tls_sim.record_path.read_text() == "", "nothing is said to it"
    assert service.metric("care360_lookup_retries_total", cause="tls") >= 1
    tls_sim.certificate = good
    tls_sim.up()
    expect_all_found(scene)
    service.wait_ready()


def test_an_authority_that_is_trusted_later_is_seen_without_a_restart(make_scene, tls_sim, authority, tmp_path):
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path / "stranger").ca_file.read_bytes())
    scene = make_scene(sim=tls_sim, **{**PATIENT, "care360.ca_file": str(trusted)})
    scene.put(small(50))
    scene.service(ready=False).wait_not_ready("not trusted")
    trusted.write_bytes(authority.ca_file.read_bytes())
    expect_all_found(scene)


# HTTP/2


def over_http2(authority, api, **settings):
    return secure(authority, **{**PERSISTENT, "care360.base_url": api.url, "care360.http_version": "h2", **settings})


def test_many_requests_share_a_connection_and_each_is_sent_once(make_scene, authority):
    with H2Api(certified(authority)) as api:
        # Beyond the 100 streams that the server allows, libcurl 7.88.1 opens a connection for each request.
        scene = make_scene(**over_http2(authority, api, **{"lookup.in_flight": 100}))
        scene.put(small(1_000))
        scene.service()
        expect_all_found(scene)
        assert sum(api.asked.values()) == 1_000
        assert api.connections <= 8, "one or two for each worker"


def now_and_then(asked):
    """One stream in 20 is refused, one in 50 reset; after 150 streams a connection goes away, every other one is cut."""
    if asked.stream == 150:
        return h2_api.GO_AWAY if asked.connection % 2 else h2_api.CUT
    if asked.stream % 20 == 7:
        return h2_api.REFUSE
    return h2_api.RESET if asked.stream % 50 == 11 else h2_api.ANSWER


def test_streams_refused_and_connections_gone_away_or_cut_lose_nothing(make_scene, authority):
    with H2Api(certified(authority), now_and_then) as api:
        scene = make_scene(**over_http2(authority, api, **{"lookup.in_flight": 50}))
        scene.put(small(1_000))
        service = scene.service()
        expect_all_found(scene)
        assert api.connections > 4
        assert 1_000 < sum(api.asked.values()) <= sends(service, 1_000)


def test_a_connection_on_which_nothing_comes_any_more_is_left_for_a_fresh_one(make_scene, authority):
    silent_at_first = lambda asked: h2_api.SILENCE if asked.connection <= 4 and asked.stream > 20 else h2_api.ANSWER
    with H2Api(certified(authority), silent_at_first) as api:
        scene = make_scene(**over_http2(authority, api, **{"care360.timeout_ms": 1_000}))
        scene.put(small(1_000))
        service = scene.service()
        expect_all_found(scene)
        service.wait_ready()


# Large bodies over TLS, where a byte that is overlooked stalls the rest


@pytest.mark.parametrize("way", ["tls", "h2"])
def test_large_bodies_are_read_whole_or_refused_and_stall_nothing(make_scene, tls_sim, authority, way):
    with H2Api(certified(authority)) as api:
        scene = {
            "tls": lambda: make_scene(sim=tls_sim, **secure(authority)),
            "h2": lambda: make_scene(**over_http2(authority, api)),
        }[way]()

        def pad(size):
            api.padding = size
            tls_sim.faults(f"padded:bytes={size}")

        service = scene.service()
        for size in (16_000, 60_000):
            pad(size)
            scene.put(small(100))
            scene.wait_results(len(scene.sent))
        assert service.metric("care360_lookup_retries_total", cause="timeout") == 0
        pad(300_000)
        scene.put(small(100))
        assert "api_down" in service.wait_not_ready("a reply that is too long")
        pad(0)
        expect_all_found(scene)
