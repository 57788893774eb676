"""CBOR (RFC 8949), as far as RPC v2 CBOR uses it: no tags but those of timestamps, keys that are texts, at most 64 levels."""

import struct
from typing import Any

from modelyard.aws.protocols.json_reader import MAXIMUM_DEPTH
from modelyard.aws.protocols.scalars import SerializationException

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE = 31
_BREAK = 0xFF
_EPOCH = 1
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLES = {20: False, 21: True, 22: None, 23: None}


class Moment(float):
    """A number under the tag of timestamps: epoch seconds."""


def decode(content: bytes) -> Any:
    """The value of an encoded one. Raises SerializationException for what is none, or more than one."""
    reader = _Reader(content)
    value = reader.value(0)
    if reader.position != len(content):
        raise SerializationException("There is something behind the CBOR value of the request body")
    return value


class _Reader:
    """Reads from a position on."""

    __slots__ = ("_content", "position")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def value(self, depth: int) -> Any:
        """The next value."""
        if depth > MAXIMUM_DEPTH:
            raise SerializationException(f"The request body nests deeper than {MAXIMUM_DEPTH} levels")
        major, extra = divmod(self._take(1)[0], 32)
        if major in (_UNSIGNED, _NEGATIVE):
            number = self._number(extra)
            return number if major == _UNSIGNED else -1 - number
        if major in (_BYTES, _TEXT):
            return self._string(major, extra)
        if major == _SIMPLE:
            return self._simple(extra)
        read = self._array if major == _ARRAY else self._map if major == _MAP else self._tagged
        return read(extra, depth)

    def _take(self, count: int) -> bytes:
        taken = self._content[self.position : self.position + count]
        if len(taken) < count:
            raise SerializationException("The CBOR value of the request body ends too early")
        self.position += count
        return taken

    def _number(self, extra: int) -> int:
        if extra < 24:
            return extra
        if extra not in _WIDTHS:
            raise _malformed()
        return int.from_bytes(self._take(_WIDTHS[extra]), "big")

    def _ends(self) -> bool:
        """Whether a break is next, which is then passed."""
        if self._content[self.position : self.position + 1] == bytes([_BREAK]):
            self.position += 1
            return True
        return False

    def _string(self, major: int, extra: int) -> str | bytes:
        content = self._take(self._number(extra)) if extra != _INDEFINITE else self._pieces(major)
        if major == _BYTES:
            return content
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise SerializationException("The request body holds a text that is not UTF-8") from None
        if "\0" in text:
            raise SerializationException("The request body holds a NUL character")
        return text

    def _pieces(self, major: int) -> bytes:
        pieces = []
        while not self._ends():
            kind, extra = divmod(self._take(1)[0], 32)
            if kind != major or extra == _INDEFINITE:
                raise _malformed()
            pieces.append(self._take(self._number(extra)))
        return b"".join(pieces)

    def _array(self, extra: int, depth: int) -> list[Any]:
        items: list[Any] = []
        if extra == _INDEFINITE:
            while not self._ends():
                items.append(self.value(depth + 1))
            return items
        for _ in range(self._count(extra)):
            items.append(self.value(depth + 1))
        return items

    def _map(self, extra: int, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        left = None if extra == _INDEFINITE else self._count(extra)
        while (not self._ends()) if left is None else left > 0:
            key = self.value(depth + 1)
            if type(key) is not str:
                raise SerializationException("The request body has a key that is not a text")
            entries[key] = self.value(depth + 1)
            left = None if left is None else left - 1
        return entries

    def _count(self, extra: int) -> int:
        """How many items follow; each takes a byte at least, so a lie is found before anything is made of it."""
        count = self._number(extra)
        if count > len(self._content) - self.position:
            raise SerializationException("The CBOR value of the request body ends too early")
        return count

    def _tagged(self, extra: int, depth: int) -> Any:
        tag, value = self._number(extra), self.value(depth + 1)
        if tag != _EPOCH or type(value) not in (int, float):
            raise SerializationException(f"The request body has a tag that is not read here: {tag}")
        return Moment(value)

    def _simple(self, extra: int) -> Any:
        if extra in _FLOATS:
            return struct.unpack(_FLOATS[extra], self._take(_WIDTHS[extra]))[0]
        if extra in _SIMPLES:
            return _SIMPLES[extra]
        raise _malformed()


def _malformed() -> SerializationException:
    return SerializationException("The request body is not valid CBOR")


def encode(value: Any) -> bytes:
    """The encoded form of a value: None, bool, int, float, str, bytes, Moment, and lists and mappings of them."""
    pieces: list[bytes] = []
    _write(value, pieces)
    return b"".join(pieces)


def _write(value: Any, pieces: list[bytes]) -> None:
    match value:
        case None:
            pieces.append(b"\xf6")
        case bool():
            pieces.append(b"\xf5" if value else b"\xf4")
        case int():
            pieces.append(_head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value))
        case Moment():
            pieces.append(_head(_TAG, _EPOCH))
            pieces.append(_head(_UNSIGNED, int(value)) if value >= 0 and value.is_integer() else _float(value))
        case float():
            pieces.append(_float(value))
        case str():
            content = value.encode()
            pieces += (_head(_TEXT, len(content)), content)
        case bytes():
            pieces += (_head(_BYTES, len(value)), value)
        case dict():
            pieces.append(_head(_MAP, len(value)))
            for name, item in value.items():
                _write(name, pieces)
                _write(item, pieces)
        case _:
            pieces.append(_head(_ARRAY, len(value)))
            for item in value:
                _write(item, pieces)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major * 32 + number])
    for extra, width in _WIDTHS.items():
        if number < 256**width:
            return bytes([major * 32 + extra]) + number.to_bytes(width, "big")
    raise ValueError(f"{number} has more than 64 bits")


def _float(value: float) -> bytes:
    return struct.pack(">Bd", _SIMPLE * 32 + 27, value)
