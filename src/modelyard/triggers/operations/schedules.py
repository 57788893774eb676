"""EventBridge Scheduler: schedules of the default group."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import service_could_assume
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.triggers import pages, schedule
from modelyard.triggers import store_schedules as store
from modelyard.triggers.failures import no_such_schedule, not_found, schedule_exists
from modelyard.triggers.names import DEFAULT_GROUP
from modelyard.triggers.permissions import SCHEDULER_PRINCIPAL, Request, here, passing
from modelyard.triggers.schedule import ScheduleError
from modelyard.triggers.store_schedules import Schedule
from modelyard.triggers.target import TargetError, check_schedule_target

operation = operations_of("scheduler")

_GIVEN = ("ScheduleExpression", "StartDate", "EndDate", "Description", "Target", "FlexibleTimeWindow", "ActionAfterCompletion")
_NOT_HERE = (
    "EcsParameters",
    "EventBridgeParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
    "KinesisParameters",
)


def _on_schedule(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        arn = f"arn:aws:scheduler:{context.region}:{context.account}:schedule/{_group(request)}/{request['Name']}"
        yield Permission(f"scheduler:{action}", Resource(arn, context.account))
        if "Target" in request:
            yield from passing(context, [request["Target"]["RoleArn"]], SCHEDULER_PRINCIPAL)

    return permissions


def _listing(context: Context, _request: Request) -> Iterable[Permission]:
    yield Permission("scheduler:ListSchedules", Resource("*", context.account))


def _group(request: Request) -> str:
    return str(request.get("GroupName", DEFAULT_GROUP))


def _check_group(request: Request) -> None:
    if _group(request) != DEFAULT_GROUP:
        raise not_found(f"Schedule group {_group(request)} does not exist.")


def _existing(context: Context, request: Request) -> Schedule:
    _check_group(request)
    found = store.schedule(context.tx, here(context), request["Name"])
    if found is None:
        raise no_such_schedule(request["Name"])
    return found


def _document(request: Request, created: float, now: float) -> dict[str, Any]:
    """The schedule that a request describes. Raises ValidationException."""
    if "KmsKeyArn" in request:
        raise ValidationException("Schedules encrypted with a key of the customer are not available in Modelyard.")
    for member in _NOT_HERE:
        if member in request["Target"]:
            raise ValidationException(f"Modelyard's schedules have no targets with {member}.")
    document = {
        "ScheduleExpressionTimezone": request.get("ScheduleExpressionTimezone", "UTC"),
        "State": request.get("State", "ENABLED"),
        "ActionAfterCompletion": "NONE",
        **{member: request[member] for member in _GIVEN if member in request},
        "CreationDate": created,
        "LastModificationDate": now,
    }
    try:
        check_schedule_target(document["Target"])
        schedule.check(document)
    except (TargetError, ScheduleError) as error:
        raise ValidationException(str(error)) from None
    return document


def _check_role(context: Context, request: Request) -> None:
    role, arn = request["Target"]["RoleArn"], here(context).schedule(request["Name"])
    if not service_could_assume(context.tx, role, SCHEDULER_PRINCIPAL, context.facts, arn):
        raise ValidationException("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")


@operation("CreateSchedule", mode=Mode.WRITE, permissions=_on_schedule("CreateSchedule"))
def create_schedule(context: Context, request: Request) -> Request:
    """Have a target called at times: once, every so often, or by the calendar of a time zone."""
    _check_group(request)
    place, name = here(context), request["Name"]
    if store.schedule(context.tx, place, name) is not None:
        raise schedule_exists(name)
    document = _document(request, context.now, context.now)
    _check_role(context, request)
    store.put(context.tx, place, name, schedule.first_due(document, context.now), document)
    return {"ScheduleArn": place.schedule(name)}


@operation("UpdateSchedule", mode=Mode.WRITE, permissions=_on_schedule("UpdateSchedule"))
def update_schedule(context: Context, request: Request) -> Request:
    """Put another schedule in place of one: what is not given is as if it had never been."""
    found = _existing(context, request)
    document = _document(request, found.document["CreationDate"], context.now)
    _check_role(context, request)
    store.put(context.tx, found.place, found.name, schedule.first_due(document, context.now), document)
    return {"ScheduleArn": found.arn}


@operation("GetSchedule", mode=Mode.READ, permissions=_on_schedule("GetSchedule"))
def get_schedule(context: Context, request: Request) -> Request:
    """What is known of a schedule."""
    found = _existing(context, request)
    return {"Arn": found.arn, "Name": found.name, "GroupName": DEFAULT_GROUP, **found.document}


@operation("DeleteSchedule", mode=Mode.WRITE, permissions=_on_schedule("DeleteSchedule"))
def delete_schedule(context: Context, request: Request) -> Request:
    """Forget a schedule; what it has started already is delivered."""
    store.delete(context.tx, _existing(context, request).id)
    return {}


@operation("ListSchedules", mode=Mode.SLOW_READ, permissions=_listing)
def list_schedules(context: Context, request: Request) -> Request:
    """The schedules by name."""
    _check_group(request)
    state = request.get("State")

    def load(after: str, most: int) -> list[Schedule]:
        found: list[Schedule] = []
        while len(found) < most:
            some = store.schedules(context.tx, here(context), request.get("NamePrefix", ""), after, most)
            found += [each for each in some if state in (None, each.document["State"])]
            if len(some) < most:
                break
            after = some[-1].name
        return found[:most]

    def shape(found: Schedule) -> dict[str, Any]:
        shown = {name: found.document[name] for name in ("State", "CreationDate", "LastModificationDate")}
        target = {"Arn": found.document["Target"]["Arn"]}
        return {"Arn": found.arn, "Name": found.name, "GroupName": DEFAULT_GROUP, **shown, "Target": target}

    return pages.page(context, "ListSchedules", request, "Schedules", load, lambda found: found.name, shape, "MaxResults")
