"""Memory stays flat while a backlog is worked off, and within the limit that the manifests set."""

import re
import threading

from harness.paths import PROJECT
from harness.requests import plain, small
from harness.sim import Sim
from harness.tls import Authority
from harness.waiting import wait_for

WARM_UP = 0.2  # of the backlog: after this, caches, pools and buffers have the size they keep
MOST_GROWTH = 24 << 20
MARGIN = 1.25  # of the memory limit over the peak
RECORD = 900_000  # bytes: about what a topic takes by default


def test_memory_stays_flat_while_a_backlog_is_worked_off(make_scene, size, figure):
    count = size(150_000, 1_000_000)
    scene = make_scene(partitions=8)
    scene.topics.produce(scene.requests_topic, 8, small(count, keys=50_000), keep=False)
    service = scene.service()
    samples = []
    over = threading.Event()

    def sample():
        while not over.wait(0.1):
            samples.append((scene.result_count(), service.resident_bytes()))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        seconds = scene.wait_worked_off(60 + count / 1000)
    finally:
        over.set()
        thread.join()
    samples.append((scene.result_count(), service.resident_bytes()))
    end = 1 + next(number for number, (done, _) in enumerate(samples[:-1]) if done > WARM_UP * count)
    warm, later = ([memory for _, memory in part] for part in (samples[:end], samples[end:]))
    figure(f"{count / seconds:,.0f} a second; at most {max(warm) >> 20} MiB up to {WARM_UP:.0%}, "
           f"{max(later) >> 20} MiB after, {later[-1] >> 20} MiB at the end")
    assert scene.result_count() == count
    assert max(later) - max(warm) < MOST_GROWTH


def memory_limit() -> int:
    """Bytes that deploy/kubernetes allows."""
    manifest = (PROJECT / "deploy" / "kubernetes" / "base" / "deployment.yaml").read_text()
    [mebibytes] = re.findall(r"limits:(?:\s*#.*)*\s*memory: (\d+)Mi", manifest)
    return int(mebibytes) << 20


def mixed(large: int):
    """Records of the largest size, each with so many small ones that all requests allowed are under way."""
    for number in range(large):
        yield plain(email=f"customer.{number}@example.org", padding="x" * RECORD)
        yield from (plain(email=f"small.{number}.{i}@example.org") for i in range(20))


def test_the_largest_records_and_full_buffers_fit_into_the_memory_limit(make_scene, tmp_path, size, figure):
    """With all that takes memory at once: TLS, as many fetches as can be, and the most workers that are chosen."""
    large = size(192, 640)
    authority = Authority(tmp_path / "authority")
    with Sim(tmp_path / "tls", authority=authority, faults=["status_503"], latency_ms=100) as sim:
        scene = make_scene(partitions=64, sim=sim, **{
            "care360.ca_file": str(authority.ca_file), "lookup.workers": 4, "breaker.probe_interval_ms": 1000})
        scene.topics.produce(scene.requests_topic, 64, mixed(large), keep=False)
        service = scene.service(ready=False)
        wait_for(lambda: service.metric("care360_lookup_buffered_bytes") > (32 << 20) - 2 * RECORD, "the buffer is full", 60,
                 detail=lambda: service.metric("care360_lookup_buffered_bytes"))
        sim.faults()
        under_way = []

        def answered():
            under_way.append(service.metric("care360_lookup_in_flight"))
            return scene.result_count() >= 21 * large

        wait_for(answered, "all requests are answered", 180)
        figure(f"at most {service.peak_bytes() >> 20} MiB, of {memory_limit() >> 20} MiB allowed in deploy/kubernetes, "
               f"with up to {max(under_way):.0f} requests under way")
        assert service.peak_bytes() * MARGIN <= memory_limit()
