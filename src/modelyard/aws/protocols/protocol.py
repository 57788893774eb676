"""What a protocol is: it compiles operations of a service model into functions between HTTP and dicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.models import ServiceModel, Shape

Parse = Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]
"""Reads the members of an operation's input out of a request; the mapping holds the labels of the path."""
Serialize = Callable[[Any, str], HttpResponse]
"""Writes a result; the text is the request id."""


@dataclass(frozen=True, slots=True, eq=False)
class OperationShapes:
    """An operation as the service model defines it."""

    model: ServiceModel
    name: str
    method: str
    status: int
    """The status of a successful answer."""
    input: Shape | None
    output: Shape | None
    wrapper: str | None
    """Query: the name of the element around the result."""


class WireProtocol(Protocol):
    """One of AWS's protocols."""

    name: str

    def parser(self, operation: OperationShapes) -> Parse:
        """Compile the reading of requests."""
        ...

    def serializer(self, operation: OperationShapes) -> Serialize:
        """Compile the writing of results."""
        ...

    def serialize_error(self, model: ServiceModel | None, error: AwsError, request_id: str, *, method: str) -> HttpResponse:
        """Write an error; `model` is None where the service is not known."""
        ...
