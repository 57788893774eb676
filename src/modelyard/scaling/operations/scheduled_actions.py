"""Scheduled actions: other bounds at a time."""

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.scaling import pages, scheduled_action, store
from modelyard.scaling.dimension import NAMESPACE
from modelyard.scaling.failures import invalid, no_action, too_many
from modelyard.scaling.operations.targets import check_capacities
from modelyard.scaling.permissions import Request, existing, on_all, on_target
from modelyard.scaling.scheduled_action import ActionError
from modelyard.scaling.store import Action, Target

operation = operations_of("application-autoscaling")

MOST_ACTIONS = 200
"""Of a target."""
_GIVEN = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")


@operation("PutScheduledAction", mode=Mode.WRITE, permissions=on_target("PutScheduledAction", scales=True))
def put_scheduled_action(context: Context, request: Request) -> Request:
    """Have the bounds of a capacity changed at a time: once, every so often, or by the calendar of a time zone."""
    target = existing(context, request, registered="registered")
    name, actions = request["ScheduledActionName"], store.actions_of(context.tx, target.id)
    before = next((one for one in actions if one.name == name), None)
    if before is None and len(actions) >= MOST_ACTIONS:
        raise too_many("scheduled actions of a scalable target", MOST_ACTIONS)
    document = _document(context, request, target, before)
    _check(document)
    store.put_action(context.tx, target.id, name, document, scheduled_action.first_due(document, context.now))
    return {}


def _document(context: Context, request: Request, target: Target, before: Action | None) -> Request:
    """What is left of an action by a request: what that does not name stays."""
    aim, number = target.aim, context.ids.request_id()
    place = f"arn:aws:autoscaling:{aim.region}:{aim.account}:scheduledAction:{number}"
    new = {
        "ScheduledActionName": request["ScheduledActionName"],
        "ScheduledActionARN": f"{place}:resource/{NAMESPACE}/{aim.resource}:scheduledActionName/{request['ScheduledActionName']}",
        "ServiceNamespace": NAMESPACE,
        "ResourceId": aim.resource,
        "ScalableDimension": aim.dimension,
        "CreationTime": context.now,
    }
    kept = new if before is None else before.document
    return {**kept, **{member: request[member] for member in _GIVEN if member in request}}


def _check(document: Request) -> None:
    if "Schedule" not in document:
        raise invalid("Schedule is required for a new scheduled action.")
    try:
        scheduled_action.check(document)
    except ActionError as error:
        raise invalid(str(error)) from None
    given = document["ScalableTargetAction"]
    check_capacities(*(given[member] for member in ("MinCapacity", "MaxCapacity") if member in given))


@operation("DescribeScheduledActions", mode=Mode.SLOW_READ, permissions=on_all("DescribeScheduledActions"))
def describe_scheduled_actions(context: Context, request: Request) -> Request:
    """The scheduled actions of the caller's account."""

    def load(after: int | None, most: int) -> list[Action]:
        return store.actions(context.tx, context.account, context.region, request, after or 0, most)

    return pages.page(
        context, "DescribeScheduledActions", request, "ScheduledActions", load, lambda one: one.id, lambda one: one.document
    )


@operation("DeleteScheduledAction", mode=Mode.WRITE, permissions=on_target("DeleteScheduledAction"))
def delete_scheduled_action(context: Context, request: Request) -> Request:
    """Forget a scheduled action; the bounds that it has set stay."""
    target = existing(context, request)
    actions = store.actions_of(context.tx, target.id)
    found = next((one for one in actions if one.name == request["ScheduledActionName"]), None)
    if found is None:
        raise no_action(target.aim, request["ScheduledActionName"])
    store.delete_action(context.tx, found.id)
    return {}
