"""Results to JSON, by shape: compiled once for a shape, then only called."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.scalars import blob_to_text, float_to_text, timestamp_writer

Convert = Callable[[Any], Any]


class JsonWriters:
    """Compiles shapes of one service into functions that write results."""

    def __init__(self, model: ServiceModel, scalar: Callable[[Shape], Convert] | None = None) -> None:
        self._model = model
        self._scalar = json_scalar if scalar is None else scalar
        self._structures: dict[str, Convert] = {}

    def writer(self, shape: Shape) -> Callable[[Mapping[str, Any]], bytes]:
        """The function that writes a result of this shape as a JSON text.

        Where every value already is what JSON wants, the result is written without looking at it; only when that
        shows a null (AWS leaves absent members out) is it gone through.
        """
        return _writer(self.converter(shape), plain=not self._needs_conversion(shape, set()))

    def structure_writer(self, members: Mapping[str, Shape]) -> Callable[[Mapping[str, Any]], bytes]:
        """The function that writes an object with these members (those of a result that travel in its body)."""
        return _writer(self.members_converter(members), plain=False)

    def members_converter(self, members: Mapping[str, Shape]) -> Convert:
        """The function from a mapping with these members to a JSON value."""
        return _structure_converter(
            {name: (member.location_name or name, self.converter(member)) for name, member in members.items()}
        )

    def _needs_conversion(self, shape: Shape, seen: set[str]) -> bool:
        if shape.is_document:
            return False
        match shape.type:
            case "structure":
                is_new = shape.name not in seen
                seen.add(shape.name)
                return is_new and any(
                    (member.location_name or name) != name or self._needs_conversion(member, seen)
                    for name, member in self._model.members(shape)
                )
            case "list":
                return self._needs_conversion(self._model.element(shape), seen)
            case "map":
                return self._needs_conversion(self._model.key_and_value(shape)[1], seen)
            case _:
                return self._scalar(shape) is not _as_it_is

    def converter(self, shape: Shape) -> Convert:
        """The function from values of this shape to JSON values."""
        if shape.is_document:
            return _as_it_is
        match shape.type:
            case "structure":
                return self._structures.get(shape.name) or self._structure(shape)
            case "list":
                element = self.converter(self._model.element(shape))
                return lambda items: [None if item is None else element(item) for item in items]
            case "map":
                return self._map(shape)
            case _:
                return self._scalar(shape)

    def _structure(self, shape: Shape) -> Convert:
        members: dict[str, tuple[str, Convert]] = {}
        convert = _structure_converter(members)
        self._structures[shape.name] = convert
        for name, member in self._model.members(shape):
            members[name] = (member.location_name or name, self.converter(member))
        return convert

    def _map(self, shape: Shape) -> Convert:
        convert_value = self.converter(self._model.key_and_value(shape)[1])
        if shape.traits.get("sparse"):
            return lambda value: {key: None if item is None else convert_value(item) for key, item in value.items()}
        return lambda value: {key: convert_value(item) for key, item in value.items() if item is not None}


def _writer(convert: Convert, *, plain: bool) -> Callable[[Mapping[str, Any]], bytes]:
    if not plain:
        return lambda result: orjson.dumps(convert(result))

    def write(result: Mapping[str, Any]) -> bytes:
        body = orjson.dumps(result)
        return orjson.dumps(convert(result)) if b":null" in body else body

    return write


def _structure_converter(members: Mapping[str, tuple[str, Convert]]) -> Convert:
    def convert(value: Mapping[str, Any]) -> dict[str, Any]:
        result = {}
        for name, item in value.items():
            if item is not None and name in members:
                wire_name, convert_member = members[name]
                result[wire_name] = convert_member(item)
        return result

    return convert


def _as_it_is(value: Any) -> Any:
    return value


def _write_float(value: float) -> Any:
    """JSON has no NaN and no infinities: AWS writes their names."""
    return value if math.isfinite(value) else float_to_text(value)


def json_scalar(shape: Shape) -> Convert:
    """How JSON has a scalar of this shape."""
    match shape.type:
        case "blob":
            return blob_to_text
        case "float" | "double":
            return _write_float
        case "timestamp" if shape.traits.get("timestampFormat", "unixTimestamp") != "unixTimestamp":
            return timestamp_writer(shape.traits["timestampFormat"])
        case _:
            return _as_it_is
