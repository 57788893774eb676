"""Target tracking: the two alarms of a policy, and the capacity that brings a metric to its target.

Sources: "Target tracking scaling policies" of the Application Auto Scaling user guide, and "Automatic scaling" of SageMaker's.
How many datapoints the alarms want is not documented; for metrics of a minute these are the numbers that AWS's alarms show.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any

from modelyard.scaling.dimension import COPIES, VARIANT, Aim

HIGH, LOW = "AlarmHigh", "AlarmLow"
LOW_SHARE = 0.9
"""The part of the target below which there is too much capacity."""
MOST_METRICS = 10

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Predefined:
    """A metric that AWS has a name for."""

    metric: str
    statistic: str
    period: int
    dimension: str


PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": Predefined("InvocationsPerInstance", "Sum", 60, VARIANT),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": Predefined("ConcurrentRequestsPerModel", "Average", 10, VARIANT),
    "SageMakerInferenceComponentInvocationsPerCopy": Predefined("InvocationsPerCopy", "Sum", 60, COPIES),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": Predefined(
        "ConcurrentRequestsPerCopy", "Average", 10, COPIES
    ),
}


class TrackingError(ValueError):
    """What is no configuration of target tracking; the text is what the client is told."""


def check(config: Config, aim: Aim) -> None:
    """Raise TrackingError for what AWS does not take."""
    if not isfinite(config["TargetValue"]) or config["TargetValue"] <= 0:
        raise TrackingError("TargetValue must be a number greater than 0.")
    if ("PredefinedMetricSpecification" in config) == ("CustomizedMetricSpecification" in config):
        raise TrackingError("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.")
    for name in ("ScaleOutCooldown", "ScaleInCooldown"):
        if config.get(name, 0) < 0:
            raise TrackingError(f"{name} must not be negative.")
    if "PredefinedMetricSpecification" in config:
        name = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
        if name not in PREDEFINED or PREDEFINED[name].dimension != aim.dimension:
            raise TrackingError(f"The PredefinedMetricType {name} is not one of the scalable dimension {aim.dimension}.")
        return
    _check_customized(config["CustomizedMetricSpecification"])


def _check_customized(given: Config) -> None:
    single = [name for name in ("MetricName", "Namespace", "Statistic") if name in given]
    if "Metrics" in given:
        if single or "Dimensions" in given or "Unit" in given:
            raise TrackingError("Metrics cannot be specified together with MetricName, Namespace, Dimensions, Statistic or Unit.")
        if not 0 < len(given["Metrics"]) <= MOST_METRICS:
            raise TrackingError(f"Metrics must have 1 to {MOST_METRICS} elements.")
    elif len(single) < 3:
        raise TrackingError("A CustomizedMetricSpecification needs MetricName, Namespace and Statistic, or Metrics.")


def alarms(config: Config, aim: Aim, policy_arn: str, number: str) -> dict[str, dict[str, Any]]:
    """What PutMetricAlarm is to be asked, by the kind of alarm; `number` keeps their names apart from those of others."""
    metric, period = _metric(config, aim)
    target = float(config["TargetValue"])
    rules = {HIGH: ("GreaterThanThreshold", target, 3)}
    if not config.get("DisableScaleIn"):
        rules[LOW] = ("LessThanThreshold", target * LOW_SHARE, 15 * 60 // period)
    return {
        kind: {
            "AlarmName": f"TargetTracking-{aim.resource}-{kind}-{number}",
            "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
            "AlarmActions": [policy_arn],
            "ComparisonOperator": comparison,
            "Threshold": threshold,
            "EvaluationPeriods": evaluated,
            **metric,
        }
        for kind, (comparison, threshold, evaluated) in rules.items()
    }


def _metric(config: Config, aim: Aim) -> tuple[dict[str, Any], int]:
    """The metric as PutMetricAlarm takes it, and its period."""
    if "PredefinedMetricSpecification" in config:
        known = PREDEFINED[config["PredefinedMetricSpecification"]["PredefinedMetricType"]]
        named = zip(("EndpointName", "VariantName"), aim.variant or (), strict=False)
        of_component = {} if aim.component is None else {"InferenceComponentName": aim.component}
        dimensions = [{"Name": name, "Value": value} for name, value in {**dict(named), **of_component}.items()]
        metric = {"Namespace": "AWS/SageMaker", "MetricName": known.metric, "Dimensions": dimensions}
        return {**metric, "Statistic": known.statistic, "Period": known.period}, known.period
    given = config["CustomizedMetricSpecification"]
    if "Metrics" not in given:
        return {**given, "Period": 60}, 60
    queries = [
        {**query, "MetricStat": {**query["MetricStat"], "Period": 60}} if "MetricStat" in query else dict(query)
        for query in given["Metrics"]
    ]
    return {"Metrics": queries}, 60


def wanted(capacity: int, value: float, target: float) -> int:
    """The capacity at which a metric that falls as capacity rises would be at its target."""
    # Without any capacity there is nothing that the value could be shared between: one instance finds out.
    return max(0, ceil(max(1, capacity) * value / target - 1e-9))


def metric_of(config: Config) -> object:
    """What a policy tracks, to tell whether two track the same."""
    return config.get("PredefinedMetricSpecification") or config.get("CustomizedMetricSpecification")
