"""The status page in a real browser: whoever has it alone can tell what is the matter."""

import base64
import hashlib
import re
import time

import pytest

from harness.browser import Browser
from harness.metrics import Metrics
from harness.paths import full_size
from harness.requests import malformed, mixture, plain, small
from harness.rounds import best_of_rounds
from harness.waiting import wait_for

QUICK = {"retry.initial_backoff_ms": 10, "retry.max_backoff_ms": 50, "breaker.probe_interval_ms": 3000,
         "breaker.window_ms": 1000, "care360.timeout_ms": 3000}


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


class Page:
    """The page of one service, in the browser."""

    def __init__(self, browser, service) -> None:
        self.browser = browser
        browser.open("about:blank")  # the page of the test before asks a service that is gone, and complains
        wait_for(lambda: service.get("/livez")[0] != 0, f"{service.name} answers", detail=lambda: service.stderr[-1500:])
        browser.console()
        browser.open(f"http://127.0.0.1:{service.port}/")

    def words(self) -> str:
        """What its head says, in one line."""
        return " ".join(self.browser.text(f"#{part}") for part in ("headline", "story", "hint"))

    def condition(self) -> str:
        return self.browser.ask("document.getElementById('state').dataset.condition")

    def wait_words(self, *patterns: str) -> str:
        """Waits until the head says all of these at once, and the console has nothing to complain of."""
        words = wait_for(lambda: all(re.search(p, self.words()) for p in patterns) and self.words(),
                         f"the page says {patterns}", 60, 0.1, detail=self.words)
        assert self.browser.console() == []
        return words

    def figure(self, selector: str) -> int:
        return int(re.sub(r"[^0-9]", "", self.browser.text(selector)) or -1)

    def outcomes(self) -> dict:
        return {name: int(number.replace(",", "")) for name, number in self.browser.ask(
            "[...document.querySelectorAll('#outcomes tr')].map((row) => [...row.cells].slice(0, 2).map((cell) => cell.textContent))")}


@pytest.fixture
def open_page(browser):
    return lambda service: Page(browser, service)


# --- the nine states ---

def test_fine(make_scene, open_page):
    scene = make_scene()
    page = open_page(scene.service())
    scene.put(small(50))
    scene.wait_worked_off()
    page.wait_words(r"^Running Every request is answered\. Nothing waits\.")


def test_backlog(make_scene, sim, open_page):
    sim.set(latency_ms=20)
    scene = make_scene(**{"lookup.in_flight": 1})
    scene.put(small(5_000))
    service = scene.service()
    page = open_page(service)
    page.wait_words(r"^Running, with a backlog", r"[1-4],\d\d\d requests wait; \d+ a second are answered\. Done in about \d+")
    service.kill()


def test_api_slow(make_scene, sim, open_page):
    sim.set(latency_ms=2_000)
    scene = make_scene(**{"lookup.in_flight": 16})
    scene.put(small(400))
    service = scene.service()
    page = open_page(service)
    page.wait_words(r"^Running, but Care360 is slow", r"Half of its replies take longer than [12]\.\d s\. 16 of at most 16 are under way, \d+ wait")
    service.kill()


def test_api_down(make_scene, sim, open_page):
    sim.down()
    scene = make_scene(**QUICK)
    scene.put(small(300))
    page = open_page(scene.service(ready=False))
    page.wait_words(r"^Stopped: the Care360 API is down or fails \(no connection, or it was cut\) since \d\d:\d\d",
                    r"300 requests wait unharmed\. Next probe in [123] s", r"Nothing needs to be done here")


def test_key_refused(make_scene, open_page):
    scene = make_scene(**QUICK)
    scene.put(small(4_102))
    service = scene.service(ready=False, key="not-the-key")
    page = open_page(service)
    page.wait_words(r"^Stopped: Care360 refuses the API key \(HTTP 400\) since \d\d:\d\d",
                    r"4,102 requests wait unharmed\. Next probe in [123] s", re.escape(f"Put a valid key into {service.key_file}"))
    wait_for(lambda: page.browser.text("#blocker") == "waits for the line to run again", "what blocks the oldest request", 30, 0.1)
    service.write_key("test-key-4f1c")
    page.wait_words(r"^Running ")


def test_wrong_url(make_scene, sim, open_page):
    scene = make_scene(**QUICK, **{"care360.base_url": f"{sim.url}/elsewhere"})
    scene.put(small(100))
    page = open_page(scene.service(ready=False))
    page.wait_words(r"^Stopped: what answers at care360\.base_url is not the Care360 API, or denies access \(HTTP 404\)",
                    r"100 requests wait unharmed", rf"Check care360\.base_url \(127\.0\.0\.1, port {sim.port}\)")


def test_broker_gone(mock_topics, mock_cluster, make_scene, open_page):
    scene = make_scene(topics=mock_topics)
    page = open_page(scene.service())
    page.wait_words(r"^Running ")
    mock_cluster.down()
    page.wait_words(r"^Waiting: no Kafka broker can be reached since \d\d:\d\d", r"Nothing is lost", re.escape(mock_topics.bootstrap))
    mock_cluster.up()
    page.wait_words(r"^Running ")


def test_rebalancing(make_scene, sim, open_page):
    """And a rebalance that is shorter than the session time-out changes nothing about readiness."""
    sim.faults("slow:ms=12000:match=slow")
    scene = make_scene(partitions=2, **{"care360.timeout_ms": 30_000, "kafka.revoke_timeout_ms": 30_000,
                                        "kafka.session_timeout_ms": 45_000, "kafka.consumer": {"heartbeat_interval_ms": 200}})
    first = scene.service()
    page = open_page(first)
    scene.put(plain(email=f"slow{n}@example.org") for n in range(20))
    wait_for(lambda: first.metric("care360_lookup_in_flight") == 20, "all are under way")
    scene.service(ready=False)
    page.wait_words(r"^Rebalancing: the group shares out its partitions", r"What this instance began is finished first: \d+ in work")
    assert first.get("/readyz") == (200, "ready\n")
    assert first.metric("care360_lookup_ready") == 1

    def shared():
        assert first.ready(), first.get("/readyz")
        return first.metric("care360_lookup_assigned_partitions") == 1

    wait_for(shared, "the other has its share", 60)
    page.wait_words(r"^Running")


def test_stopping(make_scene, sim, open_page):
    sim.faults("slow:ms=8000")
    scene = make_scene(**{"care360.timeout_ms": 30_000})
    scene.put(small(30))
    service = scene.service()
    page = open_page(service)
    wait_for(lambda: service.metric("care360_lookup_in_flight") == 30, "all are under way")
    service.signal(15)
    page.wait_words(r"^Stopping It finishes what it began, 30 requests, and leaves the rest unread")
    assert service.wait() == 0
    wait_for(lambda: page.words().startswith("The service does not answer"), "the page says that nobody answers", 60, 0.1, detail=page.words)
    assert page.condition() == "silent"


# --- what it shows ---

def test_it_shows_the_figures_of_the_metrics_and_goes_with_them(make_scene, sim, open_page):
    sim.set(latency_ms=5)
    sim.faults("status_500=10")
    scene = make_scene(partitions=3)
    service = scene.service()
    page = open_page(service)
    page.wait_words(r"^Running")
    for _ in range(2):
        scene.put(mixture(300))
        scene.wait_worked_off()
        metrics = Metrics(service.metrics())
        expected = {"found": metrics.ours("results_total", outcome="found")}
        for reason in metrics.label_values("care360_lookup_results_total", "reason") - {""}:
            expected[reason] = metrics.ours("results_total", reason=reason)
        wait_for(lambda: page.outcomes() == expected, "the same outcomes", 30, 0.1, detail=lambda: (page.outcomes(), expected))
    assert sum(expected.values()) == 600
    wait_for(lambda: page.browser.text("#waiting") == "0", "nothing waits")

    def rows():
        """Topic, number, lag, committed offset and end of each partition."""
        return [re.split(r"\s+", row)[:5] for row in page.browser.texts("#partitions tbody tr")]

    def partitions():
        """The same as the metrics have it; the brokers are asked once a second."""
        metrics = Metrics(service.metrics())
        offsets = [metrics.ours("committed_offset", topic=scene.requests_topic, partition=str(n)) for n in range(3)]
        return [[scene.requests_topic, str(n), "0", f"{offset:.0f}", f"{offset:.0f}"] for n, offset in enumerate(offsets)]

    wait_for(lambda: rows() == partitions(), "the same partitions", detail=lambda: (rows(), partitions()))
    assert sum(int(row[3]) for row in rows()) == 600
    assert f"{metrics.ours('retries_total', cause='status_5xx'):.0f} API errors (5xx)" in page.browser.texts("#troubles li")
    libcurl = metrics.label_values("care360_lookup_build_info", "libcurl").pop()
    assert libcurl in page.browser.text("#versions")
    assert page.browser.console() == []


def test_what_blocks_the_oldest_request_is_told(make_scene, sim, open_page):
    sim.faults("hang")
    scene = make_scene(partitions=1, **{"care360.timeout_ms": 60_000, "retry.max_attempts": 50})
    service = scene.service()
    page = open_page(service)

    def wait_blocker(pattern):
        wait_for(lambda: re.match(pattern, page.browser.text("#blocker")), pattern, 30, 0.1, detail=lambda: page.browser.text("#blocker"))

    request, = scene.put([plain(email="oldest@example.org")])
    wait_blocker(r"asked the API \d")
    assert page.browser.text("#place") == f"{scene.requests_topic}/0/{request.offset}"
    sim.faults("status_503:retry_after=60")
    sim.down()
    sim.up()
    wait_blocker(r"refused as too many, again in \d+ s")
    service.kill()


def test_the_last_error_events_are_told_by_their_place_and_reason(make_scene, sim, open_page):
    sim.faults("unknown_text:match=odd")
    scene = make_scene(partitions=1)
    page = open_page(scene.service())
    page.wait_words(r"^Running")
    assert page.browser.text("#errors-card") == "", "there is no such list where there are none"
    with scene.witnesses():
        scene.put([plain(email="nobody@example.org")])
        expected = []
        for request, reason, status in [(malformed("bare text", b"hello"), "malformed_event", "–"),
                                        (plain(email="odd@example.org"), "rejected", "400")]:
            put, = scene.put([request])
            scene.result_of(put)
            expected.insert(0, [f"{scene.requests_topic}/0/{put.offset}", reason, status])

    def rows():
        return [row.split("\t")[1:] for row in page.browser.texts("#errors tbody tr")]

    wait_for(lambda: rows() == expected, "the newest first", 30, 0.1, detail=rows)
    assert page.browser.console() == []


def test_its_plots_are_drawn_and_move(make_scene, sim, open_page):
    scene = make_scene()
    service = scene.service()
    page = open_page(service)

    def paths():
        return page.browser.ask("[...document.querySelectorAll('#plots path')].map((path) => path.getAttribute('d'))")

    with scene.witnesses():
        wait_for(lambda: len(paths()) == 6 and all(len(d) > 10 for d in paths()), "six lines with something in them", 30, 0.2, detail=paths)
        before = paths()
        wait_for(lambda: paths() != before, "they move", 30, 0.2)
        wait_for(lambda: page.figure("#answered") > 0, "requests are answered")
    assert page.browser.console() == []


def test_it_fits_a_phone_and_follows_the_scheme(make_scene, open_page):
    page = open_page(make_scene().service())
    page.wait_words(r"^Running")
    grounds = []
    for dark in (False, True):
        page.browser.look(360, 740, dark)
        assert page.browser.ask("document.documentElement.scrollWidth") <= 360, "nothing to scroll sideways"
        grounds.append(page.browser.ask("getComputedStyle(document.body).backgroundColor"))
    page.browser.look(1280, 900, False)
    light, dark = (sum(map(int, re.findall(r"\d+", ground))) for ground in grounds)
    assert light > 600 and dark < 120


def test_it_holds_all_it_needs_and_may_load_nothing_else(make_scene):
    """Its policy allows its own style and script by their hashes, and the page names no other place."""
    import urllib.request
    service = make_scene().service()
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/", timeout=10) as reply:
        page, headers = reply.read(), reply.headers
    for tag in (b"style", b"script"):
        text = page.split(b"<%s>" % tag)[1].split(b"</%s>" % tag)[0]
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert f"{tag.decode()}-src 'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert not re.findall(rb"(?:src|href)=\"(?!/|data:)", page)
    assert set(re.findall(rb"https?://[^\"'`\s]+", page)) == {b"http://www.w3.org/2000/svg"}
    assert len(page) < 64_000


def test_without_a_status_page_only_the_three_remain(make_scene):
    service = make_scene().service(settings={"server.status_page": False})
    assert [service.get(path)[0] for path in ("/", "/status.json", "/livez", "/readyz", "/metrics")] == [404, 404, 200, 200, 200]


# --- who asks too much ---

@pytest.mark.alone
def test_a_thousand_idle_connections_cost_nothing(make_scene, sim, size, figure):
    """Requests are answered as fast as before, and so is /livez."""
    import resource
    import socket
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_000)), hard))
    count = size(10_000, 60_000)
    scene = make_scene()
    service = scene.service()

    def rate():
        scene.put(small(count))
        begun = time.monotonic()
        scene.wait_worked_off()
        return count / (time.monotonic() - begun)

    def rate_with_idle_connections():
        idle = [socket.create_connection(("127.0.0.1", service.port), 10) for _ in range(1_000)]
        for connection in idle[::2]:
            connection.send(b"GET /metr")  # and never more
        with_them = rate()
        assert service.get("/livez") == (200, "alive\n")
        assert service.metric("process_open_fds") < 1_000
        for connection in idle:
            connection.close()
        return with_them

    rate()

    def as_fast(rates):
        return rates["with"] > (0.9 if full_size() else 0.5) * rates["without"]

    best = best_of_rounds({"without": rate, "with": rate_with_idle_connections}, as_fast, least=5 if full_size() else 1)
    figure(f"{best['with']:,.0f} a second with 1,000 idle connections, {best['without']:,.0f} without: "
           f"ratio {best['with'] / best['without']:.2f}")
    assert as_fast(best)
