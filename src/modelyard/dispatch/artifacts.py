"""Bytes that a part relies on and another part keeps: looked up as the caller, and pinned so that they cannot change or vanish.

The part that keeps objects says once how (`keeps_artifacts`), as parts say how their resources are found; whoever relies on
bytes asks `keeper()`, and nobody imports another part for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelyard.access.evaluation import Decision
from modelyard.access.permission import Permission
from modelyard.blobs.interface import BlobStore
from modelyard.dispatch.context import Context
from modelyard.storage.interface import Transaction


class NotLookedUp(Exception):
    """What an address names cannot be looked up by this caller; the text says why, for the client."""


class NotKeptHere(NotLookedUp):
    """The address is of a bucket that this server does not have."""


class Denied(NotLookedUp):
    """The caller is not granted what reading takes."""

    def __init__(self, text: str, permission: Permission, decision: Decision) -> None:
        super().__init__(text)
        self.permission = permission
        self.decision = decision


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A version of an object as it was when it was looked up."""

    bucket: str
    key: str
    version_id: str | None
    """None where the bucket keeps no versions."""
    size: int
    etag: str
    """Without quotes."""
    digest: str | None
    """The SHA-256 of its bytes, as `sha256:` and 64 hexadecimal digits, where it is known without reading them: not of
    bytes that are kept encrypted."""
    origin: object
    """What the keeper itself knows it by."""


class Keeper(Protocol):
    """What keeps objects."""

    def find(self, context: Context, tx: Transaction, bucket: str, key: str) -> FoundObject:
        """The newest version of an object, if the caller may read it. Raises NotLookedUp."""
        ...

    def find_below(self, context: Context, tx: Transaction, bucket: str, prefix: str, most: int) -> Sequence[FoundObject]:
        """The objects below a prefix, at most `most`, if the caller may list and read them. Raises NotLookedUp."""
        ...

    def read_found(self, context: Context, found: FoundObject) -> Iterator[bytes]:
        """The bytes of what was found. Raises NotLookedUp when they are gone by now."""
        ...

    def pin(self, tx: Transaction, holder: str, found: FoundObject) -> int:
        """Keep the bytes of what was found for `holder` from now on; the number of the pin. Raises NotLookedUp when they are
        gone by now."""
        ...

    def unpin(self, tx: Transaction, holder: str, now: float, *, but: frozenset[int] = frozenset()) -> None:
        """Let go of everything that `holder` keeps, but for those pins."""
        ...

    def hold(self, tx: Transaction, holder: str, pin: int) -> int:
        """Keep for another holder what a pin keeps; the number of the new pin. Raises NotLookedUp when there is no such pin."""
        ...

    def check_pinned(self, context: Context, tx: Transaction, pin: int) -> None:
        """Make sure that the caller may read what a pin keeps: by the policy of its bucket, as long as there is that bucket,
        and by that of its key. Raises NotLookedUp, and Denied for who may not."""
        ...

    def read_pinned(self, blobs: BlobStore, tx: Transaction, pin: int, caller: Context | None = None) -> Iterator[bytes]:
        """The bytes of a pin. Raises FileNotFoundError when there is no such pin, or its bytes were damaged or taken away.

        Bytes that are kept encrypted are decrypted as the caller. Raises NotLookedUp without one, and for one who may not.
        """
        ...


_keepers: list[Keeper] = []


def keeps_artifacts(keeper: Keeper) -> None:
    """Declare what keeps objects."""
    _keepers[:] = [keeper]


def keeper() -> Keeper | None:
    """What keeps objects in this server, if anything does."""
    return _keepers[0] if _keepers else None
