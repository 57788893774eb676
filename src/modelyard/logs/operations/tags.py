"""Tags of log groups."""

from collections.abc import Iterable

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.logs import store
from modelyard.logs.errors import invalid
from modelyard.logs.log_group import GroupName, at_arn
from modelyard.logs.permissions import Request, tag_conditions

operation = operations_of("logs")


def _at(context: Context, request: Request) -> GroupName:
    found = at_arn(request["resourceArn"])
    if found is None or found.region != context.region:
        raise invalid(f"{request['resourceArn'][:256]} is not the ARN of a log group in {context.region}.")
    return found


def _existing(context: Context, request: Request) -> GroupName:
    at = _at(context, request)
    if store.group(context.tx, at) is None:
        raise AwsError("The specified resource does not exist.", code="ResourceNotFoundException")
    return at


def _on_resource(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        at = _at(context, request)
        conditions = tag_conditions(request.get("tags", {}))
        if "tagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["tagKeys"])
        yield Permission(f"logs:{action}", Resource(at.arn, at.account, tags.TagsOnDemand(context.tx, at.arn)), conditions)

    return permissions


@operation("TagResource", mode=Mode.WRITE, permissions=_on_resource("TagResource"))
def tag_resource(context: Context, request: Request) -> None:
    """Add tags to a group, overwriting those with the same keys."""
    tags.put_tags(context.tx, _existing(context, request).arn, request["tags"])


@operation("UntagResource", mode=Mode.WRITE, permissions=_on_resource("UntagResource"))
def untag_resource(context: Context, request: Request) -> None:
    """Remove tags; keys that are not there are ignored."""
    tags.remove_tags(context.tx, _existing(context, request).arn, request["tagKeys"])


@operation("ListTagsForResource", mode=Mode.READ, permissions=_on_resource("ListTagsForResource"))
def list_tags_for_resource(context: Context, request: Request) -> Request:
    """All tags of a group."""
    return {"tags": tags.tags_of(context.tx, _existing(context, request).arn)}
