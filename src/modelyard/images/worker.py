"""Clearing up uploads of layers that nobody goes on with."""

from collections.abc import Callable
from typing import Protocol

from modelyard.clock import Clock
from modelyard.images import store_layers
from modelyard.storage.interface import Storage, Transaction

SECONDS = 3600.0
ABANDONED_SECONDS = 24 * 3600.0
"""How long an upload may rest before its parts go."""
BATCH = 100


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def storage(self) -> Storage:
        """Where the rows are."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


def end_abandoned(storage: Storage, clock: Clock) -> int:
    """End the uploads that rest for too long; how many they were."""

    def work(tx: Transaction) -> int:
        found = store_layers.abandoned(tx, clock.now() - ABANDONED_SECONDS, BATCH)
        for upload_id in found:
            store_layers.remove_upload(tx, upload_id, clock.now())
        return len(found)

    ended = 0
    while some := storage.write(work):
        ended += some
    return ended


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    def act() -> None:
        with house.storage.read() as tx:
            found = store_layers.abandoned(tx, house.clock.now() - ABANDONED_SECONDS, 1)
        if found:
            end_abandoned(house.storage, house.clock)

    return SECONDS, act
