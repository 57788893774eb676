"""PutEvents, which adds to the same outbox that the other parts publish in, and TestEventPattern."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.events import outbox
from modelyard.triggers.failures import invalid, no_such_bus
from modelyard.triggers.names import DEFAULT_BUS
from modelyard.triggers.operations.rules import check_pattern
from modelyard.triggers.pattern import compiled
from modelyard.triggers.permissions import Request, here, on_all

operation = operations_of("events")

LARGEST = 1024 * 1024
"""Bytes of all entries of a request together."""
DEEPEST = 100
OUR_SOURCE = "modelyard"
_ENVELOPE = ("id", "account", "source", "time", "region", "resources", "detail-type")


def _putting(context: Context, request: Request) -> Iterable[Permission]:
    for entry in request["Entries"]:
        conditions: dict[str, str | tuple[str, ...]] = {}
        if "Source" in entry:
            conditions["events:source"] = entry["Source"]
        if "DetailType" in entry:
            conditions["events:detail-type"] = entry["DetailType"]
        yield Permission("events:PutEvents", Resource(here(context).bus, context.account), conditions)


class _Refused(Exception):
    """An entry that is not taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@operation("PutEvents", mode=Mode.WRITE, permissions=_putting, writes=False)
def put_events(context: Context, request: Request) -> Request:
    """Add events of one's own; each is taken or refused by itself, and what is taken is on disk."""
    if sum(_size(entry) for entry in request["Entries"]) > LARGEST:
        raise ValidationException("Total size of the entries in the request is over the limit.")
    answers: list[dict[str, Any]] = []
    for entry in request["Entries"]:
        try:
            detail = _detail(context, entry)
            answers.append({"EventId": _publish(context, entry, detail)})
        except _Refused as refused:
            answers.append({"ErrorCode": refused.code, "ErrorMessage": str(refused)})
    return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


def _size(entry: Mapping[str, Any]) -> int:
    """As AWS counts it: 14 bytes for a time, and those of the texts."""
    texts = [entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", ""), *entry.get("Resources", ())]
    return sum(len(text.encode()) for text in texts) + (14 if "Time" in entry else 0)


def _detail(context: Context, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The detail of an entry that may be taken."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            raise _Refused("InvalidArgument", f"Parameter {member} is not valid. Reason: {member} is a required argument.")
    if entry["Source"].startswith("aws.") or entry["Source"] == OUR_SOURCE:
        raise _Refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    bus = entry.get("EventBusName", DEFAULT_BUS)
    if not here(context).is_default_bus(bus):
        missing: AwsError = no_such_bus(bus.rpartition("/")[2] or bus)
        raise _Refused(missing.code, missing.message)
    try:
        detail = orjson.loads(entry["Detail"])
    except orjson.JSONDecodeError:
        raise _Refused("MalformedDetail", "Detail is malformed.") from None
    if not isinstance(detail, dict) or _depth_exceeds(detail, DEEPEST):
        raise _Refused("MalformedDetail", "Detail is malformed.")
    return detail


def _depth_exceeds(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [each for value in level for each in (value.values() if isinstance(value, dict) else value)]
        level = [value for value in level if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _publish(context: Context, entry: Mapping[str, Any], detail: dict[str, Any]) -> str:
    """Add an event; its id. A time in the future is taken for a clock that is fast."""
    resources = entry.get("Resources", [])
    outbox.publish(
        context.tx,
        source=entry["Source"],
        detail_type=entry["DetailType"],
        account=context.account,
        region=context.region,
        resources=resources,
        detail=detail,
        group_key=resources[0] if resources else f"{here(context).bus} {entry['Source']}",
        now=min(float(entry.get("Time", context.now)), context.now),
    )
    (event,) = outbox.read(context.tx, outbox.last_position(context.tx) - 1, 1)
    return event.id


@operation("TestEventPattern", mode=Mode.READ, permissions=on_all("events", "TestEventPattern"))
def test_event_pattern(_context: Context, request: Request) -> Request:
    """Whether a pattern matches an event."""
    check_pattern(request["EventPattern"])
    try:
        event = orjson.loads(request["Event"])
    except orjson.JSONDecodeError:
        raise invalid("Event", "It is not JSON.") from None
    if not isinstance(event, dict):
        raise invalid("Event", "It is not a JSON object.")
    absent = [member for member in _ENVELOPE if member not in event]
    if absent:
        raise invalid("Event", f"The event has no {', '.join(absent)}.")
    return {"Result": compiled(request["EventPattern"]).matches(event)}
