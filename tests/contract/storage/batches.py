"""Works that are sure to share one commit."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from modelyard.storage import Storage, Transaction


def submit_together(storage: Storage, works: Sequence[Callable[[Transaction], Any]]) -> list["Future[Any]"]:
    """Queue the works while the writer is held up, so that it takes all of them at once; returns when they are settled."""
    held, free = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        held.set()
        free.wait(10)

    holder = storage.submit(hold)
    assert held.wait(10)
    futures = [storage.submit(work) for work in works]
    free.set()
    holder.result(10)
    for future in futures:
        future.exception(10)
    return futures


def add(name: str) -> Callable[[Transaction], int]:
    """A work that adds a thing."""
    return lambda tx: tx.execute("INSERT INTO thing (name) VALUES (:name)", {"name": name})


def names(storage: Storage) -> list[str]:
    """The names of all things, in order."""
    with storage.read() as tx:
        return [name for (name,) in tx.all("SELECT name FROM thing ORDER BY name")]
