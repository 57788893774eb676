"""Digests of bytes that come in pieces."""

from collections.abc import Iterable
from hashlib import sha256


def hashed(pieces: Iterable[bytes]) -> str:
    """The SHA-256 of bytes, as `sha256:` and 64 hexadecimal digits."""
    seen = sha256()
    for piece in pieces:
        seen.update(piece)
    return f"sha256:{seen.hexdigest()}"
