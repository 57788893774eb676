"""Computes trees of metric math. What CloudWatch has and this does not (SEARCH, ANOMALY_DETECTION_BAND …) is refused."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from modelyard.metrics.expression import Array, Call, ExpressionError, Name, Node, Number, Operation, Text
from modelyard.metrics.series import TimeSeries, across, combine, computed, each, finite, steps

Value = float | TimeSeries | list[TimeSeries]
MOST_SERIES = 500
MOST_WORK = 2_000_000
"""Datapoints that the expressions of one request may compute: a few seconds' work."""
MOST_STEPS = 100_800
"""Datapoints of a series made of a number."""


@dataclass(slots=True)
class Budget:
    """What may still be computed."""

    left: int = MOST_WORK

    def spend(self, value: Value) -> None:
        """Take off what a value cost. Raises ExpressionError when there is not enough left."""
        if isinstance(value, list):
            self.left -= sum(len(series.values) for series in value)
        elif isinstance(value, TimeSeries):
            self.left -= len(value.values)
        if self.left < 0:
            raise ExpressionError(f"The expressions compute more than {MOST_WORK:,} datapoints.")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What expressions may refer to."""

    known: Mapping[str, Value]
    """Metrics and expressions by their ids."""
    metrics: Mapping[str, TimeSeries]
    """The metrics among them."""
    start: int
    end: float
    period: int
    """The grid of a series made of a number."""
    budget: Budget = field(default_factory=Budget)

    def steps(self, period: int) -> range:
        """The times of a series that has all its datapoints. Raises ExpressionError when they are too many."""
        times = range(self.start, math.ceil(self.end), period)
        if len(times) > MOST_STEPS:
            raise ExpressionError(f"A series has more than {MOST_STEPS:,} datapoints.")
        return times


def calculate(node: Node, around: Surroundings) -> Value:
    """The value of a tree. Raises ExpressionError."""
    value = _calculated(node, around)
    around.budget.spend(value)
    return value


def _calculated(node: Node, around: Surroundings) -> Value:
    match node:
        case Number(value):
            return value
        case Name(name):
            if name not in around.known:
                raise ExpressionError(f"There is no query with the id '{name[:64]}'.")
            return around.known[name]
        case Operation("negate", (operand,)):
            return _operated("-", 0.0, calculate(operand, around))
        case Operation(sign, (left, right)):
            return _operated(sign, calculate(left, around), calculate(right, around))
        case Array(elements):
            return _joined([calculate(element, around) for element in elements])
        case Call(function, arguments):
            perform = FUNCTIONS.get(function)
            if perform is None:
                raise ExpressionError(f"The function {function[:64]} is not available in Modelyard.")
            return perform(arguments, around)
        case _:
            raise ExpressionError("A text stands where a number or a series has to.")


def _operated(sign: str, left: Value, right: Value) -> Value:
    if isinstance(left, list) and isinstance(right, list):
        raise ExpressionError(f"'{sign}' cannot stand between two arrays.")
    if isinstance(left, list):
        return [_series(combine(sign, one, right)) for one in left]  # type: ignore[arg-type]
    if isinstance(right, list):
        return [_series(combine(sign, left, one)) for one in right]
    return combine(sign, left, right)


def _joined(values: Sequence[Value]) -> list[TimeSeries]:
    joined: list[TimeSeries] = []
    for value in values:
        if isinstance(value, float):
            raise ExpressionError("An array holds series, not numbers.")
        joined += value if isinstance(value, list) else [value]
    if len(joined) > MOST_SERIES:
        raise ExpressionError(f"An array holds more than {MOST_SERIES} series.")
    return joined


def _series(value: Value) -> TimeSeries:
    if isinstance(value, TimeSeries):
        return value
    raise ExpressionError("A single series is needed here.")


def _number(value: Value) -> float:
    if isinstance(value, float):
        return value
    raise ExpressionError("A number is needed here.")


Arguments = Sequence[Node]
Function = Callable[[Arguments, Surroundings], Value]


def _arguments(name: str, given: Arguments, low: int, high: int) -> None:
    if not low <= len(given) <= high:
        raise ExpressionError(f"{name} does not take {len(given)} arguments.")


def _mapping(name: str, change: Callable[[TimeSeries], TimeSeries]) -> Function:
    """A function of a series, or of every one of an array."""

    def function(given: Arguments, around: Surroundings) -> Value:
        _arguments(name, given, 1, 1)
        value = calculate(given[0], around)
        return [change(one) for one in value] if isinstance(value, list) else change(_series(value))

    return function


def _folding(
    name: str, of_one: Callable[[Sequence[float]], float], of_several: Callable[[Sequence[float | None]], float]
) -> Function:
    """A number of a series, or a series of an array."""

    def function(given: Arguments, around: Surroundings) -> Value:
        _arguments(name, given, 1, 1)
        value = calculate(given[0], around)
        if isinstance(value, list):
            return across(value, of_several)
        values = list(_series(value).values.values())
        return computed(lambda: float(of_one(values)))

    return function


def _there(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _or_zero(values: Sequence[float | None]) -> list[float]:
    return [value or 0.0 for value in values]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _running_sum(series: TimeSeries) -> TimeSeries:
    total, values = 0.0, {}
    for time, value in series.values.items():
        total += value
        values[time] = total
    return series.with_values(finite(values.items()))


def _of_time(part: Callable[[datetime], int]) -> Function:
    def change(around: Surroundings, series: TimeSeries) -> TimeSeries:
        times = around.steps(series.period)
        return series.with_values({time: float(part(datetime.fromtimestamp(time, UTC))) for time in times})

    def function(given: Arguments, around: Surroundings) -> Value:
        _arguments("A function of time", given, 1, 1)
        return change(around, _series(calculate(given[0], around)))

    return function


def _metrics(given: Arguments, around: Surroundings) -> Value:
    _arguments("METRICS", given, 0, 1)
    if not given:
        return list(around.metrics.values())
    match given[0]:
        case Text(within):
            return [series for name, series in around.metrics.items() if within in name]
        case _:
            raise ExpressionError("METRICS takes a text.")


def _period(given: Arguments, around: Surroundings) -> Value:
    _arguments("PERIOD", given, 1, 1)
    match given[0]:
        case Name(name) if name in around.metrics:
            return float(around.metrics[name].period)
        case _:
            raise ExpressionError("PERIOD takes the id of a metric.")


def _time_series(given: Arguments, around: Surroundings) -> Value:
    _arguments("TIME_SERIES", given, 1, 1)
    number = _number(calculate(given[0], around))
    return TimeSeries("", around.period, finite((time, number) for time in around.steps(around.period)))


def _metric_count(given: Arguments, around: Surroundings) -> Value:
    _arguments("METRIC_COUNT", given, 1, 1)
    return float(len(_array(given[0], around)))


def _array(node: Node, around: Surroundings) -> list[TimeSeries]:
    value = calculate(node, around)
    if isinstance(value, list):
        return value
    raise ExpressionError("An array of series is needed here.")


def _one_of(place: int) -> Function:
    def function(given: Arguments, around: Surroundings) -> Value:
        _arguments("FIRST or LAST", given, 1, 1)
        series = _array(given[0], around)
        return series[place] if series else TimeSeries("", around.period, {})

    return function


def _slice(given: Arguments, around: Surroundings) -> Value:
    _arguments("SLICE", given, 2, 3)
    bounds = [_count(node, around) for node in given[1:]]
    series = _array(given[0], around)
    return series[bounds[0] : bounds[1]] if len(bounds) == 2 else series[bounds[0] :]


def _count(node: Node, around: Surroundings) -> int:
    """How many: a number that is not negative. Raises ExpressionError."""
    number = _number(calculate(node, around))
    if not math.isfinite(number):
        raise ExpressionError("A number is needed that says how many.")
    return max(int(number), 0)


def _remove_empty(given: Arguments, around: Surroundings) -> Value:
    _arguments("REMOVE_EMPTY", given, 1, 1)
    return [series for series in _array(given[0], around) if series.values]


_ORDERS: Mapping[str, Callable[[Sequence[float]], float]] = {"AVG": _mean, "MIN": min, "MAX": max, "SUM": sum}


def _sort(given: Arguments, around: Surroundings) -> Value:
    _arguments("SORT", given, 3, 4)
    match given[1], given[2]:
        case Name(by), Name(direction) if by in _ORDERS and direction in ("ASC", "DESC"):
            order, descending = _ORDERS[by], direction == "DESC"
        case _:
            raise ExpressionError("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC.")
    most = _count(given[3], around) if len(given) == 4 else MOST_SERIES
    filled = [series for series in _array(given[0], around) if series.values]
    return sorted(filled, key=lambda series: order(list(series.values.values())), reverse=descending)[:most]


def _fill(given: Arguments, around: Surroundings) -> Value:
    _arguments("FILL", given, 2, 2)
    value, filler = calculate(given[0], around), _filler(given[1], around)
    if isinstance(value, list):
        return [_filled(series, filler, around) for series in value]
    return _filled(_series(value), filler, around)


_Filler = str | float | TimeSeries


def _filler(node: Node, around: Surroundings) -> _Filler:
    match node:
        case Name("REPEAT" | "LINEAR" as word):
            return word
        case _:
            value = calculate(node, around)
            return value if isinstance(value, float) else _series(value)


def _filled(series: TimeSeries, filler: _Filler, around: Surroundings) -> TimeSeries:
    values: dict[int, float] = {}
    points = list(series.values.items())
    following = 0
    for time in around.steps(series.period):
        while following < len(points) and points[following][0] <= time:
            following += 1
        if time in series.values:
            values[time] = series.values[time]
        elif isinstance(filler, float):
            values[time] = filler
        elif isinstance(filler, TimeSeries):
            if time in filler.values:
                values[time] = filler.values[time]
        elif filler == "REPEAT" and following > 0:
            values[time] = points[following - 1][1]
        elif filler == "LINEAR" and 0 < following < len(points):
            (before, low), (after, high) = points[following - 1], points[following]
            values[time] = low + (high - low) * (time - before) / (after - before)
    return series.with_values(finite(values.items()))


def _if(given: Arguments, around: Surroundings) -> Value:
    _arguments("IF", given, 2, 3)
    condition, *branches = (calculate(node, around) for node in given)
    if any(isinstance(value, list) for value in (condition, *branches)):
        raise ExpressionError("IF takes series and numbers, not arrays.")
    when_true, when_false = branches[0], branches[1] if len(branches) == 2 else None
    if isinstance(condition, float):
        chosen = when_true if condition else when_false
        return TimeSeries("", around.period, {}) if chosen is None else chosen
    values: dict[int, float] = {}
    for time, value in _series(condition).values.items():
        branch = when_true if value else when_false
        if isinstance(branch, float):
            values[time] = branch
        elif isinstance(branch, TimeSeries) and (value or time in branch.values):
            values[time] = branch.values.get(time, 0.0)
    return _series(condition).with_values(finite(values.items()))


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _mapping("ABS", lambda series: each(series, abs)),
    "CEIL": _mapping("CEIL", lambda series: each(series, lambda value: float(math.ceil(value)))),
    "FLOOR": _mapping("FLOOR", lambda series: each(series, lambda value: float(math.floor(value)))),
    "LOG": _mapping("LOG", lambda series: each(series, math.log)),
    "LOG10": _mapping("LOG10", lambda series: each(series, math.log10)),
    "DIFF": _mapping("DIFF", lambda series: steps(series, lambda _t, before, _u, value: value - before)),
    "DIFF_TIME": _mapping("DIFF_TIME", lambda series: steps(series, lambda before, _v, time, _w: float(time - before))),
    "RATE": _mapping("RATE", lambda series: steps(series, lambda t, before, u, value: (value - before) / (u - t))),
    "RUNNING_SUM": _mapping("RUNNING_SUM", _running_sum),
    "AVG": _folding("AVG", _mean, lambda values: _mean(_or_zero(values))),
    "SUM": _folding("SUM", sum, lambda values: sum(_or_zero(values))),
    "MIN": _folding("MIN", min, lambda values: min(_there(values))),
    "MAX": _folding("MAX", max, lambda values: max(_there(values))),
    "STDDEV": _folding("STDDEV", statistics.pstdev, lambda values: statistics.pstdev(_or_zero(values))),
    "DATAPOINT_COUNT": _folding("DATAPOINT_COUNT", len, lambda values: float(len(_there(values)))),
    "METRICS": _metrics,
    "METRIC_COUNT": _metric_count,
    "PERIOD": _period,
    "TIME_SERIES": _time_series,
    "FILL": _fill,
    "IF": _if,
    "FIRST": _one_of(0),
    "LAST": _one_of(-1),
    "SLICE": _slice,
    "SORT": _sort,
    "REMOVE_EMPTY": _remove_empty,
    "MINUTE": _of_time(lambda moment: moment.minute),
    "HOUR": _of_time(lambda moment: moment.hour),
    "DAY": _of_time(lambda moment: moment.isoweekday()),
    "DATE": _of_time(lambda moment: moment.day),
    "MONTH": _of_time(lambda moment: moment.month),
    "YEAR": _of_time(lambda moment: moment.year),
    "EPOCH": _of_time(lambda moment: int(moment.timestamp())),
}
