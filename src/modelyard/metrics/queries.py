"""Queries of GetMetricData and of alarms: metrics and math over them, checked, put in order and computed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.metrics.calculation import FUNCTIONS, Budget, Surroundings, Value, calculate
from modelyard.metrics.expression import ExpressionError, Node, calls_in, names_in, parse
from modelyard.metrics.metric import Dimensions, dimensions_of
from modelyard.metrics.retention import is_period
from modelyard.metrics.series import TimeSeries
from modelyard.metrics.statistic import statistic

_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
_KEYWORDS = frozenset({"REPEAT", "LINEAR", "AVG", "MIN", "MAX", "SUM", "ASC", "DESC"})
MOST_QUERIES = 500
DEFAULT_PERIOD = 60


class InvalidQuery(Exception):
    """A query breaks a rule; the text is for its author."""


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A statistic of a metric."""

    namespace: str
    name: str
    dimensions: Dimensions
    period: int
    statistic: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One query."""

    id: str
    label: str | None
    returned: bool
    stat: MetricStat | None
    expression: Node | None
    period: int | None


Fetch = Callable[[MetricStat], Mapping[int, float]]
"""Finds the values of a statistic, by their times, oldest first."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave; an expression that gives an array has several."""

    query: Query
    series: TimeSeries


def queries_of(given: Sequence[Mapping[str, Any]], account: str, where: str) -> list[Query]:
    """Queries as a request has them. Raises InvalidQuery."""
    if not 0 < len(given) <= MOST_QUERIES:
        raise InvalidQuery(f"The collection {where} must have a size between 1 and {MOST_QUERIES}.")
    queries = [_query(each, account, f"{where}.member.{number}") for number, each in enumerate(given, 1)]
    ids = {query.id for query in queries}
    if len(ids) < len(queries):
        raise InvalidQuery(f"The values for parameter Id in parameter {where} are not unique.")
    for query in queries:
        if query.expression is not None:
            _check_names(query.id, query.expression, ids)
    return in_order(queries)


def _query(given: Mapping[str, Any], account: str, where: str) -> Query:
    name = given["Id"]
    if not _ID.fullmatch(name):
        raise InvalidQuery(
            f"The value {name[:64]} for parameter {where}.Id is invalid: it begins with a lower case letter, and has letters,"
            " digits and underscores."
        )
    if ("MetricStat" in given) == ("Expression" in given):
        raise InvalidQuery(f"Exactly one of the parameters {where}.MetricStat and {where}.Expression must be specified.")
    if given.get("AccountId", account) != account:
        raise InvalidQuery(f"The parameter {where}.AccountId names another account: metrics are not shared across accounts.")
    period = given.get("Period")
    if period is not None and not is_period(period):
        raise InvalidQuery(_bad_period(f"{where}.Period"))
    if "MetricStat" in given:
        stat = _stat(given["MetricStat"], f"{where}.MetricStat")
        return Query(name, given.get("Label"), given.get("ReturnData", True), stat, None, stat.period)
    try:
        tree = parse(given["Expression"])
    except ExpressionError as error:
        raise InvalidQuery(f"Error in expression '{name}': {error}") from None
    return Query(name, given.get("Label"), given.get("ReturnData", True), None, tree, period)


def _stat(given: Mapping[str, Any], where: str) -> MetricStat:
    metric = given["Metric"]
    if "Namespace" not in metric or "MetricName" not in metric:
        raise InvalidQuery(f"The parameters {where}.Metric.Namespace and {where}.Metric.MetricName are required.")
    if not is_period(given["Period"]):
        raise InvalidQuery(_bad_period(f"{where}.Period"))
    if statistic(given["Stat"]) is None:
        raise InvalidQuery(f"The value {given['Stat'][:64]} for parameter {where}.Stat is not supported.")
    try:
        dimensions = dimensions_of(metric.get("Dimensions", ()))
    except ValueError:
        raise InvalidQuery(f"The parameter {where}.Metric.Dimensions has a dimension name twice.") from None
    return MetricStat(metric["Namespace"], metric["MetricName"], dimensions, given["Period"], given["Stat"], given.get("Unit"))


def _bad_period(where: str) -> str:
    return f"The parameter {where} must be 1, 5, 10, 20, 30 or a multiple of 60."


def _check_names(name: str, tree: Node, ids: set[str]) -> None:
    for called in calls_in(tree):
        if called.function not in FUNCTIONS:
            raise InvalidQuery(
                f"Error in expression '{name}': the function {called.function[:64]} is not available in Modelyard."
            )
    for each in names_in(tree):
        if each not in ids and each not in _KEYWORDS:
            raise InvalidQuery(f"Error in expression '{name}': there is no query with the id '{each[:64]}'.")


def in_order(queries: Sequence[Query]) -> list[Query]:
    """Queries so that each comes after those that it refers to. Raises InvalidQuery for a circle."""
    ids = {query.id for query in queries}
    waiting = {query.id: set() if query.expression is None else set(names_in(query.expression)) & ids for query in queries}
    ordered: list[Query] = []
    while waiting:
        ready = [query for query in queries if query.id in waiting and not waiting[query.id]]
        if not ready:
            raise InvalidQuery(f"Error in expression '{min(waiting)}': it refers to itself.")
        for query in ready:
            del waiting[query.id]
        for needs in waiting.values():
            needs.difference_update(query.id for query in ready)
        ordered += ready
    return ordered


def computed_queries(queries: Sequence[Query], fetch: Fetch, start: int, end: float) -> dict[str, Sequence[Result]]:
    """The results of queries that are in order, by the ids of those that are wanted. Raises InvalidQuery."""
    known: dict[str, Value] = {}
    metrics: dict[str, TimeSeries] = {}
    for query in queries:
        if query.stat is not None:
            label = query.stat.name if query.label is None else query.label
            known[query.id] = metrics[query.id] = TimeSeries(label, query.stat.period, fetch(query.stat))
    period = min((series.period for series in metrics.values()), default=DEFAULT_PERIOD)
    budget = Budget()
    for query in queries:
        if query.expression is not None:
            around = Surroundings(known, metrics, start, end, query.period or period, budget)
            known[query.id] = _computed(query, query.expression, around)
    return {query.id: _results(query, known[query.id]) for query in queries if query.returned}


def _computed(query: Query, tree: Node, around: Surroundings) -> Value:
    try:
        return calculate(tree, around)
    except ExpressionError as error:
        raise InvalidQuery(f"Error in expression '{query.id}': {error}") from None


def _results(query: Query, value: Value) -> Sequence[Result]:
    if isinstance(value, list):
        prefix = "" if query.label == "" else f"{query.id if query.label is None else query.label} "
        return [Result(query, TimeSeries(prefix + series.label, series.period, series.values)) for series in value]
    if isinstance(value, TimeSeries):
        label = value.label if query.stat is not None else query.id if query.label is None else query.label
        return [Result(query, TimeSeries(label, value.period, value.values))]
    raise InvalidQuery(f"Error in expression '{query.id}': its result is a number, and must be a time series.")


def periods(queries: Iterable[Query]) -> set[int]:
    """The periods of the metrics among queries."""
    return {query.stat.period for query in queries if query.stat is not None}
