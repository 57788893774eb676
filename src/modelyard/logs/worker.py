"""Clearing up: events past the retention of their groups, and what deleted groups and streams left behind.

Nobody reaches any of it when the worker comes; it only takes up room. Several servers may do this at once.
"""

from collections.abc import Callable
from typing import Protocol

from modelyard.clock import Clock
from modelyard.logs import store, store_events
from modelyard.storage.interface import Storage, Transaction

SWEEP_SECONDS = 60.0
BATCH = 500
"""Rows that one commit removes: others' writes wait for no more."""


def sweep(storage: Storage, clock: Clock) -> None:
    """Remove all that has no use any more."""
    now = round(clock.now() * 1000)
    _repeat(storage, lambda tx: store_events.clear_remains(tx, BATCH))
    after = 0
    while True:
        with storage.read() as tx:
            groups = store.with_retention(tx, after, BATCH)
            full = [group for group in groups if store_events.has_expired(tx, group, now)]
        for group in full:
            _repeat(storage, lambda tx, group=group: store_events.expire(tx, group, now, BATCH))  # type: ignore[misc]
        if not groups:
            return
        after = groups[-1].id


def _repeat(storage: Storage, work: Callable[[Transaction], bool]) -> None:
    while storage.write(work):
        pass


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


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    return SWEEP_SECONDS, lambda: sweep(house.storage, house.clock)
