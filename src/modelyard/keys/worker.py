"""Deleting keys whose waiting period is over."""

from collections.abc import Callable
from typing import Protocol

from modelyard.clock import Clock
from modelyard.dispatch.tags import forget_tags
from modelyard.keys import store
from modelyard.storage.interface import Storage, Transaction

SECONDS = 600.0
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


def delete_due(storage: Storage, clock: Clock) -> int:
    """Delete the keys that are due, with their material; how many they were."""

    def work(tx: Transaction) -> int:
        due = store.due_keys(tx, clock.now(), BATCH)
        for key in due:
            store.erase(tx, key)
            forget_tags(tx, key.arn)
        return len(due)

    deleted = 0
    while some := storage.write(work):
        deleted += some
    return deleted


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    def act() -> None:
        with house.storage.read() as tx:
            due = store.due_keys(tx, house.clock.now(), 1)
        if due:
            delete_due(house.storage, house.clock)

    return SECONDS, act
