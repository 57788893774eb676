"""Tags of queues."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.queues.permissions import Request, on_one, on_queue, queue_at, queue_of, tag_conditions

operation = operations_of("sqs")


def _tagging(context: Context, request: Request) -> Iterable[Permission]:
    yield on_one(context, "TagQueue", queue_at(context, request), tag_conditions(request["Tags"]))


def _untagging(context: Context, request: Request) -> Iterable[Permission]:
    conditions = {"aws:TagKeys": tuple(request["TagKeys"])}
    yield on_one(context, "UntagQueue", queue_at(context, request), conditions)


@operation("TagQueue", mode=Mode.WRITE, permissions=_tagging)
def tag_queue(context: Context, request: Request) -> None:
    """Add tags, overwriting those with the same keys."""
    tags.put_tags(context.tx, queue_of(context, request).at.arn, request["Tags"])


@operation("UntagQueue", mode=Mode.WRITE, permissions=_untagging)
def untag_queue(context: Context, request: Request) -> None:
    """Remove tags; keys that are not there are ignored."""
    tags.remove_tags(context.tx, queue_of(context, request).at.arn, request["TagKeys"])


@operation("ListQueueTags", mode=Mode.READ, permissions=on_queue("ListQueueTags"))
def list_queue_tags(context: Context, request: Request) -> Request:
    """All tags of a queue."""
    found = tags.tags_of(context.tx, queue_of(context, request).at.arn)
    return {"Tags": found} if found else {}
