"""The words in which AWS tells what is wrong with a request."""

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_VALUE = 1024
MOST_REPORTED = 100


class Violations:
    """What was found wrong with one request."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self.members: set[str] = set()
        """The members of the request, as shown, in which something is wrong."""
        self.first = ""
        """Where the first thing is wrong."""
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, path: str, value: Any, constraint: str, *, sensitive: bool = False) -> None:
        """Note that the value at `path` breaks a constraint, `Member must …`; a secret is not repeated."""
        self.first = self.first or path
        self._count += 1
        self.members.add(path.partition(".")[0])
        if self._count <= MOST_REPORTED:
            quoted = "" if sensitive else f" {_quoted(value)}"
            self._sentences.append(f"Value{quoted} at '{path}' failed to satisfy constraint: {constraint}")

    def message(self) -> str:
        """All of it in one sentence."""
        plural = "" if self._count == 1 else "s"
        return f"{self._count} validation error{plural} detected: {'; '.join(self._sentences)}"


def _quoted(value: Any) -> str:
    if value is None:
        return "null"
    text = shown(value)
    return f"'{text}'" if len(text) <= LONGEST_VALUE else f"'{text[:LONGEST_VALUE]}...'"


def shown(value: Any) -> str:
    """A value as Java prints it, which is what AWS answers with."""
    if isinstance(value, str):
        return value
    pieces: list[str] = []
    _show(value, pieces, LONGEST_VALUE + 1)
    return "".join(pieces)


def _show(value: Any, pieces: list[str], room: int) -> int:
    """Append the text of a value until the room is used up; answers what is left of it."""
    if room <= 0:
        return room
    if isinstance(value, Mapping):
        return _show_all([(f"{name}=", item) for name, item in value.items()], "{}", pieces, room)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _show_all([("", item) for item in value], "[]", pieces, room)
    match value:
        case bool():
            text = "true" if value else "false"
        case bytes():
            text = f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
        case None:
            text = "null"
        case _:
            text = str(value)
    pieces.append(text[:room])
    return room - len(text)


def _show_all(items: list[tuple[str, Any]], brackets: str, pieces: list[str], room: int) -> int:
    pieces.append(brackets[0])
    for number, (label, item) in enumerate(items):
        if room <= 0:
            break
        separator = ", " if number else ""
        pieces.append(f"{separator}{label[:room]}")
        room = _show(item, pieces, room - len(separator) - len(label))
    pieces.append(brackets[1])
    return room - 2
