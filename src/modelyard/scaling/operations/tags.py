"""Tags of scalable targets."""

from collections.abc import Iterable

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.scaling import store
from modelyard.scaling.permissions import Request, tag_conditions

operation = operations_of("application-autoscaling")


def _on_resource(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        arn = request["ResourceARN"]
        conditions = tag_conditions(request.get("Tags", {}))
        if "TagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["TagKeys"])
        resource = Resource(arn, arn.split(":", 5)[4], TagsOnDemand(context.tx, arn))
        yield Permission(f"application-autoscaling:{action}", resource, conditions)

    return permissions


def _existing(context: Context, request: Request) -> str:
    found = store.target_by_arn(context.tx, request["ResourceARN"])
    if found is None or found.aim.account != context.account or found.aim.region != context.region:
        members = {"ResourceName": request["ResourceARN"]}
        raise AwsError(f"{request['ResourceARN']} does not exist.", code="ResourceNotFoundException", members=members)
    return found.arn


@operation("TagResource", mode=Mode.WRITE, permissions=_on_resource("TagResource"))
def tag_resource(context: Context, request: Request) -> Request:
    """Add tags to a scalable target, overwriting those with the same keys."""
    tags.put_tags(context.tx, _existing(context, request), request["Tags"])
    return {}


@operation("UntagResource", mode=Mode.WRITE, permissions=_on_resource("UntagResource"))
def untag_resource(context: Context, request: Request) -> Request:
    """Remove tags from a scalable target; keys that are not there are ignored."""
    tags.remove_tags(context.tx, _existing(context, request), request["TagKeys"])
    return {}


@operation("ListTagsForResource", mode=Mode.READ, permissions=_on_resource("ListTagsForResource"))
def list_tags_for_resource(context: Context, request: Request) -> Request:
    """The tags of a scalable target."""
    return {"Tags": tags.tags_of(context.tx, _existing(context, request))}
