"""The change feed: what happened to a group, or to all that an account has, in order and resumable."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.events import outbox
from modelyard.events.history import package_group_key
from modelyard.events.outbox import Event
from modelyard.governance.resources import group_arn, on_group, on_own

operation = operations_of("modelyard")
Request = dict[str, Any]

DEFAULT_SIZE = 100
STRETCH = 20_000
"""Positions that one answer looks at for the events of an account; beyond them the next one goes on."""

_on_group = on_group("ListChanges")
_on_account = on_own("ListChanges", "changes")


def _permissions(context: Context, request: Request) -> Iterable[Permission]:
    return (_on_group if "ModelPackageGroupName" in request else _on_account)(context, request)


@operation("ListChanges", mode=Mode.SLOW_READ, permissions=_permissions)
def list_changes(context: Context, request: Request) -> Request:
    """Changes in the order in which they were made, from a position."""
    group = _group_key(context, request)
    fingerprint = {"operation": "ListChanges", "account": context.account, "region": context.region, "group": group}
    size = request.get("MaxResults", DEFAULT_SIZE)
    after = _start(context, request, fingerprint)
    last = outbox.last_position(context.tx)
    if group is not None:
        found = outbox.read(context.tx, after, size + 1, group_key=group)
        seen = last
    else:
        seen = min(last, after + STRETCH)
        found = outbox.read_account(context.tx, context.account, context.region, after, seen, size + 1)
    if len(found) > size:
        found = found[:size]
        seen = found[-1].position
    answer: Request = {"Changes": [_shown(event) for event in found], "LastPosition": max(seen, after)}
    if seen < last:
        answer["NextToken"] = context.tokens.seal(fingerprint, [seen])
    return answer


def _group_key(context: Context, request: Request) -> str | None:
    if "ModelPackageGroupName" not in request:
        return None
    arn = group_arn(context, request["ModelPackageGroupName"])
    return package_group_key(arn.account, arn.region, arn.resource.partition("/")[2])


def _start(context: Context, request: Request, fingerprint: Request) -> int:
    """The position to begin after. Raises ChangesTrimmedException when changes after it are gone, and ValidationException for one
    that no change has had: whoever waits for changes after it would wait for ever."""
    trimmed = outbox.trimmed_to(context.tx)
    if "NextToken" in request:
        after = int(context.tokens.open(request["NextToken"], fingerprint)[0])
    elif "StartAfter" in request:
        after = request["StartAfter"]
        last = outbox.last_position(context.tx)
        if after > last:
            raise ValidationException(
                f"There is no position {after} yet: the newest is {last}. If it was read here, the data was restored from a"
                " backup since: begin anew without StartAfter, and read what there is now by other operations."
            )
    else:
        return trimmed
    if after < trimmed:
        raise AwsError(
            f"Changes up to position {trimmed} were removed, as the settings of this server say: "
            "begin anew without StartAfter, and read what there is now by other operations.",
            code="ChangesTrimmedException",
        )
    return after


def _shown(event: Event) -> Request:
    return {
        "Position": event.position,
        "EventId": event.id,
        "Time": event.time,
        "Account": event.account,
        "Region": event.region,
        "Source": event.source,
        "DetailType": event.detail_type,
        "Resources": list(event.resources),
        "Detail": event.detail,
    }
