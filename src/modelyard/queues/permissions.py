"""What SQS's operations ask for: an action on a queue, under the queue's own policy and tags."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import ANY_TYPE, finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.queues import store
from modelyard.queues.errors import no_such_queue, sqs_error
from modelyard.queues.queue import Queue, QueueName, at_arn, at_url

Request = dict[str, Any]
OWNERS = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)
"""What no queue's policy allows to another account: with `sqs:*` it would hand over the policy itself. Source: "Overview of
managing access" of the developer guide."""
_AWS_HOST = re.compile(r"(^|\.)(amazonaws\.com(\.cn)?|api\.aws)(:[0-9]+)?$")


def queue_at(context: Context, request: Request) -> QueueName:
    """The queue that a request names. Raises InvalidAddress for what is no queue's URL."""
    at = at_url(request["QueueUrl"], context.region)
    if at is None:
        raise sqs_error("InvalidAddress", f"The address {request['QueueUrl'][:256]} is not valid for this endpoint.")
    return at


def queue_of(context: Context, request: Request) -> Queue:
    """The queue that a request names. Raises QueueDoesNotExist."""
    found = store.queue(context.tx, queue_at(context, request))
    if found is None:
        raise no_such_queue()
    return found


def queue_resource(context: Context, at: QueueName) -> Resource:
    """A queue as policies see it, whether it is there or not."""
    found = store.queue(context.tx, at)
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn), None if found is None else found.policy)


def on_queue(action: str) -> Permissions:
    """One action on the queue whose URL the request has."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield on_one(context, action, queue_at(context, request))

    return permissions


def on_one(
    context: Context, action: str, at: QueueName, conditions: Mapping[str, str | tuple[str, ...]] | None = None
) -> Permission:
    """An action on a queue."""
    found = queue_resource(context, at)
    if action in OWNERS and found.account != context.account:
        found = replace(found, policy=None)
    return Permission(f"sqs:{action}", found, conditions or {})


def tag_conditions(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


def url(context: Context, at: QueueName) -> str:
    """The URL of a queue, on the address that the client reached this server by.

    Never on one of AWS's names, by which clients reach it through the proxy: others take the URL for the endpoint, and would send
    their messages to AWS.
    """
    http = context.http
    host = http.headers.get("host", "") if http is not None else ""
    if http is not None and host and not _AWS_HOST.search(host.lower()):
        return f"{http.scheme}://{host}{at.path}"
    address, port = (http.server if http is not None else None) or (context.settings.host, context.settings.port)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}{at.path}"


@finds("sqs", ANY_TYPE)
def find_queue(context: Context, arn: Arn) -> Resource | None:
    """A queue by its ARN, for those who ask what may be done with it."""
    at = at_arn(str(arn))
    return None if at is None or store.queue(context.tx, at) is None else queue_resource(context, at)
