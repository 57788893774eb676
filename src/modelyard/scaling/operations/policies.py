"""Scaling policies, and the alarms that come with those that track a target."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.scaling import pages, service_role, step, store, tracking
from modelyard.scaling.asking import STEP, TRACKING
from modelyard.scaling.dimension import NAMESPACE
from modelyard.scaling.failures import invalid, no_policy, too_many
from modelyard.scaling.permissions import Request, existing, on_all, on_target
from modelyard.scaling.store import Policy, Target

operation = operations_of("application-autoscaling")

MOST_POLICIES = 50
"""Of a target."""
LONGEST_COOLDOWN = 7 * 86400
CONFIGURATIONS = {
    STEP: "StepScalingPolicyConfiguration",
    TRACKING: "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}


@operation(
    "PutScalingPolicy",
    mode=Mode.WRITE,
    permissions=on_target("PutScalingPolicy", scales=True, alarms="PutMetricAlarm", ends_alarms=True),
)
def put_scaling_policy(context: Context, request: Request) -> Request:
    """Have a capacity follow a metric; a policy of that name is replaced, and its alarms with it."""
    target = existing(context, request, registered="registered")
    name, policies = request["PolicyName"], store.policies_of(context.tx, target.id)
    before = next((one for one in policies if one.name == name), None)
    kind = request.get("PolicyType") or (STEP if before is None else before.document["PolicyType"])
    config = _checked(request, kind, target)
    if before is None and len(policies) >= MOST_POLICIES:
        raise too_many("scaling policies of a scalable target", MOST_POLICIES)
    if before is not None and before.document["PolicyType"] != kind:
        raise invalid("The PolicyType of a scaling policy cannot be changed: delete it first.")
    others = [one.document.get(CONFIGURATIONS[TRACKING]) for one in policies if one.name != name]
    if kind == TRACKING and any(other and tracking.metric_of(other) == tracking.metric_of(config) for other in others):
        raise invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
    document = {
        "PolicyARN": _arn(context, target, name) if before is None else before.arn,
        "PolicyName": name,
        "PolicyType": kind,
        CONFIGURATIONS[kind]: config,
        "CreationTime": context.now if before is None else before.document["CreationTime"],
    }
    if kind == TRACKING:
        if before is not None:
            delete_alarms(context, before)
        document["Tracked"] = _put_alarms(context, config, target, document["PolicyARN"])
    store.put_policy(context.tx, target.id, name, document)
    return {"PolicyARN": document["PolicyARN"], "Alarms": _named(document.get("Tracked", ()))}


def _arn(context: Context, target: Target, name: str) -> str:
    aim, number = target.aim, context.ids.request_id()
    place = f"arn:aws:autoscaling:{aim.region}:{aim.account}:scalingPolicy:{number}"
    return f"{place}:resource/{NAMESPACE}/{aim.resource}:policyName/{name}"


def _checked(request: Request, kind: str, target: Target) -> Request:
    """The configuration of a policy. Raises ValidationException."""
    if kind not in (STEP, TRACKING):
        raise invalid(f"The policy type {kind} is not available in Modelyard: {STEP} and {TRACKING} are.")
    for other, member in CONFIGURATIONS.items():
        if (member in request) != (other == kind):
            raise invalid(f"A policy of the type {kind} needs {CONFIGURATIONS[kind]}, and no other configuration.")
    config: Request = request[CONFIGURATIONS[kind]]
    for member in ("Cooldown", "ScaleInCooldown", "ScaleOutCooldown"):
        if not 0 <= config.get(member, 0) <= LONGEST_COOLDOWN:
            raise invalid(f"{member} must be between 0 and {LONGEST_COOLDOWN} seconds.")
    try:
        if kind == STEP:
            step.check(config)
            if len(config["StepAdjustments"]) > step.MOST_STEPS:
                raise too_many("step adjustments of a scaling policy", step.MOST_STEPS)
        else:
            tracking.check(config, target.aim)
    except (step.StepError, tracking.TrackingError) as error:
        raise invalid(str(error)) from None
    return config


def _put_alarms(context: Context, config: Request, target: Target, arn: str) -> list[Request]:
    """Make the alarms of a policy; what is kept of each."""
    made = []
    for kind, alarm in tracking.alarms(config, target.aim, arn, context.ids.request_id()).items():
        _alarms(context, "PutMetricAlarm", alarm)
        name = alarm["AlarmName"]
        alarm_arn = f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"
        made.append({"AlarmName": name, "AlarmARN": alarm_arn, "Kind": kind})
    return made


def delete_alarms(context: Context, policy: Policy) -> None:
    """Delete the alarms that came with a policy."""
    names = [alarm["AlarmName"] for alarm in policy.document.get("Tracked", ())]
    if names:
        _alarms(context, "DeleteAlarms", {"AlarmNames": names})


def _alarms(context: Context, name: str, request: Request) -> Any:
    if ("cloudwatch", name) not in context.dispatcher.operations:
        raise invalid("Scaling policies need the alarms of CloudWatch, which this server does not have.")
    return context.call("cloudwatch", name, request, principal=service_role.principal(context.account))


def _named(alarms: Any) -> list[Request]:
    return [{name: alarm[name] for name in ("AlarmName", "AlarmARN")} for alarm in alarms]


@operation("DescribeScalingPolicies", mode=Mode.SLOW_READ, permissions=on_all("DescribeScalingPolicies"))
def describe_scaling_policies(context: Context, request: Request) -> Request:
    """The policies of the caller's account, each with the alarms that invoke it."""

    def load(after: int | None, most: int) -> list[tuple[Policy, Target]]:
        return store.policies(context.tx, context.account, context.region, request, after or 0, most)

    def shape(one: tuple[Policy, Target]) -> Request:
        policy, target = one
        shown = {member: value for member, value in policy.document.items() if member != "Tracked"}
        of_target = {member: target.document[member] for member in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
        return {**shown, **of_target, "Alarms": _alarms_of(context, policy)}

    return pages.page(context, "DescribeScalingPolicies", request, "ScalingPolicies", load, lambda one: one[0].id, shape)


def _alarms_of(context: Context, policy: Policy) -> list[Request]:
    if "Tracked" in policy.document:
        return _named(policy.document["Tracked"])
    found = _alarms(context, "DescribeAlarms", {"ActionPrefix": policy.arn, "MaxRecords": 100})["MetricAlarms"]
    return [{"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]} for alarm in found]


@operation(
    "DeleteScalingPolicy",
    mode=Mode.WRITE,
    permissions=on_target("DeleteScalingPolicy", alarms="DeleteAlarms"),
)
def delete_scaling_policy(context: Context, request: Request) -> Request:
    """Forget a policy and the alarms that came with it; alarms of the caller's own stay."""
    target = existing(context, request)
    policies = store.policies_of(context.tx, target.id)
    found = next((one for one in policies if one.name == request["PolicyName"]), None)
    if found is None:
        raise no_policy(target.aim, request["PolicyName"])
    delete_alarms(context, found)
    store.delete_policy(context.tx, found.id)
    return {}
