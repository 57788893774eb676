"""Tags of functions."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.functions.failures import invalid
from modelyard.functions.function_name import FunctionName, named
from modelyard.functions.permissions import Request, existing, resource, tag_conditions

operation = operations_of("lambda")


def _at(context: Context, request: Request) -> FunctionName:
    text = request["Resource"]
    at = named(text, None, context.account, context.region) if text.startswith("arn:") else None
    if at is None or at.qualifier:
        raise invalid(f"{text[:256]} is not the ARN of a function in {context.region}.")
    return at


def _on(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        conditions = tag_conditions(request.get("Tags", {}))
        if "TagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["TagKeys"])
        yield Permission(f"lambda:{action}", resource(context.tx, _at(context, request)), conditions)

    return permissions


@operation("TagResource", mode=Mode.WRITE, permissions=_on("TagResource"))
def tag_resource(context: Context, request: Request) -> None:
    """Add tags to a function."""
    at = existing(context.tx, _at(context, request)).at
    tags.put_tags(context.tx, at.arn, request["Tags"])


@operation("UntagResource", mode=Mode.WRITE, permissions=_on("UntagResource"))
def untag_resource(context: Context, request: Request) -> None:
    """Take tags from a function."""
    at = existing(context.tx, _at(context, request)).at
    tags.remove_tags(context.tx, at.arn, request["TagKeys"])


@operation("ListTags", mode=Mode.READ, permissions=_on("ListTags"))
def list_tags(context: Context, request: Request) -> Request:
    """The tags of a function."""
    at = existing(context.tx, _at(context, request)).at
    return {"Tags": tags.tags_of(context.tx, at.arn)}
