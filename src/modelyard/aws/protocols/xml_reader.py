"""XML to what operations see: a small tree without entities or document types, then read by shape."""

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from modelyard.aws.errors import AwsError
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.scalars import scalar_reader

MAXIMUM_DEPTH = 64


class MalformedXML(AwsError):
    """The body is not XML, or not what the operation takes."""

    code = "MalformedXML"

    def __init__(self) -> None:
        super().__init__("The XML you provided was not well-formed or did not validate against our published schema")


class Node:
    """An element, without its namespace."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.text = ""


class _TreeTarget:
    """Builds Nodes from what the parser reports."""

    def __init__(self) -> None:
        self._open: list[Node] = []
        self._root: Node | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAXIMUM_DEPTH:
            raise MalformedXML
        node = Node(_local(tag), {_local(name): value for name, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def close(self) -> Node | None:
        return self._root


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def parse_xml(body: bytes) -> Node:
    """The tree of an XML text. Raises MalformedXML for what is none, nests too deep, or brings a document type."""
    parser = DefusedXMLParser(target=_TreeTarget(), forbid_dtd=True)
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise MalformedXML from None
    if not isinstance(root, Node):
        raise MalformedXML
    return root


ReadNode = Callable[[Node], Any]
ReadMember = Callable[[list[Node]], Any]
"""Reads a member out of the elements that bear its name (a flattened list has many)."""


class XmlReaders:
    """Compiles shapes of one service into functions from elements to what operations see."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._structures: dict[str, ReadNode] = {}

    def reader(self, shape: Shape) -> ReadNode:
        """The function that reads one element of this shape."""
        match shape.type:
            case "structure":
                return self._structures.get(shape.name) or self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case "string" | "character":
                return lambda node: node.text
            case _:
                read_text = scalar_reader(shape)
                return lambda node: read_text(node.text)

    def structure_reader(self, members: dict[str, Shape]) -> ReadNode:
        """Reads an element that holds these members (those of a request that travel in its body)."""
        elements: dict[str, tuple[str, ReadMember]] = {}
        attributes: dict[str, str] = {}
        self._fill(members, elements, attributes)
        return _structure_reader(elements, attributes)

    def _structure(self, shape: Shape) -> ReadNode:
        elements: dict[str, tuple[str, ReadMember]] = {}
        attributes: dict[str, str] = {}
        self._structures[shape.name] = _structure_reader(elements, attributes)
        self._fill(dict(self._model.members(shape)), elements, attributes)
        return self._structures[shape.name]

    def _fill(self, members: dict[str, Shape], elements: dict[str, tuple[str, ReadMember]], attributes: dict[str, str]) -> None:
        for name, member in members.items():
            wire_name = member.location_name or name
            if member.traits.get("xmlAttribute"):
                attributes[wire_name.rpartition(":")[2]] = name
            elif member.traits.get("flattened") and member.type == "list":
                element = self._model.element(member)
                read_each = _each(self.reader(element))
                elements[element.location_name or wire_name] = (name, read_each)  # as botocore names it
                elements[wire_name] = (name, read_each)
            elif member.traits.get("flattened") and member.type == "map":
                elements[wire_name] = (name, self._entries(member))
            else:
                elements[wire_name] = (name, _last(self.reader(member)))

    def _list(self, shape: Shape) -> ReadNode:
        element = self._model.element(shape)
        tag = element.location_name or "member"
        read = self.reader(element)
        return lambda node: [read(child) for child in node.children if child.tag == tag]

    def _map(self, shape: Shape) -> ReadNode:
        read_entries = self._entries(shape)
        return lambda node: read_entries([child for child in node.children if child.tag == "entry"])

    def _entries(self, shape: Shape) -> ReadMember:
        key, value = self._model.key_and_value(shape)
        key_tag, value_tag = key.location_name or "key", value.location_name or "value"
        read_value = self.reader(value)

        def read(nodes: list[Node]) -> dict[str, Any]:
            result = {}
            for node in nodes:
                keys = [child.text for child in node.children if child.tag == key_tag]
                values = [child for child in node.children if child.tag == value_tag]
                if len(keys) != 1 or len(values) != 1:
                    raise MalformedXML
                result[keys[0]] = read_value(values[0])
            return result

        return read


def _structure_reader(elements: dict[str, tuple[str, ReadMember]], attributes: dict[str, str]) -> ReadNode:
    def read(node: Node) -> dict[str, Any]:
        found: dict[str, list[Node]] = {}
        for child in node.children:
            if child.tag in elements:
                found.setdefault(child.tag, []).append(child)
        result = {elements[tag][0]: elements[tag][1](nodes) for tag, nodes in found.items()}
        for wire_name, name in attributes.items():
            if wire_name in node.attributes:
                result[name] = node.attributes[wire_name]
        return result

    return read


def _each(read: ReadNode) -> ReadMember:
    return lambda nodes: [read(node) for node in nodes]


def _last(read: ReadNode) -> ReadMember:
    return lambda nodes: read(nodes[-1])
