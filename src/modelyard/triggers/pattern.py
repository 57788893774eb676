"""Event patterns: which events a rule is for.

A pattern is a JSON object like the event, whose leaves are lists of values; an event matches when every field of the pattern
has one of its values. Of a list in the event any element will do, but several fields of objects in a list have to be found in
one and the same object. Fields that the pattern does not name do not matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from modelyard.triggers.pattern_values import OPERATORS, PatternError, Test, value_test

MOST_COMBINATIONS = 1000
"""EventBridge refuses patterns whose `$or`s, multiplied out, make more."""

DEEPEST = 50

Objects = Sequence[Mapping[str, Any]]
"""Objects that a path leads to: more than one where it passes a list."""


class Pattern:
    """A compiled pattern. Immutable, and safe to use from several threads."""

    def __init__(self, text: str) -> None:
        """Compile the JSON of a pattern. Raises PatternError with the reason."""
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise PatternError(f"It is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise PatternError("Filter is not an object")
        self._root, combinations = _object(document, 1)
        if combinations > MOST_COMBINATIONS:
            raise PatternError(f"There must be at most {MOST_COMBINATIONS} combinations of $or, here are {combinations}")

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, as its JSON says it, matches."""
        return self._root.matches(event, (event,))


@lru_cache(maxsize=4096)
def compiled(text: str) -> Pattern:
    """The pattern of a text. Raises PatternError."""
    return Pattern(text)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A list of values."""

    name: str
    tests: tuple[Test, ...]
    present: bool
    """Whether any value will do."""
    absent: bool
    """Whether it is right that there is none."""

    def matches(self, here: Mapping[str, Any], everywhere: Objects) -> bool:
        """Whether one of the values is among those of the field in `here`; absence is that from all objects of the path."""
        for value in _leaves(here.get(self.name, _NOTHING)):
            if self.present or any(test(value) for test in self.tests):
                return True
        return self.absent and not any(True for other in everywhere for _ in _leaves(other.get(self.name, _NOTHING)))


@dataclass(frozen=True, slots=True)
class _Nested:
    """An object inside."""

    name: str
    inner: "_Object"

    def matches(self, here: Mapping[str, Any], everywhere: Objects) -> bool:
        inside = [found for other in everywhere for found in _objects(other.get(self.name, _NOTHING))]
        found = list(_objects(here.get(self.name, _NOTHING))) or [{}]
        return any(self.inner.matches(each, inside) for each in found)


@dataclass(frozen=True, slots=True)
class _Object:
    """Fields that all have to match, and alternatives one of which has to."""

    fields: "tuple[_Leaf | _Nested, ...]"
    alternatives: "tuple[_Object, ...]"

    def matches(self, here: Mapping[str, Any], everywhere: Objects) -> bool:
        if not all(field.matches(here, everywhere) for field in self.fields):
            return False
        return not self.alternatives or any(each.matches(here, everywhere) for each in self.alternatives)


_NOTHING: tuple[()] = ()


def _leaves(value: Any) -> Iterator[Any]:
    """The texts, numbers, booleans and nulls that a field has, itself or in its lists."""
    return (each for each in _elements(value) if not isinstance(each, dict))


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in _elements(value) if isinstance(each, dict))


def _elements(value: Any) -> Iterator[Any]:
    """A value, or what is in its lists, however deep."""
    if not isinstance(value, list):
        return iter(() if value is _NOTHING else (value,))
    waiting: list[list[Any]] = [value]
    found: list[Any] = []
    while waiting:
        for each in waiting.pop():
            (waiting if isinstance(each, list) else found).append(each)
    return iter(found)


def _object(document: Mapping[str, Any], depth: int) -> tuple[_Object, int]:
    """An object of a pattern, and how many combinations its alternatives make."""
    if not document:
        raise PatternError("Empty objects are not allowed")
    if depth > DEEPEST:
        raise PatternError(f"It is nested deeper than {DEEPEST} levels")
    fields: list[_Leaf | _Nested] = []
    alternatives: tuple[_Object, ...] = ()
    combinations = 1
    for name, value in document.items():
        if name == "$or" and _is_alternatives(value):
            compiled_ones = [_object(each, depth + 1) for each in value]
            alternatives = tuple(each for each, _ in compiled_ones)
            combinations *= sum(count for _, count in compiled_ones)
        elif isinstance(value, dict):
            inner, count = _object(value, depth + 1)
            combinations *= count
            fields.append(_Nested(name, inner))
        elif isinstance(value, list):
            fields.append(_leaf(name, value))
        else:
            raise PatternError(f'"{name}" must be an object or an array')
    return _Object(tuple(fields), alternatives), combinations


def _is_alternatives(value: Any) -> bool:
    """Whether `$or` means alternatives: at least two objects, none of which is an operator. Else it is a field's name."""
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(each, dict) and each and OPERATORS.isdisjoint(each) for each in value)
    )


def _leaf(name: str, values: Sequence[Any]) -> _Leaf:
    if not values:
        raise PatternError("Empty arrays are not allowed")
    tests: list[Test] = []
    present = absent = False
    for value in values:
        if isinstance(value, dict) and "exists" in value:
            if len(value) > 1:
                raise PatternError("Only one key allowed in match expression")
            if not isinstance(value["exists"], bool):
                raise PatternError("exists match pattern must be either true or false.")
            present, absent = present or value["exists"], absent or not value["exists"]
        else:
            tests.append(value_test(value))
    return _Leaf(name, tuple(tests), present, absent)
