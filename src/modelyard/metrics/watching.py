"""Evaluates an alarm at a time: fetches its latest datapoints, judges them, and says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.metrics.alarm import Alarm
from modelyard.metrics.judgement import MORE_LOOKED_AT, Judgement, Rule, judge
from modelyard.metrics.queries import InvalidQuery, MetricStat, computed_queries, queries_of
from modelyard.metrics.reading import Span, aggregates_of, values_of
from modelyard.metrics.reason import reason, reason_data
from modelyard.storage.interface import Transaction

FEW = 10 * 100
"""A percentile wants 10 / (1 - percentile) samples, or 10 / percentile below the median: here times 100, for percent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state that an alarm ought to be in, and why."""

    state: str
    reason: str
    data: str


def rule_of(alarm: Alarm) -> Rule:
    """When an alarm is in alarm."""
    settings = alarm.settings
    return Rule(
        settings["ComparisonOperator"],
        settings["Threshold"],
        settings["EvaluationPeriods"],
        settings.get("DatapointsToAlarm", settings["EvaluationPeriods"]),
        settings.get("TreatMissingData", "missing"),
    )


def look(tx: Transaction, alarm: Alarm, now: float) -> Finding | None:
    """The state that an alarm ought to be in at a time; None where that cannot be told, and it stays as it is."""
    rule, period = rule_of(alarm), alarm.period
    end = int(now // period) * period
    times = [end - back * period for back in range(rule.evaluated + MORE_LOOKED_AT, 0, -1)]
    span = Span(times[0], end)
    try:
        queries = queries_of(alarm.queries, alarm.account, "Metrics")
        results = computed_queries(
            queries, lambda stat: values_of(tx, alarm.account, alarm.region, stat, span), span.start, span.end
        )
    except InvalidQuery:
        return None
    series = [result for several in results.values() for result in several]
    if len(series) != 1:
        return None
    latest = [series[0].series.values.get(time) for time in times]
    judgement = judge(rule, latest, alarm.value)
    stat = queries[0].stat
    if stat is not None and too_few_samples(tx, alarm, stat, span, times, judgement):
        return None
    return Finding(judgement.state, reason(rule, judgement, times, latest), reason_data(alarm, judgement, times, latest, now))


def too_few_samples(
    tx: Transaction, alarm: Alarm, stat: MetricStat, span: Span, times: Sequence[int], judgement: Judgement
) -> bool:
    """Whether an alarm on a percentile that ignores small samples has one."""
    if alarm.settings.get("EvaluateLowSampleCountPercentile") != "ignore" or not stat.statistic.startswith("p"):
        return False
    percent = float(stat.statistic[1:])
    share = min(percent, 100 - percent)
    found = aggregates_of(tx, alarm.account, alarm.region, stat, span)
    return sum(found[times[place]].samples for place in judgement.places if times[place] in found) * share < FEW
