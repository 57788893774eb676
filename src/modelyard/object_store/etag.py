"""Entity tags: the MD5 of the bytes, or of the parts' MD5s with the number of parts."""

import hashlib
from collections.abc import Sequence


def of_parts(etags: Sequence[str]) -> str:
    """The tag of an object that came in parts, from the parts' tags (hexadecimal, without quotes)."""
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def quoted(etag: str) -> str:
    """As it goes into an answer."""
    return f'"{etag}"'


def unquoted(text: str) -> str:
    """As it is stored, from what a client sent: with quotes or without, weak or not."""
    return text.strip().removeprefix("W/").strip('"')


def matches(header: str, etag: str) -> bool:
    """Whether a list of tags, or `*`, names this one."""
    return any(item.strip() == "*" or unquoted(item) == etag for item in header.split(","))
