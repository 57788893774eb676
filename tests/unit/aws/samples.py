"""Requests made up from a service model: the smallest ones that are valid, and ones with every member."""

from typing import Any

import regex

from modelyard.aws.java_pattern import Assertion, Atom, Group, Node, parse
from modelyard.aws.models import ServiceModel, Shape

_CANDIDATES = "a0A1-s.:/_ @+=,"
_KNOWN = {
    r"(?=.{1,32}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*": "a",
}


def from_pattern(pattern: str, least: int = 0, most: int | None = None) -> str:
    """A string that matches, as short as the pattern and `least` let it be. Raises ValueError where none is found."""
    tree = parse(pattern)
    for extra in (0, 1, 2, 3, 4, least, 8, 16, 24, 36, 64):
        text = _sample(tree, extra)
        if len(text) >= least and (most is None or len(text) <= most):
            return text
    raise ValueError(pattern)


def _sample(node: Node, extra: int) -> str:
    match node:
        case Assertion():
            return ""
        case Atom():
            return _character(node.source) * _times(node.least, node.most, extra)
        case Group():
            if node.opening[:3] in ("(?=", "(?!", "(?<"):
                return ""
            longest = max((sequence for sequence in node.alternatives[:2]), key=bool)
            return "".join(_sample(part, extra) for part in longest) * _times(node.least, node.most, extra)


def _times(least: int, most: int, extra: int) -> int:
    return min(most, max(least, extra))


def _character(source: str) -> str:
    for character in [*_CANDIDATES, *(chr(code) for code in range(33, 0x3000))]:
        if regex.fullmatch(source, character):
            return character
    raise ValueError(source)


class Samples:
    """Makes up values of the shapes of one service."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    def smallest(self, shape: Shape | None) -> dict[str, Any]:
        """A request with the required members only."""
        return {} if shape is None else self._structure(shape, everything=False, depth=0)

    def largest(self, shape: Shape | None) -> dict[str, Any]:
        """A request with every member, a few levels deep."""
        return {} if shape is None else self._structure(shape, everything=True, depth=0)

    def _structure(self, shape: Shape, *, everything: bool, depth: int) -> dict[str, Any]:
        members = dict(self._model.members(shape))
        names = list(members) if everything and depth < 4 else list(shape.traits.get("required", ()))
        if shape.traits.get("union") or (depth and not names):
            names = list(members)[:1]  # a structure of nothing would leave no trace in forms and XML
        return {name: self._value(members[name], everything=everything, depth=depth + 1) for name in names}

    def _value(self, shape: Shape, *, everything: bool, depth: int) -> Any:
        if shape.is_document:
            return {"any": ["thing", 1]}
        match shape.type:
            case "structure":
                return self._structure(shape, everything=everything, depth=depth)
            case "list":
                element = self._value(self._model.element(shape), everything=everything, depth=depth)
                return [element] * max(1, shape.traits.get("min", 0))
            case "map":
                key, value = self._model.key_and_value(shape)
                item = self._value(value, everything=everything, depth=depth)
                first = self._value(key, everything=everything, depth=depth)
                return {first + "x" * number: item for number in range(max(1, shape.traits.get("min", 0)))}
            case _:
                return scalar(shape)


def scalar(shape: Shape) -> Any:
    """A valid scalar."""
    traits = shape.traits
    if shape.name == "Expires":
        return "Tue, 14 Nov 2023 22:13:20 GMT"  # a text in the model, a time for botocore
    match shape.type:
        case "integer" | "long":
            return max(1, traits.get("min", 1)) if traits.get("max", 1) >= 1 else traits["max"]
        case "float" | "double":
            return float(max(0.5, traits.get("min", 0.5)))
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return b"bytes"
        case _:
            return text(traits)


def text(traits: Any) -> str:
    """A valid string."""
    if traits.get("enum"):
        return traits["enum"][0]
    if "pattern" in traits:
        if traits["pattern"] in _KNOWN:
            return _KNOWN[traits["pattern"]]
        return from_pattern(traits["pattern"], traits.get("min", 1), traits.get("max"))
    return "x" * max(1, traits.get("min", 1))
