"""What PutMetricAlarm is given, checked: the settings of an alarm."""

import math
from collections.abc import Mapping
from typing import Any

from modelyard.metrics.errors import invalid
from modelyard.metrics.judgement import COMPARISONS, TREATMENTS
from modelyard.metrics.metric import dimensions_of
from modelyard.metrics.queries import InvalidQuery, periods, queries_of
from modelyard.metrics.retention import DAY, HOUR, MINUTE
from modelyard.metrics.statistic import statistic

Request = Mapping[str, Any]

MOST_METRICS = 10
KEPT = (
    "AlarmName",
    "AlarmDescription",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
)
"""Members that an alarm has as they were given."""
_SINGLE = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit", "Dimensions")
_NOT_AVAILABLE = (
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
)
_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")


def settings_of(request: Request, arn: str, account: str, now: float) -> dict[str, Any]:
    """The settings that a request asks for. Raises ValidationError."""
    for name in _NOT_AVAILABLE:
        if name in request:
            raise invalid(f"Alarms with {name} are not available in Modelyard.")
    _check_name(request["AlarmName"])
    _check_rule(request)
    if "Metrics" in request:
        _check_math(request, account)
    else:
        _check_metric(request)
    for name in _ACTIONS:
        for action in request.get(name, ()):
            if not action.startswith("arn:") or action.count(":") < 5:
                raise invalid(f"Invalid arn syntax: {action[:256]}")
    settings = {name: request[name] for name in KEPT if name in request}
    settings |= {
        "AlarmArn": arn,
        "AlarmConfigurationUpdatedTimestamp": now,
        "ActionsEnabled": request.get("ActionsEnabled", True),
        **{name: request.get(name, []) for name in _ACTIONS},
    }
    if "Metrics" not in request:
        settings["Dimensions"] = request.get("Dimensions", [])
    return settings


def _check_name(name: str) -> None:
    if not name.isprintable():
        raise invalid("The value for parameter AlarmName is invalid: it has characters that cannot be printed.")


def _check_rule(request: Request) -> None:
    for name in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if name not in request:
            raise invalid(f"The parameter {name} is required.")
    if request["ComparisonOperator"] not in COMPARISONS:
        raise invalid("Alarms on anomaly detection models are not available in Modelyard.")
    if not math.isfinite(request["Threshold"]):
        raise invalid("The value for parameter Threshold is invalid.")
    if request.get("DatapointsToAlarm", 1) > request["EvaluationPeriods"]:
        raise invalid("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if request.get("TreatMissingData", "missing") not in TREATMENTS:
        raise invalid(f"Option TreatMissingData is not valid. Valid values: {', '.join(TREATMENTS)}.")
    if request.get("EvaluateLowSampleCountPercentile", "evaluate") not in ("evaluate", "ignore"):
        raise invalid("Option EvaluateLowSampleCountPercentile is not valid. Valid values: evaluate, ignore.")
    if "EvaluateLowSampleCountPercentile" in request and "ExtendedStatistic" not in request:
        raise invalid("EvaluateLowSampleCountPercentile is only for alarms on percentiles.")


def _check_metric(request: Request) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        if name not in request:
            raise invalid(f"The parameter {name} is required, or Metrics.")
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        raise invalid("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
    if "ExtendedStatistic" in request and statistic(request["ExtendedStatistic"]) is None:
        raise invalid(f"The value {request['ExtendedStatistic'][:64]} for parameter ExtendedStatistic is not supported.")
    try:
        dimensions_of(request.get("Dimensions", ()))
    except ValueError:
        raise invalid("The parameter Dimensions has a dimension name twice.") from None
    _check_period(request, request["Period"])


def _check_math(request: Request, account: str) -> None:
    for name in _SINGLE:
        if name in request:
            raise invalid(f"The parameters Metrics and {name} are mutually exclusive.")
    try:
        queries = queries_of(request["Metrics"], account, "Metrics")
    except InvalidQuery as error:
        raise invalid(str(error)) from None
    if len(queries) > MOST_METRICS + 1 or sum(query.stat is not None for query in queries) > MOST_METRICS:
        raise invalid(f"An alarm looks at no more than {MOST_METRICS} metrics, with one expression over them.")
    if sum(query.returned for query in queries) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    found = periods(queries)
    if len(found) > 1:
        raise invalid("Period must not differ within the metrics list.")
    if not found:
        raise invalid("An alarm on an expression needs a metric.")
    _check_period(request, found.pop())


def _check_period(request: Request, period: int) -> None:
    if period not in (10, 20, 30) and (period % MINUTE or period <= 0):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60.")
    whole = period * request["EvaluationPeriods"]
    if whole > (7 * DAY if period >= HOUR else DAY):
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400),"
            " or a week where Period is an hour or longer."
        )
