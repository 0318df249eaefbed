"""Memory stays flat while a backlog is worked off."""

import threading

from harness.requests import small

WARM_UP = 0.2  # of the backlog: after this, caches, pools and buffers have the size they keep
MOST_GROWTH = 24 << 20


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
    warm = [memory for done, memory in samples if done <= WARM_UP * count]
    later = [memory for done, memory in samples if done > WARM_UP * count]
    figure(f"{count / seconds:,.0f} a second; at most {max(warm) >> 20} MiB up to {WARM_UP:.0%}, "
           f"{max(later) >> 20} MiB after, {later[-1] >> 20} MiB at the end")
    assert scene.result_count() == count
    assert max(later) - max(warm) < MOST_GROWTH
