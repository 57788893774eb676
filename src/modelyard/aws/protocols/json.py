"""JSON 1.0 and 1.1: POST /, `X-Amz-Target`, a JSON body each way. SageMaker, KMS, ECR, EventBridge, SQS, logs."""

from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.aws.http import Document, HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel
from modelyard.aws.protocols.faults import Fault, fault_of
from modelyard.aws.protocols.json_reader import JsonReaders, parse_json
from modelyard.aws.protocols.json_writer import JsonWriters
from modelyard.aws.protocols.protocol import OperationShapes, Parse, Serialize


class JsonProtocol:
    """The protocol of services without resources in their addresses."""

    name = "json"

    def parser(self, operation: OperationShapes) -> Parse:
        """Compile the reading of requests."""
        if operation.input is None:
            return lambda _http, _path: {}
        read = JsonReaders(operation.model).reader(operation.input)

        def parse(http: HttpRequest, _path: Mapping[str, str]) -> dict[str, Any]:
            request: dict[str, Any] = read(parse_json(http.body)) if http.body else {}
            return request

        return parse

    def serializer(self, operation: OperationShapes) -> Serialize:
        """Compile the writing of results; a Document goes out as it is."""
        content_type = ("content-type", _content_type(operation.model))
        write = JsonWriters(operation.model).writer(operation.output) if operation.output else None

        def serialize(result: Any, request_id: str) -> HttpResponse:
            if type(result) is Document:
                body: bytes = result
            elif write is None:
                body = b"{}" if operation.output else b""
            else:
                body = write(result or {})
            return HttpResponse(operation.status, [content_type, ("x-amzn-requestid", request_id)], body)

        return serialize

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """`{"__type": code, "message": text}`, with the code in a header too."""
        fault = fault_of(model, self.name, error)
        body = error_document(model, fault)
        headers = [
            ("content-type", _content_type(model)),
            ("x-amzn-requestid", request_id),
            ("x-amzn-errortype", fault.code),
        ]
        if model is not None and "awsQueryCompatible" in model.metadata and "x-amzn-query-error" not in error.headers:
            wire_code = fault.modelled.code if fault.modelled else fault_of(model, "query", error).code
            headers.append(("x-amzn-query-error", f"{wire_code};Sender"))
        return HttpResponse(fault.status, headers, b"" if method == "HEAD" else orjson.dumps({"__type": fault.code, **body}))


def error_document(model: ServiceModel | None, fault: Fault) -> dict[str, Any]:
    """The JSON members of an error: its message and what its shape adds."""
    if model is None or fault.modelled is None or not fault.members:
        return {"message": fault.message, **fault.members}
    members = {name: member for name, member in model.members(fault.modelled.shape) if "location" not in member.traits}
    return {"message": fault.message, **JsonWriters(model).members_converter(members)(fault.members)}


def _content_type(model: ServiceModel | None) -> str:
    version = model.metadata.get("jsonVersion", "1.1") if model is not None else "1.1"
    return f"application/x-amz-json-{version}"
