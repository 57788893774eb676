"""Clearing up: messages past their retention, those of queues that were emptied or deleted, and old deduplication ids.

Nothing of it can be received any more when the worker comes; it only takes up room. Several servers may do this at once.
"""

from collections.abc import Callable
from typing import Protocol

from modelyard.clock import Clock
from modelyard.queues import store, store_messages
from modelyard.queues.operations.sending import DEDUPLICATION_SECONDS
from modelyard.storage.interface import Storage, Transaction

SWEEP_SECONDS = 30.0
BATCH = 500
"""Rows that one commit removes: others' writes wait for no more."""


def sweep(storage: Storage, clock: Clock) -> None:
    """Remove all that has no use any more."""
    now = clock.now()
    _repeat(storage, lambda tx: store.clear_abandoned(tx, BATCH))
    _repeat(storage, lambda tx: store_messages.forget_twins(tx, now - DEDUPLICATION_SECONDS, BATCH))
    after = 0
    while True:
        with storage.read() as tx:
            queues = store.all_queues(tx, after, BATCH)
            full = [queue for queue in queues if store_messages.has_expired(tx, queue, now)]
        for queue in full:
            _repeat(storage, lambda tx, queue=queue: store_messages.expire(tx, queue, now, BATCH))  # type: ignore[misc]
        if not queues:
            return
        after = queues[-1].id


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
