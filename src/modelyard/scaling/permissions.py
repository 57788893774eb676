"""What the operations of Application Auto Scaling ask for.

Beside the action itself that is what the role of scaling will do for the caller: AWS looks whether the caller might do it, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import find, finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.scaling import store
from modelyard.scaling.dimension import Aim, NotScaled, check
from modelyard.scaling.failures import invalid, no_target
from modelyard.scaling.store import Target

Request = dict[str, Any]
Conditions = dict[str, str | tuple[str, ...]]

SCALING = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")
SCALING_COPIES = ("DescribeInferenceComponent", "UpdateInferenceComponentRuntimeConfig")


def aim_of(context: Context, request: Request) -> Aim:
    """The capacity that a request names."""
    return Aim(context.account, context.region, request["ResourceId"], request["ScalableDimension"])


def checked_aim(context: Context, request: Request) -> Aim:
    """The same. Raises ValidationException for what this server does not scale."""
    aim = aim_of(context, request)
    try:
        check(request["ServiceNamespace"], aim)
    except NotScaled as error:
        raise invalid(str(error)) from None
    return aim


def existing(context: Context, request: Request, *, registered: str = "found") -> Target:
    """The target that a request names. Raises ValidationException and ObjectNotFoundException."""
    aim = checked_aim(context, request)
    found = store.target(context.tx, aim)
    if found is None:
        raise no_target(aim, registered)
    return found


def target_resource(context: Context, aim: Aim) -> Resource:
    """A target as policies see it, registered or not."""
    found = store.target(context.tx, aim)
    if found is None:
        return Resource(f"arn:aws:application-autoscaling:{aim.region}:{aim.account}:scalable-target/*", aim.account)
    return Resource(found.arn, aim.account, TagsOnDemand(context.tx, found.arn))


def conditions_of(request: Request) -> Conditions:
    """The condition keys of the service."""
    found: Conditions = {"application-autoscaling:service-namespace": request["ServiceNamespace"]}
    if "ScalableDimension" in request:
        found["application-autoscaling:scalable-dimension"] = request["ScalableDimension"]
    return found


def tag_conditions(tags: Mapping[str, str]) -> Conditions:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


def on_target(action: str, *, scales: bool = False, alarms: str = "", ends_alarms: bool = False) -> Permissions:
    """One action on a target; with `scales` also what sets its capacity, and with `alarms` an action on a policy's alarms.

    `ends_alarms` is for what deletes alarms where there are any: those of the policy that is named, or of all of the target.
    """

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        aim = aim_of(context, request)
        tags = request.get("Tags", {})
        conditions = {**conditions_of(request), **tag_conditions(tags)}
        resource = target_resource(context, aim)
        yield Permission(f"application-autoscaling:{action}", resource, conditions)
        if tags:
            yield Permission("application-autoscaling:TagResource", resource, conditions)
        if scales:
            yield from _scaling(context, aim)
        arn = f"arn:aws:cloudwatch:{aim.region}:{aim.account}:alarm:TargetTracking-{aim.resource}-*"
        if alarms:
            yield Permission(f"cloudwatch:{alarms}", Resource(arn, aim.account))
        if ends_alarms and _has_alarms(context, aim, request.get("PolicyName")):
            yield Permission("cloudwatch:DeleteAlarms", Resource(arn, aim.account))

    return permissions


def _has_alarms(context: Context, aim: Aim, policy: str | None) -> bool:
    """Whether there are alarms that came with a policy of a target, or with any of them."""
    found = store.target(context.tx, aim)
    policies = [] if found is None else store.policies_of(context.tx, found.id)
    return any(one.document.get("Tracked") for one in policies if policy in (None, one.name))


def _scaling(context: Context, aim: Aim) -> Iterable[Permission]:
    kind, name, actions = "endpoint", aim.variant[0] if aim.variant else "", SCALING
    if aim.component is not None:
        kind, name, actions = "inference-component", aim.component, SCALING_COPIES
    if not name:
        return  # the operation says that it cannot be scaled
    arn = Arn("aws", "sagemaker", aim.region, aim.account, f"{kind}/{name.lower()}")
    resource = find(context, arn) or Resource(str(arn), aim.account)
    for action in actions:
        yield Permission(f"sagemaker:{action}", resource)


def on_all(action: str) -> Permissions:
    """An action that is about no target in particular."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"application-autoscaling:{action}", Resource("*", context.account), conditions_of(request))

    return permissions


@finds("application-autoscaling", "scalable-target")
def find_target(context: Context, arn: Arn) -> Resource | None:
    """A target by its ARN, for those who ask what may be done with it."""
    if store.target_by_arn(context.tx, str(arn)) is None:
        return None
    return Resource(str(arn), arn.account, TagsOnDemand(context.tx, str(arn)))
