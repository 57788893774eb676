"""Log groups: create, list, delete; how long they keep their events."""

from collections.abc import Iterable

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, put_tags
from modelyard.logs import store
from modelyard.logs.errors import exists, invalid
from modelyard.logs.log_group import RETENTIONS, GroupName, LogGroup
from modelyard.logs.pages import open_token, seal_token
from modelyard.logs.permissions import Request, group_at, group_of, identified, on_group, tag_conditions

operation = operations_of("logs")

PAGE = 50


def milliseconds(context: Context) -> int:
    """Now."""
    return round(context.now * 1000)


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    at, tags = group_at(context, request), request.get("tags", {})
    yield Permission("logs:CreateLogGroup", Resource(at.stream_arn(""), at.account), tag_conditions(tags))
    if tags:
        yield Permission("logs:TagResource", Resource(at.arn, at.account), tag_conditions(tags))


@operation("CreateLogGroup", mode=Mode.WRITE, permissions=_creation)
def create_log_group(context: Context, request: Request) -> None:
    """Make a group, which keeps its events for ever until it is told otherwise."""
    at = group_at(context, request)
    if at.name.startswith("aws/"):
        raise invalid("Log groups starting with AWS/ are reserved for AWS.")
    if "kmsKeyId" in request or request.get("deletionProtectionEnabled"):
        raise invalid("Modelyard does not encrypt log groups under keys of their own, and does not protect them from deletion.")
    if store.group(context.tx, at) is not None:
        raise exists("log group")
    store.add_group(context.tx, at, request.get("logGroupClass", "STANDARD"), milliseconds(context))
    put_tags(context.tx, at.arn, request.get("tags", {}))


@operation("DeleteLogGroup", mode=Mode.WRITE, permissions=on_group("DeleteLogGroup"))
def delete_log_group(context: Context, request: Request) -> None:
    """Remove a group with everything in it; the name is free at once."""
    group = group_of(context, request)
    store.delete_group(context.tx, group.id)
    forget_tags(context.tx, group.at.arn)


@operation("PutRetentionPolicy", mode=Mode.WRITE, permissions=on_group("PutRetentionPolicy"))
def put_retention_policy(context: Context, request: Request) -> None:
    """Keep events for so many days; older ones cannot be read from now on."""
    group, days = group_of(context, request), request["retentionInDays"]
    if days not in RETENTIONS:
        raise invalid(f"Value '{days}' at 'retentionInDays' must be one of {', '.join(map(str, RETENTIONS))}.")
    store.set_retention(context.tx, group.id, days)


@operation("DeleteRetentionPolicy", mode=Mode.WRITE, permissions=on_group("DeleteRetentionPolicy"))
def delete_retention_policy(context: Context, request: Request) -> None:
    """Keep events for ever."""
    store.set_retention(context.tx, group_of(context, request).id, None)


def _listing(context: Context, request: Request) -> Iterable[Permission]:
    at = GroupName(context.account, context.region, "")
    yield Permission("logs:DescribeLogGroups", Resource(at.stream_arn(""), at.account))


@operation("DescribeLogGroups", mode=Mode.SLOW_READ, permissions=_listing)
def describe_log_groups(context: Context, request: Request) -> Request:
    """The account's groups in order of names, those that begin with a prefix or hold a text."""
    if "logGroupIdentifiers" in request:
        named = {identified(context, identifier) for identifier in request["logGroupIdentifiers"]}
        own = sorted((at for at in named if at.account == context.account), key=lambda at: at.name)
        found = [group for at in own if (group := store.group(context.tx, at)) is not None]
        return {"logGroups": [_shown(group) for group in found]}
    prefix, within = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    if prefix and within:
        raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    query = {"operation": "DescribeLogGroups", "prefix": prefix, "within": within, "class": request.get("logGroupClass")}
    after = open_token(context, request["nextToken"], query)[0] if "nextToken" in request else ""
    most = request.get("limit", PAGE)
    found = store.groups(
        context.tx,
        context.account,
        context.region,
        prefix=prefix,
        within=within,
        log_class=request.get("logGroupClass"),
        after=after,
        most=most + 1,
    )
    answer: Request = {"logGroups": [_shown(group) for group in found[:most]]}
    if len(found) > most:
        answer["nextToken"] = seal_token(context, query, [found[most - 1].at.name])
    return answer


def _shown(group: LogGroup) -> Request:
    shown: Request = {
        "logGroupName": group.at.name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": f"{group.at.arn}:*",
        "logGroupArn": group.at.arn,
        "storedBytes": group.stored,
        "logGroupClass": group.log_class,
    }
    if group.retention is not None:
        shown["retentionInDays"] = group.retention
    return shown
