"""InvokeEndpoint."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, nullcontext
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.relayed import Relayed
from modelyard.endpoints import store_components, store_endpoints, store_owners
from modelyard.endpoints.component import component_at, key_of
from modelyard.endpoints.connection import Lost
from modelyard.endpoints.deployment import Stored
from modelyard.endpoints.forwarding import MARK
from modelyard.endpoints.model import Name
from modelyard.endpoints.permissions import Values, named, resource_of
from modelyard.endpoints.refusals import COMPONENT_NOT_ALLOWED, invalid, not_found
from modelyard.endpoints.relaying import Invocation
from modelyard.endpoints.serving import Serving
from modelyard.storage.interface import Transaction

operation = operations_of("sagemaker-runtime")
Request = dict[str, Any]

LARGEST_BODY = 6 * 1024 * 1024


def _invoking(context: Context, request: Request) -> Iterable[Permission]:
    values: Values = {"sagemaker:TargetModel": request["TargetModel"]} if "TargetModel" in request else {}
    yield Permission(
        "sagemaker:InvokeEndpoint", resource_of(context, named(context, "endpoint", request["EndpointName"])), values
    )


def _invocation(context: Context, request: Request, *, streams: bool) -> Relayed:
    at = named(context, "endpoint", request["EndpointName"])
    component = request.get("InferenceComponentName", "")
    serving = Serving.of(context.dispatcher)
    key = (at.account, at.region, at.folded) if not component else key_of(at, component)
    invocation = Invocation(key, at.name, request, streams, component)
    if serving.routes.get(key) is None:
        elsewhere = _elsewhere(context, at, component)
        if elsewhere is not None:
            http = context.http
            assert http is not None, "only what came over HTTP is handed on"
            return Relayed(lambda: serving.forwarding.send(elsewhere, http, streams=streams), serving.loop)
    return Relayed(lambda: serving.relay.invoke(invocation), serving.loop)


def _elsewhere(context: Context, at: Name, component: str) -> str | None:
    """Where the server is that runs an endpoint which this one does not; None for one that is about to run here. Raises
    AwsError."""
    with nullcontext(context.transaction) if context.transaction is not None else context.read() as tx:
        stored = store_endpoints.live(tx, at)
        if stored is None or stored.endpoint.at.name != at.name or not stored.endpoint.is_serving:
            raise not_found(at.name, at.account)
        if component:
            _check_component(tx, stored, component)
        owner = store_owners.owner_of(tx, at.account, at.region, at.folded)
    reception = context.dispatcher.reception
    if owner is None or owner == "" or (reception is not None and owner == reception.address):
        return None
    if context.http is None or MARK in context.http.headers:
        return None
    return owner


def _check_component(tx: Transaction, stored: Stored, name: str) -> None:
    """Whether an endpoint has a component that may be asked. Raises AwsError."""
    at = stored.endpoint.at
    serving = None if stored.serving is None else store_endpoints.deployment(tx, stored.serving)
    if serving is not None and serving.hosted:
        raise invalid(COMPONENT_NOT_ALLOWED)
    found = store_components.live(tx, component_at(at.account, at.region, name))
    if found is None or found.endpoint != stored.id or found.at.name != name or not found.stored.endpoint.is_serving:
        raise invalid(f"Inference Component {name} of endpoint {at.name} of account {at.account} not found.")


@operation("InvokeEndpoint", mode=Mode.RELAY, permissions=_invoking, largest_body=LARGEST_BODY + 1024)
def invoke_endpoint(context: Context, request: Request) -> Relayed:
    """Have a model answer."""
    return _invocation(context, request, streams=False)


@operation("InvokeEndpointWithResponseStream", mode=Mode.RELAY, permissions=_invoking, largest_body=LARGEST_BODY + 1024)
def invoke_endpoint_with_response_stream(context: Context, request: Request) -> Relayed:
    """Have a model answer piece by piece, as it makes them."""
    relayed = _invocation(context, request, streams=True)

    async def begin() -> Any:
        found = await relayed.begin()
        if not isinstance(found, dict):
            return found
        return {**found, "Body": _parts(found.pop("Pieces"))}

    return Relayed(begin, relayed.loop)


async def _parts(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[Request, None]:
    """The events of a streamed answer."""
    try:
        async with aclosing(pieces) as given:
            async for piece in given:
                yield {"PayloadPart": {"Bytes": piece}}
    except Lost as error:
        raise AwsError(
            f"The model's answer broke off: {error}.", code="ModelStreamError", members={"ErrorCode": "StreamBroken"}
        ) from None
