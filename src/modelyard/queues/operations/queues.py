"""Queues: create, find, list, describe, change, empty, delete."""

from collections.abc import Iterable, Mapping

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, put_tags
from modelyard.queues import attributes, store, store_messages
from modelyard.queues.errors import invalid_value, no_such_queue, sqs_error, unknown_attribute
from modelyard.queues.permissions import Request, on_queue, queue_of, queue_resource, tag_conditions, url
from modelyard.queues.queue import FIFO, Queue, QueueName, Redrive, at_arn, is_name

operation = operations_of("sqs")

PURGE_SECONDS = 60.0
"""How long a queue that was emptied may not be emptied again."""
MOST_LISTED = 1000


def _named(context: Context, request: Request) -> QueueName:
    """The queue of a name, in the account of the caller or the one that is given. Raises InvalidParameterValue."""
    if not is_name(request["QueueName"]):
        raise sqs_error(
            "InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    return QueueName(request.get("QueueOwnerAWSAccountId") or context.account, context.region, request["QueueName"])


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    at, tags = _named(context, request), request.get("tags", {})
    resource = Resource(at.arn, at.account)
    yield Permission("sqs:CreateQueue", resource, tag_conditions(tags))
    if tags:
        yield Permission("sqs:TagQueue", resource, tag_conditions(tags))


@operation("CreateQueue", mode=Mode.WRITE, permissions=_creation)
def create_queue(context: Context, request: Request) -> Request:
    """Make a queue, or find one of the same name whose attributes do not contradict the request."""
    at, given = _named(context, request), request.get("Attributes", {})
    fifo = at.name.endswith(FIFO)
    if fifo != (given.get("FifoQueue", "false").lower() == "true"):
        raise sqs_error(
            "InvalidParameterValue",
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo"
            " suffix and be 1 to 80 in length, and only a queue with FifoQueue set to true has such a name.",
        )
    checked = attributes.checked(given, fifo=fifo, creating=True)
    found = store.queue(context.tx, at)
    if found is not None:
        for name, value in checked.items():
            if found.attributes.get(name, "") != value:
                raise sqs_error(
                    "QueueNameExists", f"A queue already exists with the same name and a different value for attribute {name}"
                )
        return {"QueueUrl": url(context, at)}
    kept = {name: value for name, value in checked.items() if value}
    _check_target(context, at, kept)
    store.add(context.tx, at, kept, context.now)
    put_tags(context.tx, at.arn, request.get("tags", {}))
    return {"QueueUrl": url(context, at)}


def _check_target(context: Context, at: QueueName, given: Mapping[str, str]) -> None:
    """Raise InvalidParameterValue unless the dead-letter queue is there, of the same kind, and takes messages of this queue."""
    if "RedrivePolicy" not in given:
        return
    text = given["RedrivePolicy"]
    target = at_arn(Redrive.read(text).target)
    if target is not None and (target.account, target.region) != (at.account, at.region):
        # Before anything is looked up: whether another account has a queue is not to be told.
        raise invalid_value(text[:1024], "RedrivePolicy", "Dead-letter target owner and region should be same as the source.")
    found = None if target is None else store.queue(context.tx, target)
    if found is None:
        raise invalid_value(text[:1024], "RedrivePolicy", "Dead letter target does not exist.")
    if found.is_fifo != at.name.endswith(FIFO):
        raise invalid_value(text[:1024], "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
    if not attributes.allows_source(found.given.get("RedriveAllowPolicy"), at.arn):
        raise invalid_value(text[:1024], "RedrivePolicy", "Queue does not have permission to redrive on the dead letter queue.")


def _finding(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("sqs:GetQueueUrl", queue_resource(context, _named(context, request)))


@operation("GetQueueUrl", mode=Mode.READ, permissions=_finding)
def get_queue_url(context: Context, request: Request) -> Request:
    """The URL of a queue by its name, in this account or another."""
    at = _named(context, request)
    if store.queue(context.tx, at) is None:
        raise no_such_queue()
    return {"QueueUrl": url(context, at)}


def _listing(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("sqs:ListQueues", Resource(f"arn:aws:sqs:{context.region}:{context.account}:*", context.account))


@operation("ListQueues", mode=Mode.SLOW_READ, permissions=_listing)
def list_queues(context: Context, request: Request) -> Request:
    """The URLs of the account's queues in order of names, page by page when MaxResults is given."""
    prefix, most = request.get("QueueNamePrefix", ""), request.get("MaxResults", MOST_LISTED)
    if not 1 <= most <= MOST_LISTED:
        raise invalid_value(most, "MaxResults", "Value must be between 1 and 1000.")
    query = {"operation": "ListQueues", "account": context.account, "region": context.region, "prefix": prefix}
    after = context.tokens.open(request["NextToken"], query)[0] if "NextToken" in request else ""
    found = store.names(context.tx, context.account, context.region, prefix, after, most + 1)
    answer: Request = {}
    if found:
        answer["QueueUrls"] = [url(context, QueueName(context.account, context.region, name)) for name in found[:most]]
    if len(found) > most and "MaxResults" in request:
        answer["NextToken"] = context.tokens.seal(query, [found[most - 1]])
    return answer


@operation("GetQueueAttributes", mode=Mode.SLOW_READ, permissions=on_queue("GetQueueAttributes"))
def get_queue_attributes(context: Context, request: Request) -> Request:
    """What the queue is set to, and how many messages it holds."""
    queue, wanted = queue_of(context, request), request.get("AttributeNames", [])
    for name in wanted:
        if name != "All" and name not in attributes.SETTABLE and name not in attributes.COUNTED:
            raise unknown_attribute(name)
    shown = _shown(context, queue, counts="All" in wanted or any(name.startswith("Approximate") for name in wanted))
    chosen = shown if "All" in wanted else {name: value for name, value in shown.items() if name in wanted}
    return {"Attributes": chosen} if chosen else {}


def _shown(context: Context, queue: Queue, *, counts: bool) -> dict[str, str]:
    shown = {
        **queue.attributes,
        "QueueArn": queue.at.arn,
        "CreatedTimestamp": str(int(queue.created)),
        "LastModifiedTimestamp": str(int(queue.modified)),
    }
    if counts:
        ready, in_flight, delayed = store_messages.count(context.tx, queue, context.now)
        shown["ApproximateNumberOfMessages"] = str(ready)
        shown["ApproximateNumberOfMessagesNotVisible"] = str(in_flight)
        shown["ApproximateNumberOfMessagesDelayed"] = str(delayed)
    return shown


@operation("SetQueueAttributes", mode=Mode.WRITE, permissions=on_queue("SetQueueAttributes"))
def set_queue_attributes(context: Context, request: Request) -> None:
    """Change attributes; those that are not named stay as they are."""
    queue = queue_of(context, request)
    checked = attributes.checked(request["Attributes"], fifo=queue.is_fifo, creating=False)
    _check_target(context, queue.at, {name: value for name, value in checked.items() if value})
    kept = {name: value for name, value in {**queue.given, **checked}.items() if value}
    store.set_attributes(context.tx, queue.id, kept, context.now)


@operation("PurgeQueue", mode=Mode.WRITE, permissions=on_queue("PurgeQueue"))
def purge_queue(context: Context, request: Request) -> None:
    """Remove every message, at most once a minute."""
    queue = queue_of(context, request)
    if queue.purged is not None and context.now < queue.purged + PURGE_SECONDS:
        raise sqs_error(
            "PurgeQueueInProgress",
            f"Only one PurgeQueue operation on {queue.at.name} is allowed every {PURGE_SECONDS:.0f} seconds.",
        )
    store.empty(context.tx, queue, context.now)


@operation("DeleteQueue", mode=Mode.WRITE, permissions=on_queue("DeleteQueue"))
def delete_queue(context: Context, request: Request) -> None:
    """Remove a queue with everything in it; the name is free at once."""
    queue = queue_of(context, request)
    store.delete(context.tx, queue)
    forget_tags(context.tx, queue.at.arn)
