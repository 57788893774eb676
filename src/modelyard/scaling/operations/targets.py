"""Scalable targets, and what was done with them."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, put_tags
from modelyard.scaling import capacity, pages, service_role, store
from modelyard.scaling.dimension import NAMESPACE, Aim
from modelyard.scaling.failures import invalid, too_many
from modelyard.scaling.operations.policies import delete_alarms
from modelyard.scaling.permissions import Request, checked_aim, existing, on_all, on_target
from modelyard.scaling.store import Target

operation = operations_of("application-autoscaling")

MOST_TAGS = 50
LARGEST = 2**31 - 1
_SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@operation(
    "RegisterScalableTarget",
    mode=Mode.WRITE,
    permissions=on_target("RegisterScalableTarget", scales=True),
)
def register_scalable_target(context: Context, request: Request) -> Request:
    """Have a capacity kept between bounds, or change those; a capacity that is beyond them is put within them."""
    aim = checked_aim(context, request)
    found = store.target(context.tx, aim)
    there = capacity.read(context, aim)
    if found is None:
        document = _new(context, aim, request)
        _check_bounds(document, there)
        store.add_target(context.tx, aim, document)
        if len(request.get("Tags", {})) > MOST_TAGS:
            raise too_many("tags of a scalable target", MOST_TAGS)
        put_tags(context.tx, document["ScalableTargetARN"], request.get("Tags", {}))
        return {"ScalableTargetARN": document["ScalableTargetARN"]}
    if request.get("Tags"):
        raise invalid("Tags can be given when a scalable target is registered first; later they are added by TagResource.")
    document = _changed(dict(found.document), request)
    _check_bounds(document, there)
    store.change_target(context.tx, found.id, document)
    return {"ScalableTargetARN": found.arn}


def _new(context: Context, aim: Aim, request: Request) -> Request:
    for member in ("MinCapacity", "MaxCapacity"):
        if member not in request:
            raise invalid(f"{member} is required to register a scalable target.")
    number = context.ids.request_id().replace("-", "")
    return _changed(
        {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": aim.resource,
            "ScalableDimension": aim.dimension,
            "RoleARN": service_role.role_arn(context.account),
            "CreationTime": context.now,
            "SuspendedState": dict.fromkeys(_SUSPENDED, False),
            "ScalableTargetARN": f"arn:aws:application-autoscaling:{aim.region}:{aim.account}:scalable-target/{number}",
        },
        request,
    )


def _changed(document: Request, request: Request) -> Request:
    """What a request leaves of a target; its role is always the service's own, as AWS has it for SageMaker."""
    document |= {member: request[member] for member in ("MinCapacity", "MaxCapacity") if member in request}
    document["SuspendedState"] = {**document["SuspendedState"], **request.get("SuspendedState", {})}
    return document


def _check_bounds(document: Request, there: capacity.Capacity) -> None:
    least, most = document["MinCapacity"], document["MaxCapacity"]
    check_capacities(least, most)
    if least == 0 and not there.may_be_none:
        raise invalid("MinCapacity must be at least 1: only asynchronous endpoints and inference components scale to zero.")


def check_capacities(*capacities: int) -> None:
    """Raise ValidationException for capacities that cannot be, or that fall."""
    if any(not 0 <= each <= LARGEST for each in capacities):
        raise invalid("MinCapacity and MaxCapacity must not be negative.")
    if list(capacities) != sorted(capacities):
        raise invalid("MaxCapacity must be greater than or equal to MinCapacity.")


@operation("DescribeScalableTargets", mode=Mode.SLOW_READ, permissions=on_all("DescribeScalableTargets"))
def describe_scalable_targets(context: Context, request: Request) -> Request:
    """The targets of the caller's account."""

    def load(after: int | None, most: int) -> list[Target]:
        return store.targets(
            context.tx,
            context.account,
            context.region,
            request.get("ResourceIds", ()),
            request.get("ScalableDimension"),
            after or 0,
            most,
        )

    return pages.page(
        context, "DescribeScalableTargets", request, "ScalableTargets", load, lambda one: one.id, lambda one: one.document
    )


@operation(
    "DeregisterScalableTarget",
    mode=Mode.WRITE,
    permissions=on_target("DeregisterScalableTarget", ends_alarms=True),
)
def deregister_scalable_target(context: Context, request: Request) -> Request:
    """Let a capacity alone, and forget the policies and scheduled actions that were about it. The capacity stays as it is."""
    found = existing(context, request)
    for policy in store.policies_of(context.tx, found.id):
        delete_alarms(context, policy)
    store.delete_target(context.tx, found.id)
    forget_tags(context.tx, found.arn)
    return {}


@operation("DescribeScalingActivities", mode=Mode.SLOW_READ, permissions=on_all("DescribeScalingActivities"))
def describe_scaling_activities(context: Context, request: Request) -> Request:
    """What was done in the last six weeks, newest first."""
    if request.get("IncludeNotScaledActivities"):
        raise invalid("IncludeNotScaledActivities: activities that were not taken are not kept in Modelyard.")

    def load(before: int | None, most: int) -> list[store.Activity]:
        return store.activities(context.tx, context.account, context.region, request, before, most)

    def shape(one: store.Activity) -> Any:
        return one.document

    return pages.page(context, "DescribeScalingActivities", request, "ScalingActivities", load, lambda one: one.id, shape)
