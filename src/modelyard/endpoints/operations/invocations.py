"""InvokeEndpoint."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.relayed import Relayed
from modelyard.endpoints import store_endpoints, store_owners
from modelyard.endpoints.forwarding import MARK
from modelyard.endpoints.model import Name
from modelyard.endpoints.permissions import Values, named, resource_of
from modelyard.endpoints.relaying import Invocation, invalid, not_found
from modelyard.endpoints.serving import Serving

operation = operations_of("sagemaker-runtime")
Request = dict[str, Any]

LARGEST_BODY = 6 * 1024 * 1024
NOT_HERE = {"TargetModel": "multi-model endpoints", "InferenceComponentName": "inference components"}


def _invoking(context: Context, request: Request) -> Iterable[Permission]:
    values: Values = {"sagemaker:TargetModel": request["TargetModel"]} if "TargetModel" in request else {}
    yield Permission(
        "sagemaker:InvokeEndpoint", resource_of(context, named(context, "endpoint", request["EndpointName"])), values
    )


def _invocation(context: Context, request: Request, *, streams: bool) -> Relayed:
    for member, words in NOT_HERE.items():
        if member in request:
            raise invalid(f"{member} is for {words}, which this server does not have.")
    at = named(context, "endpoint", request["EndpointName"])
    serving = Serving.of(context.dispatcher)
    invocation = Invocation((at.account, at.region, at.folded), at.name, request, streams)
    if serving.routes.get(invocation.key) is None:
        elsewhere = _elsewhere(context, at)
        if elsewhere is not None:
            http = context.http
            assert http is not None, "only what came over HTTP is handed on"
            return Relayed(lambda: serving.forwarding.send(elsewhere, http), serving.loop)
    return Relayed(lambda: serving.relay.invoke(invocation), serving.loop)


def _elsewhere(context: Context, at: Name) -> str | None:
    """Where the server is that runs an endpoint which this one does not; None for one that is about to run here. Raises
    AwsError."""
    with nullcontext(context.transaction) if context.transaction is not None else context.read() as tx:
        stored = store_endpoints.live(tx, at)
        if stored is None or stored.endpoint.at.name != at.name or not stored.endpoint.is_serving:
            raise not_found(at.name, at.account)
        owner = store_owners.owner_of(tx, at.account, at.region, at.folded)
    reception = context.dispatcher.reception
    if owner is None or owner == "" or (reception is not None and owner == reception.address):
        return None
    if context.http is None or MARK in context.http.headers:
        return None
    return owner


@operation("InvokeEndpoint", mode=Mode.RELAY, permissions=_invoking, largest_body=LARGEST_BODY + 1024)
def invoke_endpoint(context: Context, request: Request) -> Relayed:
    """Have a model answer."""
    return _invocation(context, request, streams=False)


def _refused(_context: Context, _request: Request) -> Iterable[Permission]:
    return ()


@operation("InvokeEndpointAsync", mode=Mode.READ, permissions=_refused)
def invoke_endpoint_async(_context: Context, request: Request) -> Request:
    """Refused: there are no asynchronous endpoints yet."""
    raise AwsError(
        f"The endpoint {request['EndpointName']} is not an asynchronous one: this server has none.", code="ValidationError"
    )
