"""Tags of alarms."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.metrics import store_alarms
from modelyard.metrics.errors import not_found
from modelyard.metrics.permissions import Request, alarm_arn, alarm_resource, owner, tag_conditions

operation = operations_of("cloudwatch")


def _missing(arn: str) -> Exception:
    return not_found(f"{arn} does not exist.", "ResourceNotFoundException")


def _name(context: Context, request: Request) -> str:
    """The name of the alarm whose ARN the request has. Raises ResourceNotFoundException for what is no alarm of the caller."""
    prefix, arn = alarm_arn(context, ""), request["ResourceARN"]
    if not arn.startswith(prefix) or arn == prefix:
        raise _missing(arn)
    return str(arn.removeprefix(prefix))


def _on_resource(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        conditions = tag_conditions(tags.from_list(request.get("Tags", ())))
        if "TagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["TagKeys"])
        yield Permission(f"cloudwatch:{action}", alarm_resource(context, _name(context, request)), conditions)

    return permissions


def _existing(context: Context, request: Request) -> str:
    alarm = store_alarms.alarm(context.tx, owner(context), context.region, _name(context, request))
    if alarm is None:
        raise _missing(request["ResourceARN"])
    return alarm.arn


@operation("TagResource", mode=Mode.WRITE, permissions=_on_resource("TagResource"))
def tag_resource(context: Context, request: Request) -> Request:
    """Add tags to an alarm, overwriting those with the same keys."""
    tags.put_tags(context.tx, _existing(context, request), tags.from_list(request["Tags"]))
    return {}


@operation("UntagResource", mode=Mode.WRITE, permissions=_on_resource("UntagResource"))
def untag_resource(context: Context, request: Request) -> Request:
    """Remove tags from an alarm; keys that are not there are ignored."""
    tags.remove_tags(context.tx, _existing(context, request), request["TagKeys"])
    return {}


@operation("ListTagsForResource", mode=Mode.READ, permissions=_on_resource("ListTagsForResource"))
def list_tags_for_resource(context: Context, request: Request) -> Request:
    """The tags of an alarm."""
    return {"Tags": tags.to_list(tags.tags_of(context.tx, _existing(context, request)))}
