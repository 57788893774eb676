"""Metric math: the examples and rules of "Using metric math" in the CloudWatch user guide."""

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.metrics.calculation import FUNCTIONS, Surroundings, Value, calculate
from modelyard.metrics.expression import ExpressionError, parse
from modelyard.metrics.queries import InvalidQuery, computed_queries, queries_of
from modelyard.metrics.series import TimeSeries

STEP = 60
LENGTH = 5


def series(*values: float | None, label: str = "m") -> TimeSeries:
    return TimeSeries(label, STEP, {place * STEP: float(value) for place, value in enumerate(values) if value is not None})


def calculated(text: str, **known: TimeSeries) -> Value:
    return calculate(parse(text), Surroundings(known, known, 0, LENGTH * STEP, STEP))


def shown(value: Value, length: int = LENGTH) -> list[float | None]:
    """A series with None where it has no datapoint."""
    assert isinstance(value, TimeSeries)
    return [value.values.get(place * STEP) for place in range(length)]


@pytest.mark.documented
def test_comparisons_of_the_guide() -> None:
    """The table of comparison and logical operators: what is missing counts as 0."""
    known = {"metric1": series(30, 20, 0, 0), "metric2": series(20, None, 20, None)}
    assert shown(calculated("metric1 < metric2", **known), 4) == [0, 0, 1, 0]
    assert shown(calculated("metric1 >= 30", **known), 4) == [1, 0, 0, 0]
    assert shown(calculated("metric1 > 15 AND metric2 > 15", **known), 4) == [1, 0, 0, 0]
    assert shown(calculated("metric1 > 15 || metric2 > 15", **known), 4) == [1, 1, 1, 0]


@pytest.mark.documented
def test_if_tables_of_the_guide() -> None:
    """The three tables of IF."""
    known = {"a": series(1, 1, 0, 0, None), "b": series(30, None, 0, 0, 30), "c": series(0, 0, 20, None, 20)}
    assert shown(calculated("IF(a, b, c)", **known)) == [30, 0, 20, None, None]
    assert shown(calculated("IF(a, 5, c)", **known)) == [5, 5, 20, None, None]
    assert shown(calculated("IF(a, b, 5)", **known)) == [30, 0, 5, 5, None]
    assert shown(calculated("IF(b < 10, b)", **known)) == [None, None, 0, 0, None]
    assert shown(calculated("IF(1, b, c)", **known)) == [30, None, 0, 0, 30]


@pytest.mark.documented
def test_arithmetic() -> None:
    """Operators bind as in mathematics; missing values are 0; a division by zero leaves no datapoint."""
    known = {"m1": series(6, 8, None), "m2": series(2, 0, 4)}
    assert shown(calculated("m1 / m2", **known), 3) == [3, None, 0]
    assert shown(calculated("m1 + m2 * 2 ^ 2 - 1", **known), 3) == [13, 7, 15]
    assert shown(calculated("-m1 * (2 + 1)", **known), 3) == [-18, -24, None]
    assert shown(calculated("100 * m1 / PERIOD(m1)", **known), 2) == [10, 800 / 60]
    assert calculated("2 ^ 3 ^ 0") == 2
    assert calculated("1 + 2 * 3 - 4 / 2") == 5


@pytest.mark.documented
def test_functions_of_one_series() -> None:
    """Functions that fold a series give a number, those that map it a series."""
    known = {"m": series(1, 4, None, 10)}
    assert [calculated(f"{name}(m)", **known) for name in ("SUM", "AVG", "MIN", "MAX", "DATAPOINT_COUNT")] == [15, 5, 1, 10, 3]
    assert shown(calculated("RATE(m) * 60", **known), 4) == [None, 3, None, 3]
    assert shown(calculated("DIFF(m)", **known), 4) == [None, 3, None, 6]
    assert shown(calculated("DIFF_TIME(m)", **known), 4) == [None, 60, None, 120]
    assert shown(calculated("RUNNING_SUM(m)", **known), 4) == [1, 5, None, 15]
    assert shown(calculated("m - AVG(m)", **known), 4) == [-4, -1, None, 5]
    assert shown(calculated("CEIL(ABS(m - 4) / 4)", **known), 4) == [1, 0, None, 2]
    assert shown(calculated("LOG10(m - 1)", **known), 2) == [None, pytest.approx(0.4771212547)]


@pytest.mark.documented
def test_filling() -> None:
    """FILL fills what is missing of the whole time: by a number, the value before, a line or another series."""
    known = {"m": series(None, 2, None, 8, None), "n": series(7, 7, 7, 7, 7)}
    assert shown(calculated("FILL(m, 0)", **known)) == [0, 2, 0, 8, 0]
    assert shown(calculated("FILL(m, REPEAT)", **known)) == [None, 2, 2, 8, 8]
    assert shown(calculated("FILL(m, LINEAR)", **known)) == [None, 2, 5, 8, None]
    assert shown(calculated("FILL(m, n)", **known)) == [7, 2, 7, 8, 7]
    assert shown(calculated("FILL(m, MIN(m))", **known)) == [2, 2, 2, 8, 2]
    assert shown(calculated("TIME_SERIES(MAX(m))", **known)) == [8] * 5


@pytest.mark.documented
def test_arrays() -> None:
    """Several series fold to one, map to several, and are chosen by their ids."""
    known = {"errors_a": series(1, 2), "errors_b": series(3, None), "requests": series(10, 10)}
    assert shown(calculated('SUM(METRICS("errors"))', **known), 2) == [4, 2]
    assert shown(calculated("SUM([errors_a, errors_b])", **known), 2) == [4, 2]
    assert shown(calculated("AVG([errors_a, errors_b])", **known), 2) == [2, 1]
    assert shown(calculated("MIN([errors_a, errors_b])", **known), 2) == [1, 2]
    assert shown(calculated('SUM(METRICS("errors")) / requests * 100', **known), 2) == [40, 20]
    assert shown(calculated("requests / METRIC_COUNT(METRICS())", **known), 2) == [pytest.approx(10 / 3)] * 2
    assert shown(calculated("FIRST(SORT(METRICS(), SUM, DESC))", **known), 2) == [10, 10]
    several = calculated("SLICE(SORT(METRICS(), AVG, ASC), 0, 2) * 2", **known)
    assert isinstance(several, list)
    assert [shown(one, 2) for one in several] == [[2, 4], [6, None]]


@pytest.mark.ours
@pytest.mark.parametrize(
    "text",
    [
        "",
        "m1 +",
        "(m1",
        "m1)",
        "m1 m1",
        "sum(m1)",
        "SEARCH('{AWS/EC2}', 'Average')",
        "ANOMALY_DETECTION_BAND(m1)",
        "SELECT AVG(x) FROM y",
        "SUM()",
        "SUM(m1, m1)",
        "METRICS() + METRICS()",
        "FILL(m1)",
        "IF(METRICS(), 1, 0)",
        "'text'",
        "[1, 2]",
        "none",
        "m1 ; m1",
        "(" * 2000,
        "2^" * 1000 + "2",
        "-" * 2000,
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """An expression that cannot be read, or has what is not available, is refused in words; depth does not break the reader."""
    with pytest.raises(ExpressionError):
        calculated(text, m1=series(1))


def _call(function: str, given: list[str]) -> str:
    return f"{function}({', '.join(given)})"


TREES = st.recursive(
    st.sampled_from(["m1", "m2", "empty", "0", "1e999", "2.5", "METRICS()", "[m1, m2]", "1/0", "REPEAT", "SUM", "DESC", "'m'"]),
    lambda inner: st.one_of(
        st.builds("({}{}{})".format, inner, st.sampled_from(["+", "-", "*", "/", "^", "<", "==", "&&", "||", " AND "]), inner),
        st.builds("-{}".format, inner),
        st.builds("[{}]".format, inner),
        st.builds(_call, st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@pytest.mark.ours
@given(st.text(st.sampled_from(list('m12 .+-*/^<>=&|()[],"eSUMFILRA')), max_size=60) | TREES)
@settings(max_examples=500)
def test_no_expression_breaks_anything(text: str) -> None:
    """Whatever the text, there is a refusal, or a value whose datapoints are numbers."""
    known = {"m1": series(1, 0, None, 3), "m2": series(2, 1e308, -1), "empty": series()}
    with suppress(ExpressionError):
        value = calculated(text, **known)
        found = value if isinstance(value, list) else [value] if isinstance(value, TimeSeries) else []
        assert all(math.isfinite(number) for one in found for number in one.values.values())


@pytest.mark.ours
def test_work_is_bounded() -> None:
    """Expressions that would compute for minutes are refused within moments."""
    many = {f"m{number}": TimeSeries("", 1, dict.fromkeys(range(10_000), 1.0)) for number in range(50)}
    around = Surroundings(many, many, 0, 10_000, 1)
    with pytest.raises(ExpressionError, match="compute more than"):
        calculate(parse("ABS(" * 20 + "METRICS()" + ")" * 20), around)
    with pytest.raises(ExpressionError, match="has more than"):
        calculate(parse("TIME_SERIES(1)"), Surroundings({}, {}, 0, 10**9, 1))


def queries(*given: dict) -> list:
    return queries_of(given, "111122223333", "MetricDataQueries")


def stat(name: str, **more: object) -> dict:
    return {"Id": name, "MetricStat": {"Metric": {"Namespace": "n", "MetricName": name}, "Period": 60, "Stat": "Sum"}, **more}


@pytest.mark.documented
def test_expressions_refer_to_each_other_in_any_order() -> None:
    """An expression may refer to one that stands behind it; what is not to be returned is not."""
    given = queries({"Id": "e1", "Expression": "e2 * 2"}, {"Id": "e2", "Expression": "m1 + 1", "ReturnData": False}, stat("m1"))
    results = computed_queries(given, lambda _stat: {0: 1.0}, 0, 60)
    assert {name: dict(each[0].series.values) for name, each in results.items()} == {"e1": {0: 4.0}, "m1": {0: 1.0}}


@pytest.mark.documented
@pytest.mark.parametrize(
    "given",
    [
        [{"Id": "e1", "Expression": "e2"}, {"Id": "e2", "Expression": "e1"}],
        [{"Id": "e1", "Expression": "e1 + 1"}],
        [{"Id": "e1", "Expression": "m9"}],
        [{"Id": "E1", "Expression": "1"}],
        [stat("m1"), stat("m1")],
        [{"Id": "m1"}],
        [stat("m1", Expression="m1")],
        [stat("m1", AccountId="444455556666")],
        [{"Id": "m1", "MetricStat": {"Metric": {"MetricName": "x"}, "Period": 60, "Stat": "Sum"}}],
        [{"Id": "m1", "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "x"}, "Period": 45, "Stat": "Sum"}}],
        [{"Id": "m1", "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "x"}, "Period": 60, "Stat": "Median"}}],
    ],
)
def test_queries_that_are_none(given: list[dict]) -> None:
    """Circles, unknown ids, ids that come twice or are none, other accounts, periods and statistics are refused."""
    with pytest.raises(InvalidQuery):
        queries(*given)


@pytest.mark.documented
def test_a_number_is_no_result() -> None:
    """The result of an expression is a series, not a number."""
    with pytest.raises(InvalidQuery, match="time series"):
        computed_queries(queries(stat("m1"), {"Id": "e1", "Expression": "SUM(m1)"}), lambda _stat: {0: 1.0}, 0, 60)
