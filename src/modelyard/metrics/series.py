"""Time series, and what metric math does with them, value by value.

As CloudWatch documents it: between two series a value that is missing counts as 0, and what cannot be computed (a division by
zero, the logarithm of a negative number) leaves no datapoint.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Values = Mapping[int, float]
"""Values by the beginnings of their periods, in epoch seconds; in order."""


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """The datapoints of a metric or an expression."""

    label: str
    period: int
    values: Values

    def with_values(self, values: Values) -> "TimeSeries":
        """The same with other values."""
        return TimeSeries(self.label, self.period, values)


Operator = Callable[[float, float], float]


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    result = left**right if left or right >= 0 else math.nan
    return result if isinstance(result, float) else math.nan


OPERATORS: Mapping[str, Operator] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}


def computed(compute: Callable[[], float]) -> float:
    """What `compute` gives; NaN where there is no number."""
    try:
        return compute()
    except (ValueError, OverflowError, ZeroDivisionError):
        return math.nan


def finite(pairs: Iterable[tuple[int, float]]) -> dict[int, float]:
    """The values that are numbers."""
    return {time: value for time, value in pairs if math.isfinite(value)}


def combine(sign: str, left: TimeSeries | float, right: TimeSeries | float) -> TimeSeries | float:
    """An operator between two."""
    apply = OPERATORS[sign]
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        first, second = left.values, right.values
        times = sorted(first.keys() | second.keys())
        pairs = ((time, computed(lambda t=time: apply(first.get(t, 0.0), second.get(t, 0.0)))) for time in times)  # type: ignore[misc]
        return TimeSeries(left.label, max(left.period, right.period), finite(pairs))
    if isinstance(left, TimeSeries):
        number = right
        return each(left, lambda value: apply(value, number))  # type: ignore[arg-type]
    if isinstance(right, TimeSeries):
        number = left
        return each(right, lambda value: apply(number, value))
    return computed(lambda: apply(left, right))


def each(series: TimeSeries, function: Callable[[float], float]) -> TimeSeries:
    """A function of every value."""
    pairs = ((time, computed(lambda v=value: function(v))) for time, value in series.values.items())  # type: ignore[misc]
    return series.with_values(finite(pairs))


def across(series: Sequence[TimeSeries], function: Callable[[Sequence[float | None]], float]) -> TimeSeries:
    """A function of the values that several have at each time."""
    times = sorted(set[int]().union(*(one.values.keys() for one in series)))
    pairs = ((time, computed(lambda t=time: function([one.values.get(t) for one in series]))) for time in times)  # type: ignore[misc]
    return TimeSeries(series[0].label if series else "", max((one.period for one in series), default=60), finite(pairs))


def steps(series: TimeSeries, function: Callable[[int, float, int, float], float]) -> TimeSeries:
    """A function of every value and the one before it, with their times."""
    points = list(series.values.items())
    pairs = ((points[i][0], function(*points[i - 1], *points[i])) for i in range(1, len(points)))
    return series.with_values(finite(pairs))
