"""Target tracking: the capacity for a value of the metric, and the alarms that say when to look."""

from typing import Any

import pytest

from modelyard.scaling.dimension import COPIES, VARIANT, Aim, NotScaled
from modelyard.scaling.dimension import check as check_aim
from modelyard.scaling.tracking import HIGH, LOW, TrackingError, alarms, check, wanted

AIM = Aim("111122223333", "us-east-1", "endpoint/answers/variant/AllTraffic", VARIANT)
COPY = Aim("111122223333", "us-east-1", "inference-component/answers", COPIES)
OF_INVOCATIONS = {"PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
CUSTOM = {"MetricName": "Depth", "Namespace": "App", "Statistic": "Average"}


@pytest.mark.ours
@pytest.mark.parametrize(
    ("capacity", "value", "target", "after"),
    [
        (1, 30, 10, 3),
        (2, 15, 10, 3),
        (3, 10, 10, 3),
        (4, 5, 10, 2),
        (4, 0, 10, 0),
        (0, 25, 10, 3),
        (3, 10.0000001, 10, 4),
        (7, 0.1, 0.7, 1),
    ],
)
def test_capacity_is_in_proportion_to_the_metric(capacity: int, value: float, target: float, after: int) -> None:
    """Rounded up, so that the metric comes to its target or below; from nothing on as if there were one."""
    assert wanted(capacity, value, target) == after


@pytest.mark.documented
def test_the_alarms_of_a_policy() -> None:
    """Over the target for three minutes it scales out; below nine tenths of it for a quarter of an hour, in."""
    made = alarms({"TargetValue": 100.0, **OF_INVOCATIONS}, AIM, "arn:policy", "number")
    assert set(made) == {HIGH, LOW}
    high, low = made[HIGH], made[LOW]
    assert high["AlarmName"] == "TargetTracking-endpoint/answers/variant/AllTraffic-AlarmHigh-number"
    assert (high["Namespace"], high["MetricName"], high["Statistic"], high["Period"]) == (
        "AWS/SageMaker",
        "InvocationsPerInstance",
        "Sum",
        60,
    )
    assert high["Dimensions"] == [{"Name": "EndpointName", "Value": "answers"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    assert (high["ComparisonOperator"], high["Threshold"], high["EvaluationPeriods"]) == ("GreaterThanThreshold", 100.0, 3)
    assert (low["ComparisonOperator"], low["Threshold"], low["EvaluationPeriods"]) == ("LessThanThreshold", 90.0, 15)
    assert high["AlarmActions"] == low["AlarmActions"] == ["arn:policy"]


@pytest.mark.ours
def test_alarms_of_other_metrics() -> None:
    """Nothing scales in that is not to; high resolution has periods of ten seconds; math has the period of a minute."""
    assert set(alarms({"TargetValue": 1.0, "DisableScaleIn": True, **OF_INVOCATIONS}, AIM, "arn", "n")) == {HIGH}
    fast = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
    made = alarms({"TargetValue": 1.0, "PredefinedMetricSpecification": fast}, COPY, "arn", "n")
    assert (made[HIGH]["Period"], made[LOW]["EvaluationPeriods"]) == (10, 90)
    assert made[HIGH]["Dimensions"] == [{"Name": "InferenceComponentName", "Value": "answers"}]
    plain = alarms({"TargetValue": 1.0, "CustomizedMetricSpecification": CUSTOM}, AIM, "arn", "n")[HIGH]
    assert (plain["MetricName"], plain["Period"]) == ("Depth", 60)
    stat = {"Metric": {"Namespace": "App", "MetricName": "Depth"}, "Stat": "Average"}
    queries = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "m / 2", "ReturnData": True}]
    math = alarms({"TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": queries}}, AIM, "arn", "n")[HIGH]
    assert math["Metrics"][0]["MetricStat"] == {**stat, "Period": 60}
    assert math["Metrics"][1] == queries[1]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"TargetValue": 1.0}, "Exactly one"),
        ({"TargetValue": 0.0, **OF_INVOCATIONS}, "greater than 0"),
        ({"TargetValue": float("nan"), **OF_INVOCATIONS}, "greater than 0"),
        ({"TargetValue": 1.0, "ScaleInCooldown": -1, **OF_INVOCATIONS}, "ScaleInCooldown"),
        ({"TargetValue": 1.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}}, "not one"),
        (
            {
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerInferenceComponentInvocationsPerCopy"},
            },
            "not one of the scalable dimension",
        ),
        ({"TargetValue": 1.0, "CustomizedMetricSpecification": {"MetricName": "x"}}, "needs MetricName"),
        ({"TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": []}}, "1 to 10"),
        ({"TargetValue": 1.0, "CustomizedMetricSpecification": {**CUSTOM, "Metrics": [{"Id": "a"}]}}, "together"),
    ],
)
def test_what_cannot_be_tracked_is_refused(config: dict[str, Any], words: str) -> None:
    """A policy tracks one metric of what it scales, to a number above zero."""
    with pytest.raises(TrackingError, match=words):
        check(config, AIM)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("resource", "dimension", "namespace"),
    [
        ("endpoint/a/variant/b", COPIES, "sagemaker"),
        ("inference-component/a", VARIANT, "sagemaker"),
        ("endpoint/a", VARIANT, "sagemaker"),
        ("endpoint/a/variant/b", "sagemaker:variant:DesiredProvisionedConcurrency", "sagemaker"),
        ("endpoint/a/variant/b", VARIANT, "ecs"),
        ("endpoint/ä/variant/b\n", VARIANT, "sagemaker"),
    ],
)
def test_what_is_not_scaled_here(resource: str, dimension: str, namespace: str) -> None:
    """Variants' instances and components' copies are; other services and dimensions are refused in AWS's words."""
    with pytest.raises(NotScaled, match="Unsupported service namespace, resource type or scalable dimension"):
        check_aim(namespace, Aim("111122223333", "us-east-1", resource, dimension))
