"""Operations that wait: they say that there is nothing yet, and the server asks again when something may be there.

While a call waits it holds no thread, no connection to the database and no transaction. Who makes what others wait for tells
their topic after the commit; one of them is woken for each time it is told. Telling reaches this process alone, so whoever waits
also looks again by itself every so often (server/waiting.py).
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

COUNTERS = 1024


@dataclass(frozen=True, slots=True)
class NothingYet:
    """What a WRITE or a STREAM answers that found nothing, and would rather wait. What it wrote stays."""

    answer: Any
    """The answer, when waiting does not help; an AwsError is raised."""
    topic: Hashable
    """What is told when it is worth asking again."""
    heard: int
    """What `Signals.heard` said before it looked."""
    seconds: float
    """How long the call may wait, counted from when it came."""
    ready_at: float | None = None
    """When there will be something even if nothing is told, in epoch seconds."""


class Signals:
    """Tells of topics across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Topics share counters, so that those of times past take up no room; who is woken for nothing looks and waits again.
        self._counters = [0] * COUNTERS
        self._waiting: dict[Hashable, deque[Callable[[], None]]] = {}

    def heard(self, topic: Hashable) -> int:
        """A number that grows each time the topic is told."""
        return self._counters[hash(topic) % COUNTERS]

    def tell(self, topic: Hashable, times: int = 1) -> None:
        """Wake up to so many of those who wait for the topic, the first to come first."""
        with self._lock:
            self._counters[hash(topic) % COUNTERS] += times
            waiting = self._waiting.get(topic, ())
            woken = [waiting.popleft() for _ in range(min(times, len(waiting)))] if waiting else []
        for wake in woken:
            wake()

    def listen(self, topic: Hashable, heard: int, wake: Callable[[], None]) -> bool:
        """Have `wake` called, on any thread, when the topic is told; False when it was told since `heard`."""
        with self._lock:
            if self._counters[hash(topic) % COUNTERS] != heard:
                return False
            self._waiting.setdefault(topic, deque()).append(wake)
            return True

    def forget(self, topic: Hashable, wake: Callable[[], None]) -> None:
        """Wait no more; harmless when `wake` was called."""
        with self._lock:
            waiting = self._waiting.get(topic)
            if waiting is None:
                return
            if wake in waiting:
                waiting.remove(wake)
            if not waiting:
                del self._waiting[topic]
