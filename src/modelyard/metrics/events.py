"""What CloudWatch tells the world: events of alarms through EventBridge, and the notices that actions take along.

Sources: "Alarm events and EventBridge" and "Invoke a Lambda function from an alarm" of the CloudWatch user guide.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.events import outbox
from modelyard.metrics.alarm import Alarm, moment
from modelyard.storage.interface import Transaction

SOURCE = "aws.cloudwatch"
STATE_CHANGE = "CloudWatch Alarm State Change"
CONFIGURATION_CHANGE = "CloudWatch Alarm Configuration Change"


def state_changed(tx: Transaction, alarm: Alarm, before: Mapping[str, Any], now: float) -> None:
    """An alarm, as it is now, is in another state than `before`."""
    _publish(tx, alarm, STATE_CHANGE, _change(alarm, before), now)


def settings_changed(tx: Transaction, alarm: Alarm, what: str, before: Alarm | None, now: float) -> None:
    """An alarm was created, updated or deleted."""
    detail = {
        "alarmName": alarm.name,
        "operation": what,
        "state": _state(alarm.state),
        "configuration": {**_configuration(alarm), **_more(alarm)},
    }
    if before is not None:
        detail["previousConfiguration"] = {**_configuration(before), **_more(before)}
    _publish(tx, alarm, CONFIGURATION_CHANGE, detail, now)


def notice(alarm: Alarm, before: Mapping[str, Any], now: float) -> str:
    """What a function is given that an alarm invokes: JSON."""
    return orjson.dumps(
        {
            "source": SOURCE,
            "alarmArn": alarm.arn,
            "accountId": alarm.account,
            "time": moment(now),
            "region": alarm.region,
            "alarmData": _change(alarm, before),
        }
    ).decode()


def _publish(tx: Transaction, alarm: Alarm, detail_type: str, detail: Mapping[str, Any], now: float) -> None:
    outbox.publish(
        tx,
        source=SOURCE,
        detail_type=detail_type,
        account=alarm.account,
        region=alarm.region,
        resources=[alarm.arn],
        detail=detail,
        group_key=alarm.arn,
        now=now,
    )


def _change(alarm: Alarm, before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alarmName": alarm.name,
        "state": _state(alarm.state),
        "previousState": _state(before),
        "configuration": _configuration(alarm),
    }


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "value": state["StateValue"],
        "reason": state["StateReason"],
        "timestamp": moment(state["StateUpdatedTimestamp"]),
    }
    if "StateReasonData" in state:
        told["reasonData"] = state["StateReasonData"]
    return told


def _configuration(alarm: Alarm) -> dict[str, Any]:
    metrics = []
    for query in alarm.queries:
        # An alarm on a metric has no id for it: AWS puts one that is the same each time.
        number = query["Id"] if "Metrics" in alarm.settings else str(uuid.uuid5(uuid.NAMESPACE_URL, alarm.arn))
        told: dict[str, Any] = {"id": number, "returnData": query.get("ReturnData", True)}
        told |= {name.lower(): query[name] for name in ("Expression", "Label") if name in query}
        if "MetricStat" in query:
            told["metricStat"] = _stat(query["MetricStat"])
        metrics.append(told)
    described = alarm.settings.get("AlarmDescription")
    return {**({} if described is None else {"description": described}), "metrics": metrics}


def _stat(stat: Mapping[str, Any]) -> dict[str, Any]:
    metric = stat["Metric"]
    told = {
        "metric": {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())},
        },
        "period": stat["Period"],
        "stat": stat["Stat"],
    }
    return {**told, "unit": stat["Unit"]} if "Unit" in stat else told


_TOLD = (
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)


def _more(alarm: Alarm) -> dict[str, Any]:
    """Settings that events of changed settings tell besides."""
    told = {"alarmName": alarm.name, "timestamp": moment(alarm.settings["AlarmConfigurationUpdatedTimestamp"])}
    for name in _TOLD:
        if name in alarm.settings:
            told[name.lower() if name == "OKActions" else name[0].lower() + name[1:]] = alarm.settings[name]
    if "okactions" in told:
        told["okActions"] = told.pop("okactions")
    return told
