"""Results to XML, by shape: compiled once for a shape, then only called."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.scalars import scalar_writer

Write = Callable[[Any, list[str]], None]
"""Appends the pieces of an element to the list."""
WriteMembers = Callable[[Mapping[str, Any], list[str]], None]

_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Text as it may stand in an element or an attribute; control characters as references, as S3 does."""
    return _SPECIAL.sub(lambda match: _NAMED.get(match[0]) or f"&#x{ord(match[0]):X};", text)


_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def readable(text: str) -> str:
    """Text of an error as it may stand in an element; what XML has no place for is replaced, so that a client can read why."""
    return escape(_NOT_IN_XML.sub("\ufffd", text))


class XmlWriters:
    """Compiles shapes of one service into functions that write elements."""

    def __init__(self, model: ServiceModel, timestamp_format: str = "iso8601") -> None:
        self._model = model
        self._timestamp_format = timestamp_format
        self._structures: dict[str, tuple[dict[str, Write], dict[str, Callable[[Any], str]]]] = {}

    def element(self, tag: str, shape: Shape, namespace: str = "") -> Write:
        """The function that writes a value of this shape as an element of this name."""
        opening = f"{tag}{_namespace(shape) or namespace}"
        match shape.type:
            case "structure":
                return self._structure(tag, opening, shape)
            case "list":
                return _around(opening, tag, self._elements(shape, self._model.element(shape).location_name or "member"))
            case "map":
                return _around(opening, tag, self._entries(shape, "entry"))
            case _:
                to_text = scalar_writer(shape, self._timestamp_format)
                return lambda value, pieces: pieces.append(f"<{opening}>{escape(to_text(value))}</{tag}>")

    def members(self, members: Mapping[str, Shape]) -> WriteMembers:
        """The function that writes these members, without an element around them."""
        writes = {name: self._member(name, member) for name, member in members.items()}
        return lambda value, pieces: _write_members(writes, value, pieces)

    def _member(self, name: str, member: Shape) -> Write:
        tag = member.location_name or name
        if member.traits.get("flattened") and member.type == "list":
            return self._elements(member, self._model.element(member).location_name or tag)
        if member.traits.get("flattened") and member.type == "map":
            return self._entries(member, tag)
        return self.element(tag, member)

    def _structure(self, tag: str, opening: str, shape: Shape) -> Write:
        writes, attributes = self._structures.get(shape.name) or self._fill(shape)

        def write(value: Mapping[str, Any], pieces: list[str]) -> None:
            pieces.append(f"<{opening}")
            for name, attribute in attributes.items():
                if value.get(name) is not None:
                    pieces.append(attribute(value[name]))
            pieces.append(">")
            _write_members(writes, value, pieces)
            pieces.append(f"</{tag}>")

        return write

    def _fill(self, shape: Shape) -> tuple[dict[str, Write], dict[str, Callable[[Any], str]]]:
        writes: dict[str, Write] = {}
        attributes: dict[str, Callable[[Any], str]] = {}
        self._structures[shape.name] = (writes, attributes)
        for name, member in self._model.members(shape):
            if member.traits.get("xmlAttribute"):
                attributes[name] = _attribute(member.location_name or name)
            else:
                writes[name] = self._member(name, member)
        return writes, attributes

    def _elements(self, shape: Shape, tag: str) -> Write:
        write = self.element(tag, self._model.element(shape))

        def write_each(items: Any, pieces: list[str]) -> None:
            for item in items:
                write(item, pieces)

        return write_each

    def _entries(self, shape: Shape, tag: str) -> Write:
        key, value = self._model.key_and_value(shape)
        write_key = self.element(key.location_name or "key", key)
        write_value = self.element(value.location_name or "value", value)
        opening = f"<{tag}{_namespace(shape)}>" if shape.traits.get("flattened") else f"<{tag}>"

        def write_each(items: Mapping[str, Any], pieces: list[str]) -> None:
            for name, item in items.items():
                if item is not None:
                    pieces.append(opening)
                    write_key(name, pieces)
                    write_value(item, pieces)
                    pieces.append(f"</{tag}>")

        return write_each


def _write_members(writes: Mapping[str, Write], value: Mapping[str, Any], pieces: list[str]) -> None:
    for name, write in writes.items():
        item = value.get(name)
        if item is not None:
            write(item, pieces)


def _around(opening: str, tag: str, write: Write) -> Write:
    def write_element(value: Any, pieces: list[str]) -> None:
        pieces.append(f"<{opening}>")
        write(value, pieces)
        pieces.append(f"</{tag}>")

    return write_element


def _attribute(name: str) -> Callable[[Any], str]:
    return lambda value: f' {name}="{escape(str(value))}"'


def _namespace(shape: Shape) -> str:
    trait = shape.traits.get("xmlNamespace")
    if not trait:
        return ""
    uri, prefix = (trait, None) if isinstance(trait, str) else (trait["uri"], trait.get("prefix"))
    return f' xmlns:{prefix}="{escape(uri)}"' if prefix else f' xmlns="{escape(uri)}"'
