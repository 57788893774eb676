"""Statistics: of one metric, or of many with math over them."""

from collections.abc import Iterator, Sequence
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.metrics import store
from modelyard.metrics.errors import invalid, invalid_combination, invalid_value, missing
from modelyard.metrics.metric import Metric, dimensions_of
from modelyard.metrics.pages import open_token, seal_token
from modelyard.metrics.permissions import Request, on_metrics, owner
from modelyard.metrics.queries import InvalidQuery, MetricStat, Query, Result, computed_queries, periods, queries_of
from modelyard.metrics.reading import Span, values_of
from modelyard.metrics.retention import MINUTE, is_period, rounded_start
from modelyard.metrics.statistic import statistic

operation = operations_of("cloudwatch")

MOST_STATISTICS = 1440
MOST_DATAPOINTS = 100_800
LARGEST_QUERY = 500_000
"""Datapoints that the queries of one GetMetricData may look at."""


@operation("GetMetricStatistics", mode=Mode.SLOW_READ, permissions=on_metrics("GetMetricStatistics"))
def get_metric_statistics(context: Context, request: Request) -> Request:
    """The datapoints of one metric, each unit's on its own."""
    simple, extended = request.get("Statistics", ()), request.get("ExtendedStatistics", ())
    period, span = _period_and_span(context, request)
    try:
        dimensions = dimensions_of(request.get("Dimensions", ()))
    except ValueError:
        raise invalid_value("The parameter Dimensions has a dimension name twice.") from None
    metric = Metric(owner(context), context.region, request["Namespace"], request["MetricName"], dimensions)
    number = store.metric_id(context.tx, metric)
    span = span.within_what_is_kept(period, context.now)
    datapoints: list[Request] = []
    if number is not None and span.end > span.start:
        unit = request.get("Unit")
        found = store.datapoints(context.tx, number, span.start, span.end, period, unit, sketches=bool(extended))
        for (time, of_unit), values in found.items():
            datapoint: Request = {"Timestamp": time, "Unit": of_unit}
            for name in simple:
                datapoint[name] = _computed(name, values)
            percentiles = {name: value for name in extended if (value := _computed(name, values)) is not None}
            if percentiles:
                datapoint["ExtendedStatistics"] = percentiles
            if simple or percentiles:
                datapoints.append(datapoint)
    return {"Label": request["MetricName"], "Datapoints": datapoints}


def _computed(name: str, values: Any) -> float | None:
    compute = statistic(name)
    assert compute is not None
    return compute(values)


def _period_and_span(context: Context, request: Request) -> tuple[int, Span]:
    """What GetMetricStatistics is asked for. Raises AwsError."""
    period = request["Period"]
    if not is_period(period):
        raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    if not request.get("Statistics") and not request.get("ExtendedStatistics"):
        raise missing("Must specify either Statistics or ExtendedStatistics.")
    for name in request.get("ExtendedStatistics", ()):
        if statistic(name) is None:
            raise invalid_value(f"The value {name[:64]} for parameter ExtendedStatistics is not supported.")
    if request["StartTime"] >= request["EndTime"]:
        raise invalid_combination("The parameter StartTime must be less than the parameter EndTime.")
    span = Span(rounded_start(request["StartTime"], period, context.now), request["EndTime"])
    points = span.points(period)
    if points > MOST_STATISTICS:
        raise invalid_combination(
            f"You have requested up to {points:,} datapoints, which exceeds the limit of {MOST_STATISTICS:,}. You may reduce the"
            " datapoints requested by increasing Period, or decreasing the time range."
        )
    return period, span


@operation("GetMetricData", mode=Mode.SLOW_READ, permissions=on_metrics("GetMetricData"))
def get_metric_data(context: Context, request: Request) -> Request:
    """The values of many statistics, and of math over them."""
    if request["StartTime"] >= request["EndTime"]:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    most = request.get("MaxDatapoints", MOST_DATAPOINTS)
    if not 0 < most <= MOST_DATAPOINTS:
        raise invalid(f"The value {most} for parameter MaxDatapoints must be between 1 and {MOST_DATAPOINTS}.")
    query = {"operation": "GetMetricData", **{name: value for name, value in request.items() if name not in _PAGING}}
    cursor = open_token(context, request["NextToken"], query) if "NextToken" in request else None
    try:
        queries = queries_of(request["MetricDataQueries"], owner(context), "MetricDataQueries")
        results = _results(context, request, queries)
    except InvalidQuery as error:
        raise invalid(str(error)) from None
    ordered = [result for each in request["MetricDataQueries"] for result in results.get(each["Id"], ())]
    shown, after = _page(ordered, request.get("ScanBy") != "TimestampAscending", most, cursor)
    answer: Request = {"MetricDataResults": shown, "Messages": []}
    if after is not None:
        answer["NextToken"] = seal_token(context, query, after)
    return answer


_PAGING = ("NextToken", "MaxDatapoints")


def _results(context: Context, request: Request, queries: Sequence[Query]) -> dict[str, Sequence[Result]]:
    """Compute the queries of a request. Raises InvalidQuery."""
    finest = min(periods(queries), default=MINUTE)
    whole = Span(rounded_start(request["StartTime"], finest, context.now), request["EndTime"])
    spans = {
        each: Span(rounded_start(request["StartTime"], each, context.now), request["EndTime"]).within_what_is_kept(
            each, context.now
        )
        for each in periods(queries)
    }
    looked = sum(spans[each.stat.period].points(each.stat.period) for each in queries if each.stat is not None)
    if looked > LARGEST_QUERY:
        raise InvalidQuery(
            f"The queries look at up to {looked:,} datapoints, which exceeds the limit of {LARGEST_QUERY:,}: ask for less time,"
            " longer periods or fewer metrics."
        )

    def fetch(stat: MetricStat) -> dict[int, float]:
        return dict(values_of(context.tx, owner(context), context.region, stat, spans[stat.period]))

    grid = whole.within_what_is_kept(finest, context.now)
    return computed_queries(queries, fetch, grid.start, grid.end)


def _page(
    results: Sequence[Result], descending: bool, most: int, cursor: list[Any] | None
) -> tuple[list[Request], list[Any] | None]:
    """The results from behind a cursor (the place of a result, and a time in it or None), and the cursor of what is left."""
    place, time = (0, None) if cursor is None else (cursor[0], cursor[1])
    shown: list[Request] = []
    for number in range(place, len(results)):
        result = results[number]
        points = list(_from(result, descending, time if number == place else None))
        taken = points[:most]
        most -= len(taken)
        complete = len(taken) == len(points)
        shown.append(
            {
                "Id": result.query.id,
                "Label": result.series.label,
                "Timestamps": [point[0] for point in taken],
                "Values": [point[1] for point in taken],
                "StatusCode": "Complete" if complete else "PartialData",
            }
        )
        if not complete:
            last = taken[-1][0] if taken else time if number == place else None
            return shown, [number, last]
        if most == 0 and number + 1 < len(results):
            return shown, [number + 1, None]
    return shown, None


def _from(result: Result, descending: bool, time: int | None) -> Iterator[tuple[int, float]]:
    points = list(result.series.values.items())
    for point in reversed(points) if descending else points:
        if time is None or (point[0] < time if descending else point[0] > time):
            yield point
