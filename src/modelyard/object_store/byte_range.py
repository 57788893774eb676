"""The Range header: which bytes of an object a caller wants."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


class NotSatisfiable(Exception):
    """The range lies outside the object."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `start`, of an object of `size` bytes."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        """The Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


def parse(header: str, size: int) -> ByteRange | None:
    """The range that a header asks for; None when the header is to be ignored (RFC 9110: not one range of bytes).

    Raises NotSatisfiable when no byte of the object is in the range.
    """
    match = _RANGE.fullmatch(header)
    if match is None or len(header) > 100 or (not match[1] and not match[2]):
        return None
    if not match[1]:
        wanted = min(int(match[2]), size)
        if wanted == 0:
            raise NotSatisfiable
        return ByteRange(size - wanted, wanted, size)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise NotSatisfiable
    return ByteRange(first, last - first + 1, size)
