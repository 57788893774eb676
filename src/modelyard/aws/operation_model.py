"""One operation of a service model, compiled: requests to dicts, checks, results to answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from modelyard.aws.errors import AwsError, UnknownOperationException
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.protocols.compression import decompressed
from modelyard.aws.protocols.json import JsonProtocol
from modelyard.aws.protocols.protocol import OperationShapes, Parse, Serialize, WireProtocol
from modelyard.aws.protocols.query import QueryProtocol
from modelyard.aws.protocols.rest_json import RestJsonProtocol
from modelyard.aws.protocols.rest_xml import RestXmlProtocol
from modelyard.aws.protocols.rpc_cbor import RpcCborProtocol
from modelyard.aws.validation import Validate, Validators

PROTOCOLS: Mapping[str, WireProtocol] = {
    protocol.name: protocol
    for protocol in (JsonProtocol(), QueryProtocol(), RestJsonProtocol(), RestXmlProtocol(), RpcCborProtocol())
}


class OperationModel:
    """An operation in one of its service's protocols. What it needs is compiled when it is first used."""

    def __init__(self, model: ServiceModel, name: str, protocol: str, validators: Validators) -> None:
        definition = model.operations[name]
        self.service = model.service.name
        self.name = name
        self.signing_name = model.service.signing_name
        self._model = model
        self._validators = validators
        self._protocol = PROTOCOLS[protocol]
        output = definition.get("output")
        self.shapes = OperationShapes(
            model=model,
            name=name,
            method=definition["http"]["method"],
            status=definition["http"].get("responseCode", 200),
            input=model.shape(definition["input"]) if "input" in definition else None,
            output=model.shape(output) if output else None,
            wrapper=output.get("resultWrapper") if output else None,
        )
        self._compressible = "requestcompression" in definition
        self.idempotency_token = self._input_member("idempotencyToken")
        """The member that botocore fills with a token of its own."""
        self.streaming_input = self._streaming(self.shapes.input)
        """The member whose bytes are not read into memory, if there is one."""
        self.streaming_output = self._streaming(self.shapes.output)
        """The member that may be an iterator of bytes, if there is one."""

    @property
    def protocol(self) -> str:
        """json, query, rest-json, rest-xml or smithy-rpc-v2-cbor."""
        return self._protocol.name

    @cached_property
    def _parse(self) -> Parse:
        self._refuse_event_streams(self.shapes.input)
        return self._protocol.parser(self.shapes)

    @cached_property
    def _serialize(self) -> Serialize:
        if self.protocol != "rest-json":
            self._refuse_event_streams(self.shapes.output)
        return self._protocol.serializer(self.shapes)

    @cached_property
    def _validate(self) -> Validate:
        return self._validators.validator(self.shapes.input)

    def parse(self, http: HttpRequest, route: "Route") -> dict[str, Any]:
        """Read the request out of its wire format. Raises AwsError for what cannot be read."""
        return self._parse(decompressed(http) if self._compressible else http, route.path)

    def validate(self, request: Mapping[str, Any]) -> None:
        """Check a request against every constraint of the model. Raises ValidationException that names all it breaks."""
        self._validate(request)

    def serialize(self, result: Any, request_id: str) -> HttpResponse:
        """Write the answer; None stands for an empty result, a Document goes out as it is."""
        return self._serialize(result, request_id)

    def serialize_error(self, error: AwsError, request_id: str) -> HttpResponse:
        """Write an error as this operation's protocol does."""
        return serialize_error(self._protocol.name, self._model, error, request_id, method=self.shapes.method)

    def _refuse_event_streams(self, shape: Shape | None) -> None:
        if shape is not None and any(member.is_event_stream for _, member in self._model.members(shape)):
            raise UnknownOperationException(f"{self.service}:{self.name} streams events, which Modelyard does not do.")

    def _input_member(self, trait: str) -> str | None:
        if self.shapes.input is None:
            return None
        return next((name for name, member in self._model.members(self.shapes.input) if member.traits.get(trait)), None)

    def _streaming(self, shape: Shape | None) -> str | None:
        payload: str | None = shape.traits.get("payload") if shape else None
        if shape is None or payload is None:
            return None
        member = dict(self._model.members(shape))[payload]
        return payload if member.traits.get("streaming") else None


def serialize_error(
    protocol: str, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str = "POST"
) -> HttpResponse:
    """Write an error in a protocol, with the headers it brings along."""
    response = PROTOCOLS[protocol].serialize_error(model, error, request_id, method=method)
    response.headers.extend((name.lower(), value) for name, value in error.headers.items())
    return response


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes."""

    operation: OperationModel
    path: Mapping[str, str] = field(default_factory=dict)
    """The labels of the path, decoded."""
