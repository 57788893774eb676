"""What hosting does by itself: it makes what runs match the endpoints that there are."""

import time
from collections.abc import Callable
from typing import Protocol

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints import wakening
from modelyard.endpoints.queueing import Queueing
from modelyard.endpoints.serving import Serving

SECONDS = 0.5
"""How often it looks; changes wake it."""

wakes = wakening.listen
"""What has the worker woken, for the composition root."""


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def dispatcher(self) -> Dispatcher:
        """Performs operations."""
        ...


def turn(house: House) -> None:
    """Look at everything once. For tests and tools too."""
    Serving.of(house.dispatcher).turn()
    Queueing.of(house.dispatcher).turn()


def turn_until(house: House, done: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Turn until something is so, for tests and tools; False when it was not in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        turn(house)
        time.sleep(0.02)
    return True


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    def look() -> None:
        # Before that containers could not reach the server, and there would be nobody to relay requests.
        if house.dispatcher.reception is not None:
            turn(house)

    return SECONDS, look
