"""How the bytes of an object are encrypted: in segments, so that they stream, and any range can be read by itself.

    32 bytes   salt
    …          segments of 65,536 bytes, the last one shorter, each AES-256-GCM with its tag of 16 bytes

The key of a stretch of bytes is derived (HKDF-SHA256) from the object's data key, the salt and the number of the part that it is,
so no two stretches share one. The nonce of a segment is its number (11 bytes, big-endian) and a byte that is 1 for the last one:
a segment that was changed, moved, left out or added shows, and so does an end that was cut off.
"""

import os
from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = 1
KEY_BYTES = 32
SALT_BYTES = 32
TAG_BYTES = 16
SEGMENT = 64 * 1024
"""Bytes of a segment before it is encrypted."""
WHOLE = 0
"""The number of the part that an object is which came in one piece."""
_SEALED_SEGMENT = SEGMENT + TAG_BYTES

Read = Callable[[int, int], Iterator[bytes]]
"""Reads encrypted bytes: from where, and how many."""


class Tampered(Exception):
    """Encrypted bytes are not what was written."""


class Encryptor:
    """Encrypts bytes as they come."""

    def __init__(self, data_key: bytes, part: int) -> None:
        self._salt = os.urandom(SALT_BYTES)
        self._cipher = _cipher(data_key, self._salt, part)
        self._pending = b""
        """What came and is not encrypted yet: a segment at most."""
        self._number = 0
        self._begun = False

    def update(self, data: bytes) -> bytes:
        """What can be written so far. The last segment is kept back, since nobody knows yet that it is not the last one."""
        sealed = [self._header()]
        missing = SEGMENT - len(self._pending)
        if len(data) <= missing:
            self._pending += data
            return sealed[0]
        view = memoryview(data)
        sealed.append(self._seal(self._pending + bytes(view[:missing])))
        at = missing
        while len(data) - at > SEGMENT:
            sealed.append(self._seal(view[at : at + SEGMENT]))
            at += SEGMENT
        self._pending = bytes(view[at:])
        return b"".join(sealed)

    def finish(self) -> bytes:
        """The rest; there is always a last segment, be it empty."""
        return self._header() + self._cipher.encrypt(_nonce(self._number, last=True), self._pending, None)

    def _seal(self, segment: bytes | memoryview) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._number, last=False), segment, None)
        self._number += 1
        return sealed

    def _header(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._salt


def decrypt(data_key: bytes, part: int, size: int, read: Read, start: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `start`, of a stretch of `size` bytes before it was encrypted. Raises Tampered on the way.

    Reads at once what it needs first, so that bytes which are not there are missed before the first piece is asked for.
    """
    first = start // SEGMENT
    last = max(start + length - 1, start) // SEGMENT
    final = max(size - 1, 0) // SEGMENT
    begin = SALT_BYTES + first * _SEALED_SEGMENT
    end = min(SALT_BYTES + (last + 1) * _SEALED_SEGMENT, sealed_size(size))
    if first == 0:
        stream = _Exactly(read(0, end))
        salt = bytes(stream.take(SALT_BYTES))
    else:
        salt = bytes(_Exactly(read(0, SALT_BYTES)).take(SALT_BYTES))
        stream = _Exactly(read(begin, end - begin))
    cipher = _cipher(data_key, salt, part)

    def pieces() -> Iterator[bytes]:
        left, offset = end - begin, start - first * SEGMENT
        wanted = length
        for number in range(first, last + 1):
            sealed = stream.take(min(_SEALED_SEGMENT, left))
            left -= len(sealed)
            try:
                opened = cipher.decrypt(_nonce(number, last=number == final), sealed, None)
            except InvalidTag:
                raise Tampered(f"segment {number} of encrypted bytes was changed") from None
            piece = opened if not offset and len(opened) <= wanted else opened[offset : offset + wanted]
            wanted -= len(piece)
            offset = 0
            if piece:
                yield piece

    return pieces()


def sealed_size(size: int) -> int:
    """How many bytes so many bytes are once they are encrypted."""
    return SALT_BYTES + size + TAG_BYTES * (max(size - 1, 0) // SEGMENT + 1)


class _Exactly:
    """Pieces of any size, taken in those that are needed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def take(self, size: int) -> memoryview | bytes:
        """The next bytes. Raises Tampered when there are not so many."""
        if len(self._rest) >= size:
            taken = self._rest[:size]
            self._rest = self._rest[size:]
            return taken
        gathered, missing = [self._rest], size - len(self._rest)
        while missing:
            piece = next(self._pieces, b"")
            if not piece:
                raise Tampered("encrypted bytes end too early")
            gathered.append(memoryview(piece)[:missing])
            self._rest = memoryview(piece)[missing:]
            missing -= len(gathered[-1])
        return b"".join(gathered)


def _cipher(data_key: bytes, salt: bytes, part: int) -> AESGCM:
    info = b"modelyard object 1" + part.to_bytes(4, "big")
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(data_key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
