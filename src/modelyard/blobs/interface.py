"""Bytes by their digest: what the parts see of the place where objects are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class BlobsUnavailable(Exception):
    """The place cannot take bytes now: its disk is full, or it is out of reach. Nothing was kept, and it may be tried again."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are kept."""

    digest: str
    """`sha256:` and 64 hexadecimal digits."""
    size: int


class BlobWriter(Protocol):
    """Bytes on their way in: nobody sees them before `commit`."""

    def write(self, data: bytes) -> None:
        """Add bytes. Raises BlobsUnavailable."""
        ...

    def digest(self) -> str:
        """The digest of the bytes so far."""
        ...

    def commit(self) -> Blob:
        """Make the bytes durable under their digest. Once it returns they survive a power cut. Raises BlobsUnavailable."""
        ...

    def discard(self) -> None:
        """Forget the bytes. Harmless after `commit`."""
        ...


class BlobStore(Protocol):
    """A place that keeps bytes by digest: a directory, or a bucket of any S3."""

    def writer(self) -> BlobWriter:
        """Start to take in bytes, hashed as they come. Raises BlobsUnavailable."""
        ...

    def read(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start`, in pieces. Raises FileNotFoundError at once (not at the first piece) when they are not here."""
        ...

    def size(self, digest: str) -> int | None:
        """The number of bytes, or None when they are not here."""
        ...

    def delete(self, digest: str) -> None:
        """Remove the bytes; harmless when they are not here. Whoever calls this knows that nothing refers to them."""
        ...

    def digests(self) -> Iterator[str]:
        """Every digest that is kept, for `verify` and for clearing up."""
        ...
