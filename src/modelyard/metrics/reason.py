"""Why an alarm is in its state, in CloudWatch's words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from modelyard.metrics.alarm import ALARM, INSUFFICIENT_DATA, Alarm, moment
from modelyard.metrics.judgement import COMPARISONS, Judgement, Rule

LONGEST = 1023
MOST_SHOWN = 10
"""Datapoints that are named."""
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching", "ignore": "Ignored", "missing": "Missing"}


def reason(rule: Rule, judgement: Judgement, times: Sequence[int], latest: Sequence[float | None]) -> str:
    """The sentence; `times` are those of the datapoints looked at."""
    if judgement.state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_counted(judgement.filled)} {_were(judgement.filled)} unknown."
    if not judgement.places:
        periods = f"{rule.evaluated} period{'' if rule.evaluated == 1 else 's'}"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} and {_counted(judgement.filled, 'missing ')}"
            f" {_were(judgement.filled)} treated as [{_TREATED[rule.treatment]}]."
        )
    in_alarm = judgement.state == ALARM
    telling = [place for place in judgement.places if rule.breaches(latest[place] or 0.0) == in_alarm]
    shown = ", ".join(f"{float(latest[place] or 0.0)} ({_short(times[place])})" for place in telling[:MOST_SHOWN])
    verb = _were(len(telling)) if in_alarm else f"{_were(len(telling))} not"
    text = (
        f"Threshold Crossed: {len(telling)} out of the last {len(judgement.places)} datapoints [{shown}] {verb}"
        f" {COMPARISONS[rule.comparison][1]} the threshold ({float(rule.threshold)}) {_minimum(rule, in_alarm=in_alarm)}"
    )
    if judgement.filled and rule.treatment in ("breaching", "notBreaching"):
        treated = f"{_were(judgement.filled)} treated as [{_TREATED[rule.treatment]}]"
        text += f"; {_counted(judgement.filled, 'missing ')} {treated}"
    return f"{text}."[:LONGEST]


def _minimum(rule: Rule, *, in_alarm: bool) -> str:
    needed = rule.wanted if in_alarm else rule.evaluated - rule.wanted + 1
    transition = "OK -> ALARM" if in_alarm else "ALARM -> OK"
    return f"(minimum {_counted(needed)} for {transition} transition)"


def _counted(number: int, kind: str = "") -> str:
    return f"{number} {kind}datapoint{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _short(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%d/%m/%y %H:%M:%S")


def reason_data(alarm: Alarm, judgement: Judgement, times: Sequence[int], latest: Sequence[float | None], now: float) -> str:
    """The same for programs."""
    settings = alarm.settings
    shown = list(judgement.places[:MOST_SHOWN])
    data: dict[str, Any] = {"version": "1.0", "queryDate": moment(now)}
    if shown:
        data["startDate"] = moment(times[shown[-1]])
    if "Statistic" in settings or "ExtendedStatistic" in settings:
        data["statistic"] = settings["Statistic"] if "Statistic" in settings else settings["ExtendedStatistic"]
    data |= {
        "period": alarm.period,
        "recentDatapoints": [latest[place] for place in reversed(shown)],
        "threshold": settings["Threshold"],
        "evaluatedDatapoints": [{"timestamp": moment(times[place]), "value": latest[place]} for place in shown],
    }
    return orjson.dumps(data).decode()
