"""Alarms: what they watch, what state they are in and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
METRIC_ALARM = "MetricAlarm"
ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
"""The actions that are taken when an alarm goes into a state."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as it is kept."""

    id: int
    account: str
    region: str
    name: str
    kind: str
    settings: Document
    """What DescribeAlarms shows, but the state."""
    state: Document
    """The rest of it."""
    revision: int

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"

    @property
    def shown(self) -> dict[str, Any]:
        """What DescribeAlarms answers."""
        return {**self.settings, **self.state}

    @property
    def value(self) -> str:
        """The state it is in."""
        return str(self.state["StateValue"])

    @property
    def queries(self) -> Sequence[Document]:
        """What it watches, as queries of GetMetricData."""
        settings = self.settings
        if "Metrics" in settings:
            queries: Sequence[Document] = settings["Metrics"]
            return queries
        stat = {
            "Metric": {name: settings[name] for name in ("Namespace", "MetricName", "Dimensions")},
            "Period": settings["Period"],
            "Stat": settings["Statistic"] if "Statistic" in settings else settings["ExtendedStatistic"],
            **({"Unit": settings["Unit"]} if "Unit" in settings else {}),
        }
        return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]

    @property
    def period(self) -> int:
        """How many seconds one of its datapoints stands for."""
        if "Period" in self.settings:
            return int(self.settings["Period"])
        return max(
            (query["MetricStat"]["Period"] for query in self.queries if "MetricStat" in query),
            default=max((query.get("Period", 0) for query in self.queries), default=0) or 60,
        )


def unchecked(now: float) -> dict[str, Any]:
    """The state of a new alarm."""
    return {
        "StateValue": INSUFFICIENT_DATA,
        "StateReason": "Unchecked: Initial alarm creation",
        "StateUpdatedTimestamp": now,
        "StateTransitionedTimestamp": now,
    }


def moment(time: float) -> str:
    """A time as CloudWatch writes it in events and in the data of reasons."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
