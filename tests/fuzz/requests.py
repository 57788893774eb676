"""Requests made up from the service models that botocore ships: valid ones, broken ones, hostile ones.

Everything here is about parameters, as botocore's clients take them; `wire` puts them on the wire.
"""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape
from hypothesis import strategies as st
from tests.fuzz.hostile import HOSTILE

from modelyard.aws.models import own_models
from modelyard.aws.patterns import matcher

DEEPEST = 5
"""Below so many levels only what is required is made up: expressions of Search may hold themselves."""
MOST_OPTIONAL = 5
LONGEST = 100_000
"""Strings that are longer than this, to break a limit, are not worth their time."""
LEFT_OUT = frozenset({"ContentLength"})
"""Members that say how a request is sent, which is not theirs to say."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SESSION = botocore.session.get_session()
_SESSION.get_component("data_loader").search_paths.append(str(own_models()))


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """An operation as botocore knows it."""
    return _SESSION.get_service_model(service).operation_model(operation)


@cache
def protocol_of(service: str) -> str:
    """The protocol that botocore speaks to a service."""
    return _SESSION.get_service_model(service).resolved_protocol


@cache
def host_of(service: str) -> str:
    """The name that AWS gives to a service's host."""
    return f"{_SESSION.get_service_model(service).endpoint_prefix}.us-east-1.amazonaws.com"


class Requests:
    """Strategies for the requests of one operation, with the names of what exists mixed in."""

    def __init__(self, service: str, operation: str, known: dict[str, list[Any]]) -> None:
        self.shape = operation_model(service, operation).input_shape
        self._known = known
        self._in_headers = service == "s3"

    def valid(self) -> st.SearchStrategy[dict[str, Any]]:
        """Requests that break no constraint."""
        if self.shape is None:
            return st.just({})
        return self._structure(self.shape, 0)

    @st.composite
    @staticmethod
    def broken(draw: st.DrawFn, requests: "Requests") -> "tuple[dict[str, Any], Damage]":
        """A request with one constraint broken, and which."""
        request = draw(requests.valid())
        damages = list(_damages(requests.shape, request, ()))
        damage = draw(st.sampled_from(damages)) if damages else Damage("nothing", (), lambda value: value)
        return damage.done_to(request), damage

    @st.composite
    @staticmethod
    def hostile(draw: st.DrawFn, requests: "Requests") -> dict[str, Any]:
        """A request with hostile strings in some places, or in all."""
        request = copy.deepcopy(draw(requests.valid()))
        places = [place for place in _strings(requests.shape, request, ()) if place]
        chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True)) if places else []
        for place in draw(st.sampled_from([chosen, chosen, places])):
            _put(request, place, draw(HOSTILE))
        return request

    @st.composite
    @staticmethod
    def _members(draw: st.DrawFn, requests: "Requests", shape: Shape, depth: int) -> dict[str, Any]:
        names = list(shape.required_members)
        optional = sorted(set(shape.members) - set(names) - LEFT_OUT)
        if getattr(shape, "is_tagged_union", False):
            names = [draw(st.sampled_from(optional))]
        elif optional and depth < DEEPEST:
            most = MOST_OPTIONAL if depth == 0 else 2
            names += draw(st.lists(st.sampled_from(optional), max_size=most, unique=True))
        elif optional and not names and depth:
            names = [optional[0]]
        return {name: draw(requests._value(shape.members[name], depth + 1, name)) for name in names}

    def _structure(self, shape: Shape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
        return self._members(self, shape, depth)

    def _value(self, shape: Shape, depth: int, name: str = "") -> st.SearchStrategy[Any]:
        made_up = self._made_up(shape, depth)
        known = [value for value in self._known.get(name, ()) if _admits(shape, value)]
        return st.one_of(st.sampled_from(known), st.sampled_from(known), made_up) if known else made_up

    def _made_up(self, shape: Shape, depth: int) -> st.SearchStrategy[Any]:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        match shape.type_name:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                few = max(least or 0, min(most or 2, 2 if depth < DEEPEST else 0))
                return st.lists(self._value(shape.member, depth + 1), min_size=least or 0, max_size=few)
            case "map":
                few = max(least or 0, min(most or 2, 2))
                keys = self._value(shape.key, depth + 1)
                return st.dictionaries(keys, self._value(shape.value, depth + 1), min_size=least or 0, max_size=few)
            case "integer" | "long":
                return st.integers(least if least is not None else -(2**31), most if most is not None else 2**31 - 1)
            case "float" | "double":
                return st.floats(least, most, allow_nan=False, allow_infinity=False, width=32)
            case "boolean":
                return st.booleans()
            case "timestamp":
                return st.integers(0, 4_000_000_000)
            case "blob":
                return st.binary(min_size=least or 0, max_size=min(most or 64, 64))
        return self._string(shape)

    def _string(self, shape: Shape) -> st.SearchStrategy[str]:
        made_up = strings(shape)
        # A header cannot carry a line end, and loses the space around it.
        return made_up.filter(lambda text: not CONTROL.search(text) and text == text.strip()) if self._in_headers else made_up


def _admits(shape: Shape, value: Any) -> bool:
    """Whether a scalar shape admits a value that is known to be of its type, or of another shape of that name."""
    if shape.type_name in ("integer", "long"):
        return isinstance(value, int)
    if shape.type_name == "blob":
        return isinstance(value, bytes) and len(value) >= shape.metadata.get("min", 0)
    if shape.type_name != "string" or not isinstance(value, str):
        return False
    pattern, enum = shape.metadata.get("pattern"), getattr(shape, "enum", None)
    matches = matcher(pattern) if pattern else None
    fits = shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value))
    return fits and (not enum or value in enum) and (matches is None or bool(matches(value)))


@cache
def strings(shape: Shape) -> st.SearchStrategy[str]:
    """Strings that the shape admits."""
    if getattr(shape, "enum", None):
        return st.sampled_from(shape.enum)
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    pattern = shape.metadata.get("pattern")
    if pattern is None:
        return st.text(_LETTERS, min_size=least, max_size=max(least, min(most or 30, 30)))
    matches = matcher(pattern)
    candidates = _of_pattern(pattern)
    return candidates.map(lambda text: text[:most] if most is not None else text).filter(
        lambda text: len(text) >= least and (matches is None or bool(matches(text)))
    )


_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn"))
_PROPERTIES = re.compile(r"\^?\(?\[((?:\\p\{[A-Z]\})+)((?:[^\]\\]|\\.)*)\][*+]?\)?")


def _of_pattern(pattern: str) -> st.SearchStrategy[str]:
    """Strings that match, nearly always."""
    properties = _PROPERTIES.match(pattern)
    if properties:  # Python's `re` does not know \p{L}: all such patterns are a class of characters, repeated
        categories = tuple(re.findall(r"\{([A-Z])\}", properties[1]))
        extra = properties[2].replace("\\", "")
        alphabet = st.characters(categories=categories, include_characters=extra, max_codepoint=0x2FFF)
        return st.text(alphabet, min_size=1, max_size=24)
    if r"\p{ASCII}" in pattern or r"\p{Print}" in pattern:  # as much as these patterns admit anyway
        return st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=24)
    if r"\uD800\uDC00-\uDBFF\uDFFF" in pattern:  # Java's pairs of surrogates, which `re` does not know: all that is printed
        return st.text(
            st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
        )
    if pattern in (r"[\S\s]*", r"[\S\s]+"):
        return st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
    alphabet = st.characters(codec="utf-8", exclude_characters="\0\n\r\x85\u2028\u2029")
    return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True, alphabet=alphabet)


# Damage

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Damage:
    """One broken constraint."""

    kind: str
    path: Path
    change: Callable[[Any], Any]

    def done_to(self, request: dict[str, Any]) -> dict[str, Any]:
        """A copy of the request with the damage."""
        damaged = copy.deepcopy(request)
        if self.kind == "missing":
            holder = _get(damaged, self.path[:-1])
            del holder[self.path[-1]]
        elif self.path:
            _put(damaged, self.path, self.change(_get(damaged, self.path)))
        return damaged

    @property
    def wire_path(self) -> str:
        """As AWS names the first member on the way."""
        first = str(self.path[0])
        return first[:1].lower() + first[1:]

    def __repr__(self) -> str:
        return f"{self.kind} at {'.'.join(map(str, self.path))}"


WRONG_TYPES: dict[str, list[Any]] = {
    "string": [12, True, ["x"], {"a": "b"}],
    "integer": ["twelve", "", [1], {"a": 1}, True],
    "long": ["twelve", [1]],
    "float": ["twelve", [1.5], False],
    "double": ["twelve", [1.5], False],
    "boolean": ["yes", 1, []],
    "timestamp": [{}, [], "yesterday evening"],
    "blob": [12, [], {}],
    "list": [3, True],
    "map": [[], "x", 3],
    "structure": [[], "x", 3, False],
}
"""Values that JSON cannot read as the type. botocore makes a list of a text or a mapping by itself, and a time of `True`."""


def _damages(shape: Shape | None, value: Any, path: Path) -> Iterator[Damage]:
    """Every way to break one constraint of a valid value."""
    if shape is None:
        return
    if path:
        yield from _own_damages(shape, value, path)
    if shape.type_name == "structure":
        for name in value:
            if name in shape.required_members:
                yield Damage("missing", (*path, name), lambda _: None)
            yield from _damages(shape.members[name], value[name], (*path, name))
    elif shape.type_name == "list":
        for position, item in enumerate(value):
            yield from _damages(shape.member, item, (*path, position))
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _damages(shape.value, item, (*path, name))


def _own_damages(shape: Shape, value: Any, path: Path) -> Iterator[Damage]:
    for wrong in WRONG_TYPES[shape.type_name]:
        yield Damage("type", path, lambda _, wrong=wrong: wrong)
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    match shape.type_name:
        case "string":
            yield from _string_damages(shape, path, least, most)
        case "integer" | "long" | "float" | "double":
            if least is not None:
                yield Damage("range", path, lambda _: least - 1)
            if most is not None and most < 2**31 - 1:
                yield Damage("range", path, lambda _: most + 1)
        case "list" if value:
            if least:
                yield Damage("size", path, lambda items: items[: least - 1])
            if most is not None and most <= 200:
                yield Damage("size", path, lambda items: (items * (most + 1))[: most + 1])
        case "map" if value and most is not None and most <= 200:
            yield Damage("size", path, lambda items: {**items, **{f"k{n}": next(iter(items.values())) for n in range(most + 1)}})


def _string_damages(shape: Shape, path: Path, least: int | None, most: int | None) -> Iterator[Damage]:
    if getattr(shape, "enum", None):
        yield Damage("enum", path, lambda _: "Perhaps")
        yield Damage("spaced enum", path, lambda _: f"{shape.enum[0]} ")
        yield Damage("enum", path, lambda _: shape.enum[0].swapcase())
    if most is not None and most < LONGEST:
        yield Damage("length", path, lambda text: ((text or "x") * (most + 1))[: most + 1])
    if least:
        yield Damage("length", path, lambda text: text[: least - 1])
    pattern = shape.metadata.get("pattern")
    matches = matcher(pattern) if pattern else None
    if matches is not None:
        for wrong in ("{", "\u0001", "\ufffe\u2028", " x\t", "a\nb", "--", "é"):
            if not matches(wrong) and not (least and len(wrong) < least):
                yield Damage("pattern", path, lambda _, wrong=wrong: wrong)


def _strings(shape: Shape | None, value: Any, path: Path) -> Iterator[Path]:
    """Where strings are."""
    if shape is None:
        return
    match shape.type_name:
        case "structure":
            for name in value:
                yield from _strings(shape.members[name], value[name], (*path, name))
        case "list":
            for position, item in enumerate(value):
                yield from _strings(shape.member, item, (*path, position))
        case "map":
            for name, item in value.items():
                yield from _strings(shape.value, item, (*path, name))
        case "string":
            yield path


def _get(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _put(value: Any, path: Path, item: Any) -> None:
    _get(value, path[:-1])[path[-1]] = item
