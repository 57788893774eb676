"""What of a request goes into the audit trail: everything but secrets and content.

Compiled from the service model once for each operation. Left out are members that the model marks as sensitive, blobs and
streams, what is a secret without being marked, and texts that are content rather than parameters. In maps of environment
variables the values whose names speak of a secret are left out.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.operation_model import OperationModel

SENSITIVE = "(sensitive: left out)"
CONTENT = "(content: left out)"

SECRET_MEMBERS = frozenset({"SessionToken", "TokenCode", "Password", "SecretAccessKey", "SecretString", "authorizationToken"})
CONTENT_MEMBERS = frozenset({("sqs", "MessageBody"), ("sns", "Message"), ("logs", "message"), ("scheduler", "Input")})
IDENTIFIERS = ("Arn", "Id", "ETag", "Version")
_SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key|private_?key|access_?key", re.IGNORECASE)

Redact = Callable[[Any], Any]


class Redaction:
    """Knows what to leave out of the requests of every operation."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], Redact | None] = {}

    def of(self, model: OperationModel, request: Mapping[str, Any]) -> Any:
        """What may be recorded of a request."""
        key = (model.service, model.name)
        try:
            redact = self._compiled[key]
        except KeyError:
            shape = model.shapes.input
            redact = None if shape is None else _Compiler(model.shapes.model).compiled(shape, "")
            self._compiled[key] = redact
        return request if redact is None else redact(request)


def of_answer(answer: Any) -> dict[str, str]:
    """What an answer says was made: its identifiers, which are never secret."""
    if type(answer) is not dict:
        return {}
    return {name: value for name, value in answer.items() if type(value) is str and name.endswith(IDENTIFIERS)}


class _Compiler:
    """Turns shapes into functions that leave things out; None where there is nothing to leave out."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._structures: dict[str, Redact | None] = {}
        self._open: set[str] = set()

    def compiled(self, shape: Shape, member: str) -> Redact | None:
        """The function for the values of `shape` under the name of a member."""
        if shape.traits.get("sensitive") or member in SECRET_MEMBERS:
            return lambda _value: SENSITIVE
        if (self._model.service.name, member) in CONTENT_MEMBERS:
            return lambda _value: CONTENT
        redact: Redact | None = _bytes_left_out if shape.type == "blob" else None
        if shape.type == "structure":
            redact = self._structure(shape)
        elif shape.type == "list":
            redact = _list(self.compiled(self._model.element(shape), member))
        elif shape.type == "map":
            redact = self._map(shape)
        return redact

    def _structure(self, shape: Shape) -> Redact | None:
        if shape.name in self._structures:
            return self._structures[shape.name]
        if shape.name in self._open:
            # A shape inside itself: looked up when it is met.
            return lambda value: redact(value) if (redact := self._structures.get(shape.name)) else value
        self._open.add(shape.name)
        members = {name: redact for name, inner in self._model.members(shape) if (redact := self.compiled(inner, name))}
        self._open.discard(shape.name)
        compiled = _members(members) if members else None
        self._structures[shape.name] = compiled
        return compiled

    def _map(self, shape: Shape) -> Redact | None:
        if "nvironment" in shape.name:
            return _environment
        key, value = self._model.key_and_value(shape)
        if key.traits.get("sensitive"):
            return lambda _value: SENSITIVE
        redact = self.compiled(value, "")
        return redact and (lambda values: {name: redact(one) for name, one in values.items()})


def _members(members: Mapping[str, Redact]) -> Redact:
    def redact(value: Any) -> Any:
        if members.keys().isdisjoint(value):
            return value
        return {name: members[name](inner) if name in members else inner for name, inner in value.items()}

    return redact


def _list(redact: Redact | None) -> Redact | None:
    return redact and (lambda values: [redact(value) for value in values])


def _environment(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: SENSITIVE if _SECRET_NAME.search(name) else value for name, value in values.items()}


def _bytes_left_out(value: Any) -> str:
    return f"({len(value)} bytes: left out)" if isinstance(value, bytes) else CONTENT
