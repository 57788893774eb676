"""What jobs do by themselves: run."""

import time
from collections.abc import Callable
from typing import Protocol

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.jobs import store, wakening
from modelyard.jobs.transforms import Transforms

SECONDS = 1.0
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
    """Look at everything once, for tests and tools too. The engine is made when there is something for it."""
    dispatcher = house.dispatcher
    with dispatcher.storage.read() as tx:
        any_to_run = store.any_under_way(tx)
    if any_to_run or dispatcher.engines.has(Transforms):
        Transforms.of(dispatcher).turn()


def turn_until(house: House, done: Callable[[], bool], seconds: float = 60.0) -> bool:
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
        # Before that containers could not reach the server.
        if house.dispatcher.reception is not None:
            turn(house)

    return SECONDS, look
