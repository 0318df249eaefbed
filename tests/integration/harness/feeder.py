"""Requests that come in at a steady pace while a test does something else."""

import threading
import time
from typing import Callable, List

from .requests import Request
from .scene import Scene


class Feeder:
    """Puts make(0), make(1), ... into a scene's topic, `rate` a second, from start to stop(). A context manager."""

    def __init__(self, scene: Scene, rate: float, make: Callable[[int], Request]) -> None:
        self.sent: List[Request] = []
        self._scene = scene
        self._rate = rate
        self._make = make
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> "Feeder":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it; all that was sent is in the topic, and known to the scene, when this returns."""
        self._over.set()
        self._thread.join()

    def _feed(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(0.02):
            due = int((time.monotonic() - begun) * self._rate)
            fresh = [self._make(number) for number in range(len(self.sent), due)]
            if fresh:
                self.sent += self._scene.put(fresh)
