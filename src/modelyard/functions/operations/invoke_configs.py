"""What is done with asynchronous invocations: attempts, age, and where what came of them is told."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.functions import store_events
from modelyard.functions.failures import not_found
from modelyard.functions.function import check_destination
from modelyard.functions.permissions import Request, existing, function_at, on_function

operation = operations_of("lambda")

_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


def _put(context: Context, request: Request, present: dict[str, Any]) -> Request:
    at = function_at(context, request)
    found = existing(context.tx, at)
    for side in ("OnSuccess", "OnFailure"):
        destination = request.get("DestinationConfig", {}).get(side, {}).get("Destination", "")
        check_destination(destination, "destination")
    document = present | {name: request[name] for name in _MEMBERS if name in request}
    document |= {"FunctionArn": f"{at.arn}:{at.qualifier or '$LATEST'}", "LastModified": context.now}
    store_events.put_invoke_config(context.tx, found.function_id, at.qualifier, document)
    return document


def _present(context: Context, request: Request) -> dict[str, Any]:
    at = function_at(context, request)
    found = store_events.invoke_config(context.tx, existing(context.tx, at).function_id, at.qualifier)
    if found is None:
        raise not_found(f"The function {at.qualified_arn} doesn't have an EventInvokeConfig")
    return found


@operation("PutFunctionEventInvokeConfig", mode=Mode.WRITE, permissions=on_function("PutFunctionEventInvokeConfig"))
def put_function_event_invoke_config(context: Context, request: Request) -> Request:
    """Say what is done, in place of what was said before."""
    return _put(context, request, {})


@operation("UpdateFunctionEventInvokeConfig", mode=Mode.WRITE, permissions=on_function("UpdateFunctionEventInvokeConfig"))
def update_function_event_invoke_config(context: Context, request: Request) -> Request:
    """Change some of it."""
    return _put(context, request, _present(context, request))


@operation("GetFunctionEventInvokeConfig", mode=Mode.READ, permissions=on_function("GetFunctionEventInvokeConfig"))
def get_function_event_invoke_config(context: Context, request: Request) -> Request:
    """What is done."""
    return _present(context, request)


@operation("DeleteFunctionEventInvokeConfig", mode=Mode.WRITE, permissions=on_function("DeleteFunctionEventInvokeConfig"))
def delete_function_event_invoke_config(context: Context, request: Request) -> None:
    """Do what is done with any function again."""
    _present(context, request)
    at = function_at(context, request)
    store_events.remove_invoke_config(context.tx, existing(context.tx, at).function_id, at.qualifier)
