"""JSON values to what operations see, by shape: compiled once for a shape, then only called."""

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import orjson

from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.scalars import (
    INTEGER_LIMITS,
    SerializationException,
    blob_from_text,
    float_from_text,
    timestamp_from_number,
    timestamp_from_text,
)

Convert = Callable[[Any], Any]

MAXIMUM_DEPTH = 64


def parse_json(body: bytes) -> Any:
    """The value of a JSON text. Raises SerializationException for what is none, nests too deep or holds a NUL."""
    try:
        value = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise SerializationException("The request body is not valid JSON") from None
    suspicious = body.count(b"{") + body.count(b"[") > MAXIMUM_DEPTH or b"\\u0000" in body
    if suspicious and isinstance(value, dict | list):
        _check_value(value)
    return value


def _check_value(value: dict[str, Any] | list[Any]) -> None:
    """Refuse deep nesting (every level costs stack) and NUL characters (databases cannot keep them in text)."""
    level: list[Any] = [value]
    depth = 1
    while level:
        deeper: list[Any] = []
        for container in level:
            for item in chain(container, container.values()) if isinstance(container, dict) else container:
                if isinstance(item, dict | list):
                    deeper.append(item)
                elif isinstance(item, str) and "\0" in item:
                    raise SerializationException("The request body holds a NUL character")
        if deeper and depth >= MAXIMUM_DEPTH:
            raise SerializationException(f"The request body nests deeper than {MAXIMUM_DEPTH} levels")
        level, depth = deeper, depth + 1


class JsonReaders:
    """Compiles shapes of one service into functions from JSON values to what operations see."""

    def __init__(self, model: ServiceModel, scalars: Mapping[str, Convert] | None = None) -> None:
        self._model = model
        self._scalars = SCALARS if scalars is None else scalars
        self._structures: dict[str, Convert] = {}

    def reader(self, shape: Shape) -> Convert:
        """The function that reads a value of this shape. It raises SerializationException in AWS's words."""
        if shape.is_document:
            return _as_it_is
        match shape.type:
            case "structure":
                return self._structures.get(shape.name) or self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case _:
                return self._scalars[shape.type]

    def structure_reader(self, members: Mapping[str, Shape]) -> Convert:
        """The function that reads an object with these members (those of a request that travel in its body)."""
        return _structure_reader({member.location_name or name: (name, self.reader(member)) for name, member in members.items()})

    def _structure(self, shape: Shape) -> Convert:
        members: dict[str, tuple[str, Convert]] = {}
        read = _structure_reader(members)
        self._structures[shape.name] = read
        for name, member in self._model.members(shape):
            members[member.location_name or name] = (name, self.reader(member))
        return read

    def _list(self, shape: Shape) -> Convert:
        read_element = self.reader(self._model.element(shape))
        sparse = bool(shape.traits.get("sparse"))

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                raise _unexpected(value, "Unexpected field type", "list")
            if None in value:
                if not sparse:
                    raise SerializationException("Null found where a list element was expected")
                return [None if item is None else read_element(item) for item in value]
            return [read_element(item) for item in value]

        return read

    def _map(self, shape: Shape) -> Convert:
        read_value = self.reader(self._model.key_and_value(shape)[1])
        sparse = bool(shape.traits.get("sparse"))

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise _unexpected(value, "Unexpected field type", "map")
            if sparse:
                return {key: None if item is None else read_value(item) for key, item in value.items()}
            return {key: read_value(item) for key, item in value.items() if item is not None}

        return read


def _structure_reader(members: dict[str, tuple[str, Convert]]) -> Convert:
    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _unexpected(value, "Unexpected field type", "structure")
        result = {}
        for wire_name, item in value.items():
            if item is not None and wire_name in members:
                name, read_member = members[wire_name]
                result[name] = read_member(item)
        return result

    return read


def _as_it_is(value: Any) -> Any:
    return value


def _unexpected(value: Any, otherwise: str, java_type: str) -> SerializationException:
    """What AWS answers when a JSON value has the wrong type."""
    if type(value) is dict:
        return SerializationException("Start of structure or map found where not expected")
    if type(value) is list:
        return SerializationException(f"Unrecognized collection type class java.lang.{java_type}")
    return SerializationException(otherwise)


def _not_convertible(value: Any, java_type: str) -> SerializationException:
    match value:
        case bool():
            found = "TRUE_VALUE" if value else "FALSE_VALUE"
        case int():
            found = "NUMBER_VALUE"
        case float():
            found = "DECIMAL_VALUE"
        case _:
            found = "STRING_VALUE"
    return _unexpected(value, f"{found} cannot be converted to {java_type}", java_type)


def _read_string(value: Any) -> str:
    if type(value) is str:
        return value
    raise _not_convertible(value, "String")


def _integer_reader(kind: str) -> Convert:
    low, high = INTEGER_LIMITS[kind]
    java_type = kind.capitalize()

    def read(value: Any) -> int:
        if type(value) is float and math.isfinite(value):
            value = int(value)  # AWS cuts the fraction off
        if type(value) is not int:
            raise _not_convertible(value, java_type)
        if not low <= value <= high:
            raise SerializationException(f"NUMBER_VALUE is out of the range of {java_type}")
        return value

    return read


def _read_float(value: Any) -> float | int:
    if type(value) is float or type(value) is int:
        return value
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        return float_from_text(value)
    raise _not_convertible(value, "Double")


def _read_boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _not_convertible(value, "Boolean")


def _read_blob(value: Any) -> bytes:
    if type(value) is str:
        return blob_from_text(value)
    raise _unexpected(value, "only base-64-encoded strings are convertible to bytes", "ByteBuffer")


def _read_timestamp(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return timestamp_from_number(value)
    if type(value) is str:
        return timestamp_from_text(value)
    raise _not_convertible(value, "Timestamp")


SCALARS: Mapping[str, Convert] = {
    "string": _read_string,
    "character": _read_string,
    "integer": _integer_reader("integer"),
    "long": _integer_reader("long"),
    "float": _read_float,
    "double": _read_float,
    "boolean": _read_boolean,
    "blob": _read_blob,
    "timestamp": _read_timestamp,
}
"""How scalars are read, by their types; other encodings of the same values have a few of their own."""
