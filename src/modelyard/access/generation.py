"""Counting the changes of identities and policies, so that what was cached is known to be fresh.

Every change adds one to a row in the database, in its own transaction. A cache keeps the number it was filled under.
"""

import threading

from modelyard.storage.interface import Transaction


class LocalChanges:
    """The newest number that this process committed, which its own caches may never fall behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.newest = 0

    def note(self, generation: int) -> None:
        """A change is durable under this number."""
        with self._lock:
            self.newest = max(self.newest, generation)


local_changes = LocalChanges()


def bump(tx: Transaction) -> None:
    """Note in `tx` that identities or policies change with it."""
    row = tx.one("UPDATE iam_generation SET generation = generation + 1 WHERE id = 1 RETURNING generation")
    generation = _number(row)
    tx.after_commit(lambda: local_changes.note(generation))


def current(tx: Transaction) -> int:
    """The number that `tx` sees."""
    return _number(tx.one("SELECT generation FROM iam_generation WHERE id = 1"))


class GenerationReader:
    """Reads the number for every request on an embedded database; elsewhere at most every `interval` seconds.

    On a database across a network a remembered number spares a round trip for each request: changes by this process count at
    once, those of other processes after `interval`.
    """

    def __init__(self, interval: float = 0.2) -> None:
        self._interval = interval
        self._seen: tuple[int, float] | None = None

    def read(self, tx: Transaction, now: float) -> int:
        """The number as of now."""
        if tx.dialect == "sqlite":
            return current(tx)
        seen = self._seen
        if seen is not None and 0 <= now - seen[1] < self._interval and seen[0] >= local_changes.newest:
            return seen[0]
        number = current(tx)
        self._seen = (number, now)
        return number


def _number(row: tuple[object, ...] | None) -> int:
    if row is None or not isinstance(row[0], int):
        raise RuntimeError("the database has no row in iam_generation: it was not migrated")
    return row[0]
