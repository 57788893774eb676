"""Errors as each protocol spells them: the same fault has other codes and statuses in JSON, query and S3 services."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.aws.models import ErrorShape, ServiceModel

_FORBIDDEN = 403

_QUERY = {
    "ValidationException": ("ValidationError", None),
    "AccessDeniedException": ("AccessDenied", _FORBIDDEN),
    "UnknownOperationException": ("InvalidAction", None),
    "SerializationException": ("MalformedInput", None),
    "ThrottlingException": ("Throttling", None),
}
_S3 = {
    "ValidationException": ("InvalidArgument", None),
    "AccessDeniedException": ("AccessDenied", _FORBIDDEN),
    "UnknownOperationException": ("MethodNotAllowed", 405),
    "SerializationException": ("InvalidArgument", None),
    "ThrottlingException": ("SlowDown", 503),
}
_REST_JSON = {"AccessDeniedException": ("AccessDeniedException", _FORBIDDEN)}
_SPELLINGS: Mapping[str, Mapping[str, tuple[str, int | None]]] = {
    "query": _QUERY,
    "rest-xml": _S3,
    "rest-json": _REST_JSON,
    "json": {},
    "smithy-rpc-v2-cbor": {},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error ready to be written."""

    code: str
    status: int
    message: str
    members: Mapping[str, Any]
    modelled: ErrorShape | None


def fault_of(model: ServiceModel | None, protocol: str, error: AwsError) -> Fault:
    """Spell an error as `protocol` does, with the status of its shape where the service models it."""
    code, status = _SPELLINGS[protocol].get(error.code, (error.code, None))
    modelled = None
    if model is not None:
        if error.code == "ValidationException" and model.error(error.code) is None and model.error("ValidationError"):
            code = "ValidationError"  # sagemaker-runtime
        modelled = model.error(error.code) or model.error(code)
    if modelled is not None:
        code = modelled.name if protocol in ("json", "rest-json", "smithy-rpc-v2-cbor") else modelled.code
        if protocol != "json":
            status = status or modelled.status
    if status is None or error.status != AwsError.status:
        status = error.status
    return Fault(code, status, error.message, error.members, modelled)
