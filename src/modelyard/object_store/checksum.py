"""Checksums that clients send and ask for: of whole objects, and of objects that came in parts.

A checksum travels as the base64 of its bytes (whole numbers big-endian). COMPOSITE is the checksum of the parts' checksums,
with `-N`; FULL_OBJECT is that of all bytes, which for a CRC follows from the parts' CRCs and sizes.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from awscrt import checksums as crt

COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"
DEFAULT = "CRC64NVME"
"""What S3 keeps of an object whose uploader sent no checksum."""


class Running(Protocol):
    """A checksum of bytes that still come."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """The checksum of the bytes so far."""
        ...


class _Crc:
    def __init__(self, step: Callable[[bytes, int], int], width: int) -> None:
        self._step, self._width, self._value = step, width, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


class _XxHash:
    def __init__(self, state: crt.XXHash) -> None:
        self._state = state

    def update(self, data: bytes, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        result: bytes = self._state.finalize()
        return result


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One of S3's checksum algorithms."""

    name: str
    width: int
    """Bytes of a checksum."""
    start: Callable[[], Running]
    combine: Callable[[int, int, int], int] | None = None
    """For a CRC: that of two stretches of bytes from the CRC of each and the length of the second."""

    @property
    def member(self) -> str:
        """The member of requests and answers: `ChecksumCRC32`."""
        return f"Checksum{self.name}"

    @property
    def header(self) -> str:
        """The header, or trailer: `x-amz-checksum-crc32`."""
        return f"x-amz-checksum-{self.name.lower()}"

    def types(self) -> tuple[str, ...]:
        """The types that a multipart upload may have, the default first."""
        if self.name == "CRC64NVME":
            return (FULL_OBJECT,)
        return (COMPOSITE, FULL_OBJECT) if self.combine else (COMPOSITE,)

    def is_value(self, text: str) -> bool:
        """Whether this is a checksum of this algorithm."""
        try:
            return len(base64.b64decode(text, validate=True)) == self.width
        except (binascii.Error, ValueError):
            return False


def _md5() -> Running:
    return hashlib.md5(usedforsecurity=False)


ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("CRC32", 4, lambda: _Crc(crt.crc32, 4), crt.combine_crc32),
        Algorithm("CRC32C", 4, lambda: _Crc(crt.crc32c, 4), crt.combine_crc32c),
        Algorithm("CRC64NVME", 8, lambda: _Crc(crt.crc64nvme, 8), crt.combine_crc64nvme),
        Algorithm("SHA1", 20, lambda: hashlib.sha1(usedforsecurity=False)),
        Algorithm("SHA256", 32, hashlib.sha256),
        Algorithm("SHA512", 64, hashlib.sha512),
        Algorithm("MD5", 16, _md5),
        Algorithm("XXHASH64", 8, lambda: _XxHash(crt.XXHash.new_xxhash64())),
        Algorithm("XXHASH3", 8, lambda: _XxHash(crt.XXHash.new_xxhash3_64())),
        Algorithm("XXHASH128", 16, lambda: _XxHash(crt.XXHash.new_xxhash3_128())),
    )
}
BY_HEADER = {algorithm.header: algorithm for algorithm in ALGORITHMS.values()}


@dataclass(frozen=True, slots=True)
class Checksum:
    """The checksum of an object or of a part of one."""

    algorithm: str
    value: str
    """Base64; of a composite one with `-N`."""
    type: str = FULL_OBJECT

    def members(self, *, with_type: bool = True) -> dict[str, str]:
        """As answers carry it."""
        members = {f"Checksum{self.algorithm}": self.value}
        if with_type:
            members["ChecksumType"] = self.type
        return members


def encoded(running: Running) -> str:
    """The checksum so far, as it travels."""
    return base64.b64encode(running.digest()).decode()


def of_pieces(algorithm: str, pieces: Iterable[bytes]) -> str:
    """The checksum of bytes that are here."""
    running = ALGORITHMS[algorithm].start()
    for piece in pieces:
        running.update(piece)
    return encoded(running)


def of_parts(algorithm: str, checksum_type: str, parts: Sequence[tuple[str, int]]) -> Checksum:
    """The checksum of an object from its parts' checksums and sizes."""
    if checksum_type == COMPOSITE:
        value = of_pieces(algorithm, (base64.b64decode(value) for value, _ in parts))
        return Checksum(algorithm, f"{value}-{len(parts)}", COMPOSITE)
    known = ALGORITHMS[algorithm]
    if known.combine is None:
        raise ValueError(f"{algorithm} has no checksum of the whole object")
    total = 0
    for value, size in parts:
        total = known.combine(total, int.from_bytes(base64.b64decode(value), "big"), size)
    return Checksum(algorithm, base64.b64encode(total.to_bytes(known.width, "big")).decode(), FULL_OBJECT)
