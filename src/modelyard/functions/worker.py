"""What functions do by themselves: asynchronous invocations, and reading queues."""

import time
from collections.abc import Callable
from typing import Protocol

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions import store_events, store_mappings, wakening
from modelyard.functions.asynchronous import Asynchronous
from modelyard.functions.polling import Polling

SECONDS = 1.0
"""How often it looks for attempts that are due; new invocations wake it."""

wakes = wakening.listen
"""What has the worker woken, for the composition root."""


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def dispatcher(self) -> Dispatcher:
        """Performs operations."""
        ...


def turn(house: House) -> None:
    """Begin what is due. The engines are made when there is something for them."""
    dispatcher = house.dispatcher
    with dispatcher.storage.read() as tx:
        due = store_events.any_due(tx, dispatcher.clock.now())
        reads = bool(store_mappings.enabled(tx))
    if due or dispatcher.engines.has(Asynchronous):
        Asynchronous.of(dispatcher).turn()
    if reads:
        Polling.of(dispatcher).turn()


def run_due(house: House, seconds: float = 60.0) -> None:
    """Run every asynchronous invocation that is due now, and wait for them, for tests and tools."""
    engine = Asynchronous.of(house.dispatcher)
    deadline = time.monotonic() + seconds
    while (engine.turn() or engine.running) and time.monotonic() < deadline:
        time.sleep(0.01)


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    def look() -> None:
        # Before that functions could not reach the server.
        if house.dispatcher.reception is not None:
            turn(house)

    return SECONDS, look
