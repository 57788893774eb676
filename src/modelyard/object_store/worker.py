"""Clearing up: bytes that no row refers to any more.

Runs in a thread of the server from time to time; several servers may do so at once.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Protocol

from modelyard.blobs.interface import Blob, BlobStore
from modelyard.clock import Clock
from modelyard.dispatch import kept_blobs
from modelyard.storage.interface import Storage

GRACE_SECONDS = 3600.0
"""How long bytes stay after nothing refers to them: whoever reads them may finish."""
BATCH = 200
"""Blobs that one commit deals with."""
SWEEP_SECONDS = 600.0
ORPHANS_EVERY = 144
"""Sweeps between two looks at everything that is kept: about a day."""


def sweep(storage: Storage, blobs: BlobStore, clock: Clock, *, grace: float = GRACE_SECONDS) -> int:
    """Remove the bytes that nothing has referred to for so many seconds; how many blobs that were."""
    removed = 0
    before = clock.now() - grace
    while condemned := storage.write(lambda tx: kept_blobs.condemn(tx, before, BATCH)):
        for digest in condemned:
            blobs.delete(digest)
        storage.write(lambda tx, gone=condemned: kept_blobs.forget(tx, gone))  # type: ignore[misc]
        removed += len(condemned)
    return removed


def adopt_orphans(storage: Storage, blobs: BlobStore, clock: Clock) -> int:
    """Note bytes that no row knows, so that a later sweep removes them; how many blobs that were.

    They are those of uploads that a crash cut off after their bytes were written. Those of an upload that is just
    about to write its row are noted too, and referred to a moment later.
    """
    adopted = 0
    for digests in _batches(blobs.digests()):
        with storage.read() as tx:
            unknown = [digest for digest in digests if not kept_blobs.is_known(tx, digest)]
        orphans = [Blob(digest, size) for digest in unknown if (size := blobs.size(digest)) is not None]
        if orphans:
            now = clock.now()
            storage.write(lambda tx, found=orphans, now=now: kept_blobs.adopt(tx, found, now))  # type: ignore[misc]
        adopted += len(orphans)
    return adopted


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def storage(self) -> Storage:
        """Where the rows are."""
        ...

    @property
    def blobs(self) -> BlobStore:
        """Where the bytes are."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    turns = count()

    def clear_up() -> None:
        if next(turns) % ORPHANS_EVERY == 0:
            adopt_orphans(house.storage, house.blobs, house.clock)
        sweep(house.storage, house.blobs, house.clock)

    return SWEEP_SECONDS, clear_up


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(digests)
    while batch := list(islice(iterator, BATCH)):
        yield batch
