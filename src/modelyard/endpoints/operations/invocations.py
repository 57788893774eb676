"""InvokeEndpoint."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.relayed import Relayed
from modelyard.endpoints.permissions import Values, named, resource_of
from modelyard.endpoints.relaying import Invocation, invalid
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
    name = request["EndpointName"]
    serving = Serving.of(context.dispatcher)
    invocation = Invocation((context.account, context.region, name.lower()), name, request, streams)
    return Relayed(lambda: serving.relay.invoke(invocation), serving.loop)


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
