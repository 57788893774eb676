"""The query protocol: a form with `Action` in, XML out. STS, IAM, SNS, CloudWatch."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.faults import fault_of
from modelyard.aws.protocols.protocol import OperationShapes, Parse, Serialize
from modelyard.aws.protocols.scalars import SerializationException, scalar_reader
from modelyard.aws.protocols.xml_writer import XmlWriters, escape, readable

MAXIMUM_DEPTH = 64
MAXIMUM_FIELDS = 20_000

Tree = dict[str, Any]
"""The fields by the parts of their names: a text, or a tree of what is below."""
ReadTree = Callable[[Any], Any]


class QueryProtocol:
    """The protocol of forms."""

    name = "query"

    def parser(self, operation: OperationShapes) -> Parse:
        """Compile the reading of requests."""
        if operation.input is None:
            return lambda _http, _path: {}
        read = _FormReaders(operation.model).reader(operation.input)

        def parse(http: HttpRequest, _path: Mapping[str, str]) -> dict[str, Any]:
            request: dict[str, Any] = read(_tree(form_fields(http)))
            return request

        return parse

    def serializer(self, operation: OperationShapes) -> Serialize:
        """Compile the writing of results."""
        namespace = operation.model.metadata.get("xmlNamespace", "")
        opening = f'<{operation.name}Response xmlns="{escape(namespace)}">'
        wrapper = operation.wrapper or f"{operation.name}Result"
        write = None
        if operation.output is not None:
            write = XmlWriters(operation.model).members(dict(operation.model.members(operation.output)))

        def serialize(result: Any, request_id: str) -> HttpResponse:
            pieces = [opening]
            if write is not None:
                pieces.append(f"<{wrapper}>")
                write(result or {}, pieces)
                pieces.append(f"</{wrapper}>")
            metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            pieces.append(f"{metadata}</{operation.name}Response>")
            return HttpResponse(operation.status, _headers(request_id), "".join(pieces).encode())

        return serialize

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """`<ErrorResponse>` with the code, the message and the members of a modelled error."""
        fault = fault_of(model, self.name, error)
        namespace = model.metadata.get("xmlNamespace", "") if model is not None else ""
        pieces = [
            f'<ErrorResponse xmlns="{escape(namespace)}"><Error><Type>Sender</Type>',
            f"<Code>{readable(fault.code)}</Code><Message>{readable(fault.message)}</Message>",
        ]
        if model is not None and fault.modelled is not None:
            members = {
                name: member
                for name, member in model.members(fault.modelled.shape)
                if (member.location_name or name).lower() not in ("message", "code", "type")
            }
            XmlWriters(model).members(members)(fault.members, pieces)
        pieces.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
        return HttpResponse(fault.status, _headers(request_id), b"" if method == "HEAD" else "".join(pieces).encode())


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [("content-type", "text/xml"), ("x-amzn-requestid", request_id)]


def form_fields(http: HttpRequest) -> list[tuple[str, str]]:
    """The fields of a form, from the query string and the body. Raises AwsError for what is no form."""
    fields: list[tuple[str, str]] = []
    for text in (http.query, http.body.decode("latin-1")):
        try:
            fields += parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAXIMUM_FIELDS)
        except ValueError:
            raise SerializationException("The request is not a well-formed list of fields") from None
    if any("\0" in value or "\0" in name for name, value in fields):
        raise SerializationException("The request holds a NUL character")
    return fields


def _tree(fields: list[tuple[str, str]]) -> Tree:
    tree: Tree = {}
    for name, value in fields:
        parts = name.split(".")
        if len(parts) > 2 * MAXIMUM_DEPTH:
            raise SerializationException(f"The name {name[:64]} nests too deep")
        below = tree
        for part in parts[:-1]:
            branch = below.setdefault(part, {})
            if not isinstance(branch, dict):
                raise SerializationException(f"The field {name[:64]} is both a value and a structure")
            below = branch
        if isinstance(below.get(parts[-1]), dict):
            raise SerializationException(f"The field {name[:64]} is both a value and a structure")
        below[parts[-1]] = value
    return tree


class _FormReaders:
    """Compiles shapes of one service into functions from trees of fields to what operations see."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._structures: dict[str, ReadTree] = {}

    def reader(self, shape: Shape) -> ReadTree:
        match shape.type:
            case "structure":
                return self._structures.get(shape.name) or self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case _:
                read_text = scalar_reader(shape)
                return lambda value: read_text(_text(value))

    def _structure(self, shape: Shape) -> ReadTree:
        members: dict[str, tuple[str, ReadTree]] = {}

        def read(value: Any) -> dict[str, Any]:
            result = {}
            for wire_name, item in _branches(value).items():
                if wire_name in members:
                    name, read_member = members[wire_name]
                    result[name] = read_member(item)
            return result

        self._structures[shape.name] = read
        for name, member in self._model.members(shape):
            read_member = self.reader(member)
            if member.type == "list" and member.traits.get("flattened"):  # botocore names it after what it holds
                members[self._model.element(member).location_name or name] = (name, read_member)
            members[member.location_name or name] = (name, read_member)
        return read

    def _list(self, shape: Shape) -> ReadTree:
        element = self._model.element(shape)
        read_element = self.reader(element)
        step = None if shape.traits.get("flattened") else element.location_name or "member"

        def read(value: Any) -> list[Any]:
            if value == "":
                return []  # how an empty list is sent
            numbered = _branches(value) if step is None else _branches(_branches(value).get(step, {}))
            return [read_element(item) for _number, item in _in_order(numbered)]

        return read

    def _map(self, shape: Shape) -> ReadTree:
        key, value_shape = self._model.key_and_value(shape)
        key_name, value_name = key.location_name or "key", value_shape.location_name or "value"
        read_value = self.reader(value_shape)
        flattened = bool(shape.traits.get("flattened"))

        def read(value: Any) -> dict[str, Any]:
            if value == "":
                return {}
            entries = _branches(value) if flattened else _branches(_branches(value).get("entry", {}))
            result = {}
            for _number, entry in _in_order(entries):
                fields = _branches(entry)
                if key_name not in fields or value_name not in fields:
                    raise SerializationException("A map entry needs a key and a value")
                result[_text(fields[key_name])] = read_value(fields[value_name])
            return result

        return read


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise SerializationException("Start of structure or map found where not expected")


def _branches(value: Any) -> Tree:
    if isinstance(value, dict):
        return value
    raise SerializationException("Unexpected field type")


def _in_order(numbered: Tree) -> list[tuple[int, Any]]:
    if any(not (number.isascii() and number.isdigit() and len(number) <= 9) for number in numbered):
        raise SerializationException("Key is not a valid index of a list")
    return sorted(((int(number), item) for number, item in numbered.items()), key=lambda pair: pair[0])
