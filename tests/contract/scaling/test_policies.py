"""Policies: capacities that follow alarms, and alarms that follow policies."""

from typing import Any

import pytest
from tests.contract.scaling.conftest import MINUTE, Scaled, refused

from modelyard.endpoints import worker as endpoints
from modelyard.scaling.engine import Engine

LOWER, UPPER = "MetricIntervalLowerBound", "MetricIntervalUpperBound"
OUT = ({LOWER: 0, UPPER: 10, "ScalingAdjustment": 1}, {LOWER: 10, "ScalingAdjustment": 3})
IN = {UPPER: 0, "ScalingAdjustment": -1}


def alarms(scaled: Scaled, *names: str) -> dict[str, dict[str, Any]]:
    found = scaled.call("cloudwatch", "DescribeAlarms", AlarmNames=list(names))["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in found}


@pytest.mark.documented
def test_steps_are_taken_while_an_alarm_rings(scaled: Scaled) -> None:
    """By how far the metric is beyond the threshold, once for each datapoint, with a cool-down in which what was added counts."""
    scaled.register(1, 6)
    out = scaled.steps("out", *OUT)
    scaled.alarm("high", out, 10)
    scaled.put(15)
    scaled.turn(MINUTE)
    assert scaled.counts[0] == 2
    cause = f"monitor alarm {scaled.endpoint}-high in state ALARM triggered policy out"
    assert scaled.activities == [("Setting desired instance count to 2.", cause, "InProgress")]
    scaled.settle()
    scaled.turn()
    assert (scaled.counts[0], scaled.activities[0][2]) == (2, "Successful")
    # Still cooling down, and farther beyond: three from the one that there was before, not from two.
    scaled.put(25)
    scaled.turn(MINUTE - 1)
    assert scaled.counts[0] == 4
    scaled.settle()
    scaled.put(25)
    scaled.turn(2 * MINUTE)
    assert scaled.counts[0] == 6, "the maximum"
    scaled.settle()
    into = scaled.steps("in", IN)
    scaled.alarm("low", into, 5, "LessThanThreshold")
    scaled.put(1)
    scaled.turn(MINUTE)
    assert scaled.counts[0] == 5
    scaled.settle()
    scaled.put(1)
    scaled.turn(MINUTE)
    assert scaled.counts[0] == 4, "a minute's cool-down is over"
    scaled.settle()
    [shown, _] = scaled.scaling("DescribeScalingPolicies", PolicyNames=["out", "in"])["ScalingPolicies"]
    arn = f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{scaled.endpoint}-high"
    assert shown["Alarms"] == [{"AlarmName": f"{scaled.endpoint}-high", "AlarmARN": arn}]


@pytest.mark.documented
def test_a_target_is_tracked_out_and_in(scaled: Scaled) -> None:
    """Three minutes above the target bring as many instances as it takes; a quarter of an hour below takes them away."""
    scaled.register(1, 5)
    made = scaled.track("depth", 10, ScaleOutCooldown=0, ScaleInCooldown=0)
    high, low = (one["AlarmName"] for one in made["Alarms"])
    assert f"TargetTracking-{scaled.resource}-AlarmHigh-" in high
    for _ in range(3):
        assert scaled.counts[0] == 1
        scaled.put(28)
        scaled.turn(MINUTE)
    assert alarms(scaled, high)[high]["StateValue"] == "ALARM"
    assert scaled.counts[0] == 3
    scaled.settle()
    scaled.turn()
    assert scaled.counts == (3, 3), "one datapoint scales once"
    for _ in range(14):
        scaled.put(6)
        scaled.turn(MINUTE)
    assert scaled.counts[0] == 3
    scaled.put(6)
    scaled.turn(MINUTE)
    scaled.put(6)
    scaled.turn(MINUTE)
    assert alarms(scaled, low)[low]["StateValue"] == "ALARM"
    assert scaled.counts[0] == 2
    scaled.settle()


@pytest.mark.documented
def test_requests_bring_instances_and_their_absence_takes_them(scaled: Scaled) -> None:
    """The whole way: requests are counted and published, for three minutes too many for one instance; then there are none."""
    scaled.register(1, 3)
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    config = {"TargetValue": 10.0, "PredefinedMetricSpecification": metric, "ScaleInCooldown": 0}
    scaled.scaling(
        "PutScalingPolicy",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=config,
    )
    for _ in range(3):
        assert scaled.counts[0] == 1
        for _ in range(25):
            scaled.call("sagemaker-runtime", "InvokeEndpoint", EndpointName=scaled.endpoint, Body=b"x")
        scaled.yard.clock.advance(MINUTE)
        endpoints.turn(scaled.yard.house)
        scaled.turn()
    assert scaled.counts[0] == 3
    scaled.settle()
    for _ in range(17):
        scaled.yard.clock.advance(MINUTE)
        endpoints.turn(scaled.yard.house)
        scaled.turn()
        if scaled.counts[0] == 1:
            break
    assert scaled.counts[0] == 1
    scaled.settle()
    assert [told for told, *_ in scaled.activities] == [f"Setting desired instance count to {count}." for count in (1, 3)]


@pytest.mark.documented
def test_what_is_suspended_is_not_done(scaled: Scaled) -> None:
    """Scaling out and in are suspended each for itself; a policy that does not scale in has no alarm for that."""
    scaled.register(1, 5, SuspendedState={"DynamicScalingOutSuspended": True})
    scaled.turn()
    scaled.alarm("high", scaled.steps("out", *OUT), 10)
    scaled.put(15)
    scaled.turn(MINUTE)
    assert scaled.counts[0] == 1
    made = scaled.track("depth", 10, DisableScaleIn=True)
    assert [one["AlarmName"].split("-")[-6] for one in made["Alarms"]] == ["AlarmHigh"]
    scaled.register(1, 5, SuspendedState={"DynamicScalingOutSuspended": False})
    scaled.turn(5)
    assert scaled.counts[0] == 2
    scaled.settle()


@pytest.mark.ours
def test_two_servers_scale_once(scaled: Scaled) -> None:
    """Of two servers that see the same alarm, one sets the capacity; the other finds that it is done."""
    scaled.register(1, 6)
    scaled.turn()
    scaled.alarm("high", scaled.steps("out", *OUT), 10)
    scaled.ring(f"{scaled.endpoint}-high")
    first, second = Engine(scaled.yard.house), Engine(scaled.yard.house)
    entered: list[Any] = []
    storage = scaled.yard.house.storage
    write = storage.write

    def late(work: Any) -> Any:
        if not entered:
            entered.append(work)
            first.turn()  # between what the second one has seen and what it does
        return write(work)

    storage.write = late  # type: ignore[method-assign]
    try:
        second.turn()
    finally:
        storage.write = write  # type: ignore[method-assign]
    assert entered
    assert scaled.counts[0] == 2
    assert len(scaled.activities) == 1
    scaled.settle()


@pytest.mark.documented
def test_policies_are_replaced_and_deleted_with_their_alarms(resting: Scaled) -> None:
    """A policy put again keeps its ARN and gets other alarms; deleted, or with its target, none of its alarms is left."""
    with refused(
        "ObjectNotFoundException", "No scalable target registered for service namespace: sagemaker, resource ID: endpoint"
    ):
        resting.track("depth", 10)
    resting.register(1, 5)
    first = resting.track("depth", 10)
    second = resting.track("depth", 20)
    assert first["PolicyARN"] == second["PolicyARN"]
    number = ":policyName/depth"
    assert first["PolicyARN"].endswith(f":resource/sagemaker/{resting.resource}{number}")
    assert alarms(resting, *(one["AlarmName"] for one in first["Alarms"])) == {}
    thresholds = [one["Threshold"] for one in alarms(resting, *(one["AlarmName"] for one in second["Alarms"])).values()]
    assert sorted(thresholds) == [18.0, 20.0]
    with refused("ValidationException", "Only one TargetTrackingScaling policy for a given metric"):
        resting.track("other", 10)
    with refused("ValidationException", "cannot be changed"):
        resting.steps("depth", *OUT)
    [shown] = resting.scaling("DescribeScalingPolicies")["ScalingPolicies"]
    assert shown["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 20
    assert (shown["PolicyType"], shown["Alarms"]) == ("TargetTrackingScaling", second["Alarms"])
    resting.scaling("DeleteScalingPolicy", PolicyName="depth")
    with refused("ObjectNotFoundException", "No scaling policy found"):
        resting.scaling("DeleteScalingPolicy", PolicyName="depth")
    third = resting.track("depth", 10)
    resting.scaling("DeregisterScalableTarget")
    assert alarms(resting, *(one["AlarmName"] for one in (*second["Alarms"], *third["Alarms"]))) == {}


@pytest.mark.documented
def test_policies_that_make_no_sense_are_refused(resting: Scaled) -> None:
    """A type and the configuration of that type, and of no other."""
    resting.register(1, 5)
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": list(OUT)}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"PolicyType": "StepScaling"}, "needs StepScalingPolicyConfiguration"),
        ({"PolicyType": "TargetTrackingScaling", "StepScalingPolicyConfiguration": step}, "needs TargetTracking"),
        ({"PolicyType": "PredictiveScaling"}, "PredictiveScaling is not available"),
        ({"StepScalingPolicyConfiguration": {**step, "Cooldown": -1}}, "Cooldown must be between"),
        ({"StepScalingPolicyConfiguration": {**step, "StepAdjustments": []}}, "At least one StepAdjustment"),
    ]
    for request, words in cases:
        with refused("ValidationException", words):
            resting.scaling("PutScalingPolicy", PolicyName="p", **request)
    many = [{LOWER: place, UPPER: place + 1, "ScalingAdjustment": 1} for place in range(20)]
    with refused("LimitExceededException"):
        resting.steps("p", *many, {LOWER: 20, "ScalingAdjustment": 1})


@pytest.mark.documented
def test_scheduled_actions_set_bounds(scaled: Scaled) -> None:
    """At its time an action sets the bounds, and the capacity with them; suspended, it passes by."""
    scaled.register(1, 2)
    action = {"ScheduledActionName": "morning", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 3}}
    with refused("ValidationException", "Schedule is required"):
        scaled.scaling("PutScheduledAction", **{name: value for name, value in action.items() if name != "Schedule"})
    scaled.scaling("PutScheduledAction", **action)
    [shown] = scaled.scaling("DescribeScheduledActions")["ScheduledActions"]
    assert (shown["Schedule"], shown["ScalableTargetAction"]) == ("rate(1 hour)", {"MinCapacity": 3})
    assert shown["ScheduledActionARN"].endswith(f":resource/sagemaker/{scaled.resource}:scheduledActionName/morning")
    scaled.turn(60 * MINUTE)
    assert scaled.counts[0] == 3
    assert scaled.activities == [
        ("Setting desired instance count to 3.", "minimum capacity was set to 3", "InProgress"),
        ("Setting min capacity to 3 and max capacity to 3", "scheduled action name morning was triggered", "Successful"),
    ]
    scaled.settle()
    scaled.scaling("PutScheduledAction", ScheduledActionName="morning", ScalableTargetAction={"MaxCapacity": 1})
    scaled.scaling("RegisterScalableTarget", SuspendedState={"ScheduledScalingSuspended": True})
    scaled.turn(60 * MINUTE)
    assert scaled.counts[0] == 3
    scaled.scaling("RegisterScalableTarget", SuspendedState={"ScheduledScalingSuspended": False})
    scaled.turn(60 * MINUTE)
    assert scaled.counts[0] == 1
    scaled.settle()
    scaled.scaling("DeleteScheduledAction", ScheduledActionName="morning")
    with refused("ObjectNotFoundException", "No scheduled action found"):
        scaled.scaling("DeleteScheduledAction", ScheduledActionName="morning")
    assert scaled.scaling("DescribeScheduledActions")["ScheduledActions"] == []


@pytest.mark.ours
def test_a_capacity_that_is_refused_is_told_and_tried_again(scaled: Scaled) -> None:
    """More instances than this server takes for an endpoint: the activity has failed, with the reason; a minute later again."""
    scaled.register(65, 70)
    scaled.turn()
    scaled.turn(30)
    [activity] = scaled.scaling("DescribeScalingActivities")["ScalingActivities"]
    assert activity["StatusCode"] == "Failed"
    assert "at most 64 instances" in activity["StatusMessage"]
    assert scaled.counts == (1, 1)
    scaled.turn(31)
    assert len(scaled.activities) == 2
    scaled.register(1, 2)
    scaled.turn()
    assert len(scaled.activities) == 2


@pytest.mark.documented
def test_another_capacity_meanwhile_overrides_an_activity(scaled: Scaled) -> None:
    """Who sets a capacity by hand after scaling has, overrides that."""
    scaled.register(2, 4)
    scaled.turn()
    scaled.settle()
    weights = [{"VariantName": "A", "DesiredInstanceCount": 3}]
    scaled.call(
        "sagemaker",
        "UpdateEndpointWeightsAndCapacities",
        EndpointName=scaled.endpoint,
        DesiredWeightsAndCapacities=weights,
    )
    scaled.settle()
    scaled.turn()
    assert scaled.activities[0][2] == "Overridden"
    assert scaled.counts == (3, 3)
