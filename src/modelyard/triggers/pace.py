"""How fast an API destination is called: no more requests a second than it is said to take."""

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """Spaces calls of each destination evenly, across the threads of this process."""

    def __init__(self, wait: Callable[[float], object], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait
        self._monotonic = monotonic
        self._lock = Lock()
        self._next: dict[str, float] = {}

    def take(self, destination: str, rate: float) -> None:
        """Wait until the destination may be called; `rate` is in calls a second."""
        with self._lock:
            now = self._monotonic()
            mine = max(now, self._next.get(destination, now))
            self._next[destination] = mine + 1.0 / rate
            if len(self._next) > 1000:
                self._next = {name: moment for name, moment in self._next.items() if moment > now}
        if mine > now:
            self._wait(mine - now)
