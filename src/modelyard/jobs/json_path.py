"""The JSON paths of batch transform, with the operators that AWS documents: `$`, `.name`, `*`, `['a','b']`, `[0,4]`, `[1:3]`.

Several names give an object of just those members, several elements and slices a list. Rows of CSV are lists here, so that is
columns. Libraries of JSONPath give lists of values instead, so there is none for this.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_NAME = r"""'[^']*'|"[^"]*\""""
_STEP = re.compile(
    rf"""\.?\[\s*(?P<names>(?:{_NAME})(?:\s*,\s*(?:{_NAME}))*)\s*\]"""
    r"""|\.?\[\s*(?P<indices>-?\d{1,9}(?:\s*,\s*-?\d{1,9})*)\s*\]"""
    r"""|\.?\[\s*(?P<start>-?\d{1,9})?\s*:\s*(?P<end>-?\d{1,9})?\s*\]"""
    r"""|(?P<all>\.?\[\s*\*\s*\]|\.\*)"""
    r"""|\.(?P<name>[^.\[\]'"*\s,:$]+)"""
)
_QUOTED = re.compile(_NAME)


class PathError(ValueError):
    """What is not such a path; the text says what is wrong with it."""


class NothingThere(LookupError):
    """A path that leads nowhere in a document."""


@dataclass(frozen=True, slots=True)
class Names:
    """Members: one is its value, several are an object."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indices:
    """Elements: one is itself, several are a list."""

    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements from one to before another; all of them for neither."""

    start: int | None = None
    end: int | None = None


Step = Names | Indices | Slice


@lru_cache(maxsize=256)
def steps(path: str) -> Sequence[Step]:
    """The steps of a path. Raises PathError."""
    if not path.startswith("$"):
        raise PathError("it does not begin with $.")
    found: list[Step] = []
    place = 1
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise PathError(f"{path[place:]!r} is none of the documented operators.")
        found.append(_step(match))
        place = match.end()
    if any(isinstance(step, Names) and len(step.names) > 1 for step in found[:-1]):
        raise PathError("several names can only be its end.")
    return tuple(found)


def _step(match: "re.Match[str]") -> Step:
    if match["names"] is not None:
        return Names(tuple(quoted[1:-1] for quoted in _QUOTED.findall(match["names"])))
    if match["name"] is not None:
        return Names((match["name"],))
    if match["indices"] is not None:
        return Indices(tuple(int(index) for index in match["indices"].split(",")))
    start, end = match["start"], match["end"]
    return Slice(None if start is None else int(start), None if end is None else int(end))


def find(document: Any, path: str) -> Any:
    """What a path leads to. Raises NothingThere."""
    return _find(document, steps(path))


def _find(value: Any, remaining: Sequence[Step]) -> Any:
    for place, step in enumerate(remaining):
        if isinstance(step, Names):
            value = _members(value, step.names)
        elif isinstance(step, Indices) and len(step.indices) == 1:
            value = _element(value, step.indices[0])
        else:
            return [_find(each, remaining[place + 1 :]) for each in _elements(value, step)]
    return value


def _members(value: Any, names: Sequence[str]) -> Any:
    if not isinstance(value, dict):
        raise NothingThere(f"there are no members, so none called {names[0]!r}")
    if len(names) == 1:
        if names[0] not in value:
            raise NothingThere(f"there is no member {names[0]!r}")
        return value[names[0]]
    return {name: value[name] for name in names if name in value}


def _element(value: Any, index: int) -> Any:
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        raise NothingThere(f"there is no element {index}")
    return value[index]


def _elements(value: Any, step: Indices | Slice) -> list[Any]:
    if isinstance(step, Indices):
        return [_element(value, index) for index in step.indices]
    if isinstance(value, dict) and step == Slice():
        return list(value.values())
    if not isinstance(value, list):
        raise NothingThere("there are no elements")
    return value[step.start : step.end]
