"""Reads statistics of metrics: what both the statistics operations and the alarms look at."""

from collections.abc import Mapping
from dataclasses import dataclass

from modelyard.metrics import store
from modelyard.metrics.aggregate import Aggregate
from modelyard.metrics.metric import Metric
from modelyard.metrics.queries import MetricStat
from modelyard.metrics.retention import DAY, FIVE_MINUTES, HOUR, KEPT, MINUTE, NEWEST_WRITE, SECOND
from modelyard.metrics.statistic import needs_sketch, statistic
from modelyard.storage.interface import Transaction


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when (exclusive), in epoch seconds; periods are counted from `start` on."""

    start: int
    end: float

    def within_what_is_kept(self, period: int, now: float) -> "Span":
        """The part where there can be data of this period, beginning with one of its periods."""
        if period < MINUTE:
            age = KEPT[SECOND]
        else:
            age = KEPT[HOUR if period % HOUR == 0 else FIVE_MINUTES if period % FIVE_MINUTES == 0 else MINUTE] + DAY
        behind = max(0, int(now - age) - self.start)
        return Span(self.start + -(-behind // period) * period, min(self.end, now + NEWEST_WRITE + MINUTE))

    def points(self, period: int) -> int:
        """How many datapoints there can be."""
        return max(0, int(-(-(self.end - self.start) // period)))


def values_of(tx: Transaction, account: str, region: str, stat: MetricStat, span: Span) -> Mapping[int, float]:
    """The values of a statistic, by their times, oldest first."""
    compute = statistic(stat.statistic)
    assert compute is not None
    values = {time: compute(values) for time, values in aggregates_of(tx, account, region, stat, span).items()}
    return {time: value for time, value in values.items() if value is not None}


def aggregates_of(tx: Transaction, account: str, region: str, stat: MetricStat, span: Span) -> dict[int, Aggregate]:
    """What a statistic is made of, by times, oldest first; of several units together unless one is asked for."""
    number = store.metric_id(tx, Metric(account, region, stat.namespace, stat.name, stat.dimensions))
    if number is None or span.end <= span.start:
        return {}
    sketches = needs_sketch(stat.statistic)
    joined: dict[int, Aggregate] = {}
    found = store.datapoints(tx, number, span.start, span.end, stat.period, stat.unit, sketches=sketches)
    for (time, _unit), values in found.items():
        if time in joined:
            joined[time].merge(values)
        else:
            joined[time] = values
    return dict(sorted(joined.items()))
