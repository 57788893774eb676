"""What CloudWatch Logs' operations ask for.

As on AWS, an action on a group is decided on `…:log-group:NAME:log-stream:`, which `…:log-group:NAME:*` covers and the bare name
does not; only tagging is decided on the bare name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import ANY_TYPE, finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.logs import store
from modelyard.logs.errors import invalid, no_such_group, no_such_stream
from modelyard.logs.log_group import GroupName, LogGroup, LogStream, at_arn

Request = dict[str, Any]


def group_at(context: Context, request: Request) -> GroupName:
    """The group that a request names, by `logGroupName` or by `logGroupIdentifier`, which may be an ARN."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier has to be given.")
    return GroupName(context.account, context.region, name) if name is not None else identified(context, str(identifier))


def identified(context: Context, identifier: str) -> GroupName:
    """The group of a name or an ARN. Raises InvalidParameterException for an ARN of another kind."""
    if not identifier.startswith("arn:"):
        return GroupName(context.account, context.region, identifier)
    found = at_arn(identifier)
    if found is None or found.region != context.region:
        raise invalid(f"{identifier[:256]} is not the ARN of a log group in {context.region}.")
    return found


def group_of(context: Context, request: Request) -> LogGroup:
    """The group that a request names. Raises ResourceNotFoundException."""
    found = store.group(context.tx, group_at(context, request))
    if found is None:
        raise no_such_group()
    return found


def stream_of(context: Context, group: LogGroup, request: Request) -> LogStream:
    """The stream that a request names. Raises ResourceNotFoundException."""
    found = store.stream(context.tx, group.id, request["logStreamName"])
    if found is None:
        raise no_such_stream()
    return found


def on_group(action: str) -> Permissions:
    """One action on the group that the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"logs:{action}", resource(context, group_at(context, request), ""))

    return permissions


def on_stream(action: str) -> Permissions:
    """One action on the stream that the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"logs:{action}", resource(context, group_at(context, request), request["logStreamName"]))

    return permissions


def resource(context: Context, at: GroupName, stream: str) -> Resource:
    """A stream, or with no name the group, under the group's tags."""
    return Resource(at.stream_arn(stream), at.account, TagsOnDemand(context.tx, at.arn))


def tag_conditions(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


@finds("logs", ANY_TYPE)
def find_group(context: Context, arn: Arn) -> Resource | None:
    """A log group, or a stream in it, by its ARN, for those who ask what may be done with it."""
    group, _, _ = arn.resource.partition(":log-stream:")
    at = at_arn(str(replace(arn, resource=group)))
    if at is None or store.group(context.tx, at) is None:
        return None
    return Resource(str(arn), at.account, TagsOnDemand(context.tx, at.arn))
