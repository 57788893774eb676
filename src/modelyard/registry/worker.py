"""What the registry does by itself: hash large artifacts that a registration did not wait for, and validate packages.

Runs in a thread of the server from time to time; several servers may do so at once, and come to the same result.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from modelyard.blobs.interface import BlobStore
from modelyard.dispatch.artifacts import NotLookedUp, keeper
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.registry import governance_store, integrity
from modelyard.registry.hashing import hashed
from modelyard.registry.operations import validations
from modelyard.storage.interface import Storage, Transaction

SECONDS = 1.0
"""How often it looks for packages to be validated."""
HASHING_SECONDS = 30.0

log = logging.getLogger("modelyard.registry.worker")


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
    def dispatcher(self) -> Dispatcher:
        """Performs operations."""
        ...


def hash_registered(storage: Storage, blobs: BlobStore) -> int:
    """Hash what is registered and has no digest as a whole yet; how many versions that concerned."""
    done, package_id = 0, 0
    while True:
        with storage.read() as tx:
            following = governance_store.next_unhashed(tx, package_id)
            records = [] if following is None else governance_store.integrity(tx, following)
        if following is None:
            return done
        package_id = following
        pins = [found["Pin"] for record in records for found in record.get("Objects", ()) if "Sha256" not in found]
        digests = {pin: digest for pin in pins if (digest := _digest(storage, blobs, pin)) is not None}
        if digests:
            storage.write(partial(_fill_in, package_id=package_id, digests=digests))
            done += 1


def _digest(storage: Storage, blobs: BlobStore, pin: int) -> str | None:
    """The SHA-256 of pinned bytes; None when they cannot be read, which `modelyard verify` reports."""
    keeps = keeper()
    try:
        with storage.read() as tx:
            pieces = None if keeps is None else keeps.read_pinned(blobs, tx, pin)
        return None if pieces is None else hashed(pieces)
    except NotLookedUp:
        return None  # encrypted: only who may decrypt it can hash it
    except FileNotFoundError as error:
        log.warning("registered bytes cannot be hashed: %s", error)
        return None


def _fill_in(tx: Transaction, package_id: int, digests: Mapping[int, str]) -> None:
    """Write digests into the records of a version, which may have changed, or be gone, since they were read."""
    records = governance_store.integrity(tx, package_id)
    for record in records:
        for found in record.get("Objects", ()):
            if found["Pin"] in digests:
                found["Sha256"] = digests[found["Pin"]].removeprefix("sha256:")
    if records:
        governance_store.put_integrity(tx, package_id, records, unhashed=integrity.unhashed(records))


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    hashes_from = time.monotonic() + HASHING_SECONDS

    def look() -> None:
        nonlocal hashes_from
        validations.look(house.dispatcher)
        if time.monotonic() >= hashes_from:
            hash_registered(house.storage, house.blobs)
            hashes_from = time.monotonic() + HASHING_SECONDS

    return SECONDS, look
