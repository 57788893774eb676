"""Tags of rules."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.triggers import store
from modelyard.triggers.failures import no_such_rule, not_found
from modelyard.triggers.names import rule_of
from modelyard.triggers.permissions import Request, here, rule_resource, tag_conditions

operation = operations_of("events")


def _name(context: Context, request: Request) -> str:
    """The name of the rule whose ARN the request has. Raises ResourceNotFoundException for what is no rule of the caller."""
    named = rule_of(request["ResourceARN"])
    if named is None or named[0] != here(context):
        raise not_found(f"Resource {request['ResourceARN']} does not exist.")
    return named[1]


def _on_resource(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        conditions = tag_conditions(tags.from_list(request.get("Tags", ())))
        if "TagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["TagKeys"])
        yield Permission(f"events:{action}", rule_resource(context, _name(context, request)), conditions)

    return permissions


def _arn(context: Context, request: Request) -> str:
    name = _name(context, request)
    if store.rule(context.tx, here(context), name) is None:
        raise no_such_rule(name)
    return here(context).rule(name)


@operation("TagResource", mode=Mode.WRITE, permissions=_on_resource("TagResource"))
def tag_resource(context: Context, request: Request) -> Request:
    """Add tags to a rule, overwriting those with the same keys."""
    tags.put_tags(context.tx, _arn(context, request), tags.from_list(request["Tags"]))
    return {}


@operation("UntagResource", mode=Mode.WRITE, permissions=_on_resource("UntagResource"))
def untag_resource(context: Context, request: Request) -> Request:
    """Remove tags from a rule; keys that are not there are ignored."""
    tags.remove_tags(context.tx, _arn(context, request), request["TagKeys"])
    return {}


@operation("ListTagsForResource", mode=Mode.READ, permissions=_on_resource("ListTagsForResource"))
def list_tags_for_resource(context: Context, request: Request) -> Request:
    """The tags of a rule."""
    return {"Tags": tags.to_list(tags.tags_of(context.tx, _arn(context, request)))}
