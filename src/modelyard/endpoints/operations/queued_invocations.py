"""InvokeEndpointAsync."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import ThrottlingException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.endpoints import backlog, queued, store_endpoints, store_queued, wakening
from modelyard.endpoints.model import Document, RuleBroken
from modelyard.endpoints.permissions import named, resource_of
from modelyard.endpoints.queued import Place
from modelyard.endpoints.queueing import Queueing
from modelyard.endpoints.refusals import invalid, not_found

operation = operations_of("sagemaker-runtime")
Request = dict[str, Any]


def _invoking(context: Context, request: Request) -> Iterable[Permission]:
    resource = resource_of(context, named(context, "endpoint", request["EndpointName"]))
    yield Permission("sagemaker:InvokeEndpointAsync", resource)


@operation(
    "InvokeEndpointAsync",
    mode=Mode.WRITE,
    permissions=_invoking,
    writes=False,
    largest_body=queued.LARGEST_INLINE + 1024,
)
def invoke_endpoint_async(context: Context, request: Request) -> Request:
    """Take a request down, to be answered into S3; once this is answered it is on disk."""
    at = named(context, "endpoint", request["EndpointName"])
    stored = store_endpoints.live(context.tx, at)
    if stored is None or stored.endpoint.at.name != at.name or not stored.endpoint.is_serving or stored.serving is None:
        raise not_found(at.name, at.account)
    asynchronous = queued.config_of(store_endpoints.deployment(context.tx, stored.serving).config)
    if asynchronous is None:
        raise invalid(f"The endpoint {at.name} is not an asynchronous one: it is invoked with InvokeEndpoint.")
    document = _accepted(context, asynchronous, request)
    if not Queueing.of(context.dispatcher).room.has(context.tx, stored.id):
        raise ThrottlingException(
            f"The endpoint {at.name} has {backlog.MOST_WAITING} requests to answer, and takes no more for now."
        )
    wait = request.get("RequestTTLSeconds", queued.LONGEST_WAIT)
    store_queued.add(context.tx, stored.id, document, request.get("Body", b""), context.now, context.now + wait)
    context.tx.after_commit(wakening.tell)
    answer: Request = {
        "InferenceId": document["Request"]["InferenceId"],
        "OutputLocation": Place(*document["Output"]).uri,
    }
    if "Failure" in document:
        answer["FailureLocation"] = Place(*document["Failure"]).uri
    return answer


def _accepted(context: Context, asynchronous: Document, request: Request) -> Document:
    try:
        return queued.accepted(asynchronous, request, context.ids.request_id())
    except RuleBroken as error:
        raise invalid(str(error)) from None
