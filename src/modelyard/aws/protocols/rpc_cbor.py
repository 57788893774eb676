"""Smithy's RPC v2 CBOR: POST /service/NAME/operation/NAME, a CBOR map each way. CloudWatch, beside JSON and query."""

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.cbor import Moment, decode, encode
from modelyard.aws.protocols.faults import Fault, fault_of
from modelyard.aws.protocols.json_reader import SCALARS, JsonReaders
from modelyard.aws.protocols.json_writer import JsonWriters
from modelyard.aws.protocols.protocol import OperationShapes, Parse, Serialize
from modelyard.aws.protocols.scalars import SerializationException, timestamp_from_number

_HEADERS = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]


class RpcCborProtocol:
    """The protocol of CBOR maps."""

    name = "smithy-rpc-v2-cbor"

    def parser(self, operation: OperationShapes) -> Parse:
        """Compile the reading of requests."""
        if operation.input is None:
            return lambda _http, _path: {}
        read = JsonReaders(operation.model, _READ).reader(operation.input)

        def parse(http: HttpRequest, _path: Mapping[str, str]) -> dict[str, Any]:
            request: dict[str, Any] = read(decode(http.body)) if http.body else {}
            return request

        return parse

    def serializer(self, operation: OperationShapes) -> Serialize:
        """Compile the writing of results."""
        convert = JsonWriters(operation.model, _written).converter(operation.output) if operation.output else None

        def serialize(result: Any, request_id: str) -> HttpResponse:
            body = encode({}) if convert is None else encode(convert(result or {}))
            return HttpResponse(operation.status, [*_HEADERS, ("x-amzn-requestid", request_id)], body)

        return serialize

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """A map of `__type`, the message and the members of a modelled error."""
        fault = fault_of(model, self.name, error)
        headers = [*_HEADERS, ("x-amzn-requestid", request_id)]
        if model is not None and "awsQueryCompatible" in model.metadata:
            wire_code = fault.modelled.code if fault.modelled else fault_of(model, "query", error).code
            headers.append(("x-amzn-query-error", f"{wire_code};Sender"))
        document = {"__type": fault.code, "message": fault.message, **_members(model, fault)}
        return HttpResponse(fault.status, headers, b"" if method == "HEAD" else encode(document))


def _members(model: ServiceModel | None, fault: Fault) -> dict[str, Any]:
    if model is None or fault.modelled is None:
        return {}
    written: dict[str, Any] = JsonWriters(model, _written).converter(fault.modelled.shape)(fault.members)
    return written


def _read_blob(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    raise SerializationException("only byte strings are convertible to bytes")


def _read_timestamp(value: Any) -> float:
    if isinstance(value, Moment):
        return timestamp_from_number(float(value))
    raise SerializationException("only numbers with the tag of timestamps are convertible to Timestamp")


_READ = {**SCALARS, "blob": _read_blob, "timestamp": _read_timestamp}


def _written(shape: Shape) -> Callable[[Any], Any]:
    match shape.type:
        case "timestamp":
            return Moment
        case "float" | "double":
            return float
        case "blob":
            return lambda value: value.encode() if isinstance(value, str) else value
        case _:
            return lambda value: value
