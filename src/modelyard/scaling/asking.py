"""What policies ask for whose alarms ring: from the alarms that there are, and from the datapoints that they ring for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.scaling import step, tracking
from modelyard.scaling.decision import DEFAULT_COOLDOWN, Ask, Cooldowns
from modelyard.scaling.store import Policy

PREFIX = "arn:aws:autoscaling:"
"""With what the ARNs of policies begin."""
TRACKING, STEP = "TargetTrackingScaling", "StepScaling"
PERIODS = 5
"""So many periods back it is looked for the latest datapoint."""

Alarm = Mapping[str, Any]


def ringing(context: Context) -> dict[str, list[Alarm]]:
    """The alarms of an account and region that ring for policies, by the ARNs of those."""
    found: dict[str, list[Alarm]] = defaultdict(list)
    request: dict[str, Any] = {"StateValue": "ALARM", "ActionPrefix": PREFIX, "MaxRecords": 100}
    while True:
        answer = context.call("cloudwatch", "DescribeAlarms", request)
        for alarm in answer["MetricAlarms"]:
            for action in alarm["AlarmActions"] if alarm["ActionsEnabled"] else ():
                found[action].append(alarm)
        if "NextToken" not in answer:
            return found
        request["NextToken"] = answer["NextToken"]


def ask_of(context: Context, policy: Policy, alarms: Sequence[Alarm], now: float) -> Ask | None:
    """What a policy asks for; None when its metric has no datapoint to tell that from."""
    if policy.document["PolicyType"] == STEP:
        return _step(context, policy, alarms[0], now)
    kinds = {alarm["AlarmName"]: alarm["Kind"] for alarm in policy.document["Tracked"]}
    known = sorted((alarm for alarm in alarms if alarm["AlarmName"] in kinds), key=lambda alarm: kinds[alarm["AlarmName"]])
    return _tracking(context, policy, known[0], kinds[known[0]["AlarmName"]], now) if known else None


def tracks_in(policy: Policy, alarms: Sequence[Alarm]) -> bool:
    """Whether a policy has nothing against scaling in: it tracks no target, never scales in, or its alarm for that rings."""
    if policy.document["PolicyType"] == STEP:
        return True
    low = [alarm["AlarmName"] for alarm in policy.document["Tracked"] if alarm["Kind"] == tracking.LOW]
    return not low or any(alarm["AlarmName"] in low for alarm in alarms)


def _step(context: Context, policy: Policy, alarm: Alarm, now: float) -> Ask:
    config = policy.document["StepScalingPolicyConfiguration"]
    found = _latest(context, alarm, now)
    # An alarm that somebody has set to ring, with no datapoint behind it, is just at its threshold.
    time, value = found if found is not None else (alarm["StateUpdatedTimestamp"], alarm["Threshold"])
    by = step.adjustment(config, value - alarm["Threshold"])
    cooldown = float(config.get("Cooldown", DEFAULT_COOLDOWN))

    def change(capacity: int) -> int | None:
        return None if by is None else step.adjusted(config, capacity, by)

    return Ask(policy.id, alarm["AlarmName"], change, policy.memory, Cooldowns(cooldown, cooldown), time, tracks=False)


def _tracking(context: Context, policy: Policy, alarm: Alarm, kind: str, now: float) -> Ask | None:
    config = policy.document["TargetTrackingScalingPolicyConfiguration"]
    found = _latest(context, alarm, now)
    if found is None:
        return None
    time, value = found

    def change(capacity: int) -> int:
        wanted = tracking.wanted(capacity, value, config["TargetValue"])
        return max(wanted, capacity) if kind == tracking.HIGH else min(wanted, capacity)

    cooldowns = Cooldowns(
        float(config.get("ScaleOutCooldown", DEFAULT_COOLDOWN)), float(config.get("ScaleInCooldown", DEFAULT_COOLDOWN))
    )
    return Ask(policy.id, alarm["AlarmName"], change, policy.memory, cooldowns, time, tracks=True)


def _latest(context: Context, alarm: Alarm, now: float) -> tuple[float, float] | None:
    """The latest datapoint of an alarm's metric, of a period that is over: when it began, and its value."""
    queries = alarm.get("Metrics") or [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")},
                "Period": alarm["Period"],
                "Stat": alarm["Statistic"] if "Statistic" in alarm else alarm["ExtendedStatistic"],
                **({"Unit": alarm["Unit"]} if "Unit" in alarm else {}),
            },
        }
    ]
    period = max((query["MetricStat"]["Period"] for query in queries if "MetricStat" in query), default=60)
    end = now // period * period
    span = {"StartTime": end - PERIODS * period, "EndTime": end, "ScanBy": "TimestampDescending"}
    answer = context.call("cloudwatch", "GetMetricData", {"MetricDataQueries": queries, **span})
    results = [result for result in answer["MetricDataResults"] if result["Values"]]
    return (float(results[0]["Timestamps"][0]), float(results[0]["Values"][0])) if results else None
