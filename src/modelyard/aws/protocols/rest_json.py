"""REST with JSON bodies: Lambda, EventBridge Scheduler, the SageMaker runtime."""

from collections.abc import Mapping

import orjson

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.faults import fault_of
from modelyard.aws.protocols.json import error_document
from modelyard.aws.protocols.json_reader import JsonReaders, parse_json
from modelyard.aws.protocols.json_writer import JsonWriters
from modelyard.aws.protocols.protocol import OperationShapes
from modelyard.aws.protocols.rest import Payload, ReadBody, RestProtocol, error_headers

_CONTENT_TYPE = "application/json"


class RestJsonProtocol(RestProtocol):
    """The protocol of resources in JSON."""

    name = "rest-json"
    timestamp_format = "unixTimestamp"

    def body_reader(self, model: ServiceModel, members: Mapping[str, Shape]) -> ReadBody:
        """Reads a body that holds these members."""
        read = JsonReaders(model).structure_reader(members)
        return lambda body: read(parse_json(body))

    def payload_reader(self, model: ServiceModel, shape: Shape) -> ReadBody:
        """Reads a body that is one value."""
        read = JsonReaders(model).reader(shape)
        return lambda body: read(parse_json(body))

    def body_writer(self, operation: OperationShapes, members: Mapping[str, Shape]) -> Payload:
        """Writes a body that holds these members."""
        return Payload(_CONTENT_TYPE, JsonWriters(operation.model).structure_writer(members))

    def payload_writer(self, model: ServiceModel, name: str, shape: Shape) -> Payload:
        """Writes a body that is the one member `name`."""
        write = JsonWriters(model).writer(shape)
        empty = b"{}" if shape.type == "structure" and not shape.traits.get("union") else b""
        return Payload(_CONTENT_TYPE, lambda result: empty if result.get(name) is None else write(result[name]))

    def request_id_headers(self, request_id: str) -> list[tuple[str, str]]:
        """The header that tells the request id."""
        return [("x-amzn-requestid", request_id)]

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """The code in a header, the message and the members of the error in the body."""
        fault = fault_of(model, self.name, error)
        headers = [("content-type", _CONTENT_TYPE), ("x-amzn-requestid", request_id), ("x-amzn-errortype", fault.code)]
        headers += error_headers(model, fault)
        body = b"" if method == "HEAD" else orjson.dumps(error_document(model, fault))
        return HttpResponse(fault.status, headers, body)
