"""What the REST protocols share: members in the path, the query string, the headers, the status and the payload."""

import io
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols import event_stream
from modelyard.aws.protocols.faults import Fault
from modelyard.aws.protocols.json_reader import parse_json
from modelyard.aws.protocols.protocol import OperationShapes, Parse, Serialize
from modelyard.aws.protocols.scalars import SerializationException, scalar_reader, scalar_writer

MAXIMUM_FIELDS = 1_000

Fields = Mapping[str, list[str]]
"""The fields of a query string."""
Take = Callable[[HttpRequest, Mapping[str, str], Fields], Any]
"""Takes one member out of a request; None where it is absent."""
Put = Callable[[Any, list[tuple[str, str]]], None]
"""Adds one member of a result to the headers."""
ReadBody = Callable[[bytes], Any]
WriteBody = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Payload:
    """How the body of an answer is made."""

    content_type: str | None
    write: Callable[[Mapping[str, Any]], bytes | Iterator[bytes] | AsyncIterator[bytes]]


def query_fields(query: str) -> Fields:
    """The fields of a query string. Raises SerializationException for what is none."""
    fields: dict[str, list[str]] = {}
    if not query:
        return fields
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        raise SerializationException("The query string is not well-formed") from None
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise SerializationException("The query string holds a NUL character")
        fields.setdefault(name, []).append(value)
    return fields


class RestProtocol(ABC):
    """The bindings; the two protocols differ in what a body is and how an error looks."""

    name: str
    timestamp_format: str

    @abstractmethod
    def body_reader(self, model: ServiceModel, members: Mapping[str, Shape]) -> ReadBody:
        """Reads a body that holds these members."""

    @abstractmethod
    def payload_reader(self, model: ServiceModel, shape: Shape) -> ReadBody:
        """Reads a body that is one structure (or list, map, document)."""

    @abstractmethod
    def body_writer(self, operation: OperationShapes, members: Mapping[str, Shape]) -> Payload:
        """Writes a body that holds these members."""

    @abstractmethod
    def payload_writer(self, model: ServiceModel, name: str, shape: Shape) -> Payload:
        """Writes a body that is the one member `name`."""

    @abstractmethod
    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]:
        """The headers that tell the request id."""

    @abstractmethod
    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """Write an error."""

    def status_of(self, operation: OperationShapes, _result: Mapping[str, Any]) -> int:
        """The status of a successful answer."""
        return operation.status

    def parser(self, operation: OperationShapes) -> Parse:
        """Compile the reading of requests."""
        if operation.input is None:
            return lambda _http, _path: {}
        members = dict(operation.model.members(operation.input))
        payload = operation.input.traits.get("payload")
        takes = _takes(operation.model, members)
        if payload is not None:
            takes[payload] = self._take_payload(operation.model, members[payload])
            read_body = None
        else:
            body = {name: member for name, member in members.items() if "location" not in member.traits}
            read_body = self.body_reader(operation.model, body) if body else None

        def parse(http: HttpRequest, path: Mapping[str, str]) -> dict[str, Any]:
            fields = query_fields(http.query)
            request: dict[str, Any] = read_body(http.body) if read_body is not None and http.body else {}
            for name, take in takes.items():
                value = take(http, path, fields)
                if value is not None:
                    request[name] = value
            return request

        return parse

    def _take_payload(self, model: ServiceModel, shape: Shape) -> Take:
        if shape.traits.get("streaming"):
            return lambda http, _path, _fields: http.stream if http.stream is not None else io.BytesIO(http.body)
        if shape.type == "blob":
            return lambda http, _path, _fields: http.body or None
        if shape.type == "string" and not shape.is_document:
            return lambda http, _path, _fields: _utf8(http.body) or None
        read = self.payload_reader(model, shape)
        return lambda http, _path, _fields: read(http.body) if http.body else None

    def serializer(self, operation: OperationShapes) -> Serialize:
        """Compile the writing of results."""
        members = dict(operation.model.members(operation.output)) if operation.output else {}
        puts = _puts(operation.model, members)
        status_member = next((name for name, member in members.items() if member.traits.get("location") == "statusCode"), None)
        payload = self._payload(operation, members)
        has_body = operation.method != "HEAD"

        def serialize(result: Any, request_id: str) -> HttpResponse:
            result = result or {}
            headers = self.request_id_headers(request_id)
            for name, put in puts.items():
                value = result.get(name)
                if value is not None:
                    put(value, headers)
            status = result.get(status_member) or self.status_of(operation, result)
            body: bytes | Iterator[bytes] | AsyncIterator[bytes] = b""
            if has_body and payload is not None:
                body = payload.write(result)
                if payload.content_type and body and not any(name == "content-type" for name, _ in headers):
                    headers.append(("content-type", payload.content_type))
            return HttpResponse(status, headers, body)

        return serialize

    def _payload(self, operation: OperationShapes, members: Mapping[str, Shape]) -> Payload | None:
        name = operation.output.traits.get("payload") if operation.output else None
        if name is None:
            outside = ("header", "headers", "statusCode")
            body = {name: member for name, member in members.items() if member.traits.get("location") not in outside}
            return self.body_writer(operation, body) if body or operation.output else None
        shape = members[name]
        if shape.is_event_stream:
            return Payload(
                event_stream.CONTENT_TYPE, lambda result: event_stream.events(operation.model, shape, result.get(name) or _none())
            )
        if shape.type == "blob":
            return Payload("application/octet-stream", lambda result: result.get(name) or b"")
        if shape.type == "string" and not shape.is_document:
            return Payload("text/plain", lambda result: (result.get(name) or "").encode())
        return self.payload_writer(operation.model, name, shape)


async def _none() -> AsyncGenerator[Mapping[str, Any], None]:
    """No events."""
    return
    yield {}


def _utf8(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise SerializationException("The request body is not UTF-8") from None
    if "\0" in text:
        raise SerializationException("The request body holds a NUL character")
    return text


def _takes(model: ServiceModel, members: Mapping[str, Shape]) -> dict[str, Take]:
    takes: dict[str, Take] = {}
    bound = {member.location_name or name for name, member in members.items() if member.traits.get("location") == "querystring"}
    for name, member in members.items():
        wire_name = member.location_name or name
        match member.traits.get("location"):
            case "uri":
                takes[name] = _take_label(wire_name, member)
            case "querystring":
                takes[name] = _take_query(model, wire_name, member, bound)
            case "header":
                takes[name] = _take_header(model, wire_name.lower(), member)
            case "headers":
                takes[name] = _take_headers((member.location_name or "").lower())
    return takes


def _take_label(name: str, shape: Shape) -> Take:
    read = scalar_reader(shape)
    return lambda _http, path, _fields: read(path[name]) if name in path else None


def _take_query(model: ServiceModel, name: str, shape: Shape, bound: set[str]) -> Take:
    if shape.type == "list":
        read = scalar_reader(model.element(shape))
        return lambda _http, _path, fields: [read(text) for text in fields[name]] if name in fields else None
    if shape.type == "map":
        many = model.key_and_value(shape)[1].type == "list"
        return lambda _http, _path, fields: (
            {key: texts if many else texts[0] for key, texts in fields.items() if key not in bound} or None
        )
    read = scalar_reader(shape)
    return lambda _http, _path, fields: read(fields[name][0]) if name in fields else None


def _take_header(model: ServiceModel, name: str, shape: Shape) -> Take:
    if shape.traits.get("jsonvalue"):
        return lambda http, _path, _fields: _json_header(http.headers[name]) if name in http.headers else None
    if shape.type == "list":
        element = model.element(shape)
        read = scalar_reader(element)
        dates = element.type == "timestamp" and element.traits.get("timestampFormat", "rfc822") == "rfc822"
        split = _split_dates if dates else split_list
        return lambda http, _path, _fields: [read(text) for text in split(http.headers[name])] if name in http.headers else None
    read = scalar_reader(shape)
    if "enum" in shape.traits:
        # An empty header chooses nothing: s3fs sends `x-amz-acl` so.
        return lambda http, _path, _fields: read(http.headers[name]) if http.headers.get(name) else None
    return lambda http, _path, _fields: read(http.headers[name]) if name in http.headers else None


def _take_headers(prefix: str) -> Take:
    return lambda http, _path, _fields: (
        {name[len(prefix) :]: value for name, value in http.headers.items() if name.startswith(prefix)} or None
    )


def _json_header(text: str) -> Any:
    try:
        return parse_json(b64decode(text, validate=True))
    except ValueError:
        raise SerializationException("The header is not base64-encoded JSON") from None


def split_list(text: str) -> list[str]:
    """The items of a header that is a list; an item in quotes may hold commas."""
    if not text.strip():
        return []
    items, item, quoted, characters = [], "", False, iter(text)
    was_quoted = False
    for character in characters:
        if quoted and character == "\\":
            item += next(characters, "")
        elif character == '"':
            quoted = not quoted
            was_quoted = True
        elif character == "," and not quoted:
            items.append(item if was_quoted else item.strip())
            item, was_quoted = "", False
        elif not (was_quoted and not quoted) and not (character == " " and not item and not quoted):
            item += character
    items.append(item if was_quoted else item.strip())
    return items


def _split_dates(text: str) -> list[str]:
    """HTTP dates hold one comma each."""
    parts = [part.strip() for part in text.split(",")]
    return [f"{day}, {rest}" for day, rest in zip(parts[::2], parts[1::2], strict=False)]


def _puts(model: ServiceModel, members: Mapping[str, Shape]) -> dict[str, Put]:
    puts: dict[str, Put] = {}
    for name, member in members.items():
        wire_name = (member.location_name or name).lower()
        match member.traits.get("location"):
            case "header":
                puts[name] = _put_header(model, wire_name, member)
            case "headers":
                puts[name] = _put_headers((member.location_name or "").lower())
    return puts


def _put_header(model: ServiceModel, name: str, shape: Shape) -> Put:
    if shape.traits.get("jsonvalue"):
        return lambda value, headers: headers.append((name, b64encode(orjson.dumps(value)).decode()))
    if shape.type == "list":
        write = scalar_writer(model.element(shape), "rfc822")
        quotes = model.element(shape).type == "string"
        return lambda value, headers: headers.append(
            (name, ", ".join(_quoted(write(item)) if quotes else write(item) for item in value))
        )
    write = scalar_writer(shape, "rfc822")
    return lambda value, headers: headers.append((name, header_text(write(value))))


def error_headers(model: ServiceModel | None, fault: Fault) -> list[tuple[str, str]]:
    """The members of a modelled error that travel in headers."""
    headers: list[tuple[str, str]] = []
    if model is not None and fault.modelled is not None and fault.members:
        for name, put in _puts(model, dict(model.members(fault.modelled.shape))).items():
            if fault.members.get(name) is not None:
                put(fault.members[name], headers)
    return headers


def _quoted(text: str) -> str:
    if "," not in text and '"' not in text:
        return header_text(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{header_text(escaped)}"'


def _put_headers(prefix: str) -> Put:
    def put(values: Mapping[str, str], headers: list[tuple[str, str]]) -> None:
        headers.extend((f"{prefix}{name}".lower(), header_text(value)) for name, value in values.items() if value is not None)

    return put


def header_text(text: str) -> str:
    """A header's value: it may not end the header, and what headers cannot hold goes encoded, as S3 does."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise AwsError("A value with a line break can not be sent in a header.", code="InvalidArgument")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="
    return text
