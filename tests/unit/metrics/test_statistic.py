"""Statistics and the sketch that percentiles are made of."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.metrics.aggregate import Aggregate, of_set, of_values
from modelyard.metrics.sketch import ERROR, MOST_BUCKETS, Sketch, decoded
from modelyard.metrics.statistic import statistic


def of(name: str, values: Aggregate) -> float | None:
    compute = statistic(name)
    assert compute is not None
    return compute(values)


def plain(*values: float) -> Aggregate:
    return of_values(list(values), [1.0] * len(values))


@pytest.mark.documented
def test_simple_statistics() -> None:
    """The five simple statistics are exact."""
    values = of_values([1.0, 4.0], [3.0, 1.0])
    assert [of(name, values) for name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum")] == [4.0, 7.0, 1.75, 1.0, 4.0]


@pytest.mark.ours
@given(st.lists(st.floats(0.001, 30.0), min_size=1, max_size=300), st.sampled_from(["p0", "p10", "p50", "p90", "p99", "p100"]))
def test_percentiles_are_within_one_percent(values: list[float], name: str) -> None:
    """A percentile differs from the exact one by no more than 1 %, as long as values span a factor of 28,000 and more."""
    values.sort()
    exact = values[max(0, math.ceil(len(values) * float(name[1:]) / 100) - 1)]
    found = of(name, plain(*values))
    assert found is not None
    assert abs(found - exact) <= ERROR * exact * 1.0001


@pytest.mark.ours
def test_extremes_and_single_values_are_exact() -> None:
    """Percentiles never leave the range of the values, so of one value they are that value."""
    assert of("p50", plain(123.456)) == 123.456
    assert (of("p0", plain(1.0, 9.0)), of("p100", plain(1.0, 9.0))) == (1.0, 9.0)
    assert of("p50", plain(0.0, 0.0, 0.0)) == 0.0


@pytest.mark.ours
@given(st.lists(st.floats(0, 2.0**360), min_size=1, max_size=50), st.integers(1, 49))
def test_merging_is_the_same_as_adding(values: list[float], cut: int) -> None:
    """Sketches of two parts merge to the sketch of the whole, also through what is stored."""
    whole, left, right = Sketch(), Sketch(), Sketch()
    for place, value in enumerate(values):
        whole.add(value, 1.0)
        (left if place < cut else right).add(value, 1.0)
    left.merge(decoded(right.encoded()))
    assert (left.level, left.zeros, left.counts) == (whole.level, whole.zeros, whole.counts)


@pytest.mark.ours
def test_sketches_stay_small() -> None:
    """However far values lie apart, a sketch has no more than 512 buckets, keeps every count, and its error grows as it says."""
    randomness = random.Random(1)
    values = sorted(2.0 ** randomness.uniform(-360, 360) for _ in range(5000))
    sketch = Sketch()
    for value in values:
        sketch.add(value, 1.0)
    assert len(sketch.counts) <= MOST_BUCKETS
    assert sum(sketch.counts.values()) == 5000
    error = math.tanh(math.atanh(ERROR) * 2**sketch.level)
    middles = [middle for middle, count in sketch.values() for _ in range(int(count))]
    assert all(abs(middle - value) <= error * value * 1.0001 for middle, value in zip(middles, values, strict=True))


@pytest.mark.documented
def test_statistic_sets() -> None:
    """There are percentiles of a statistic set only when all of its values must be the same, and none of negative values."""
    assert of("p90", of_set(3.0, 30.0, 5.0, 15.0)) is None
    assert of("p90", of_set(3.0, 30.0, 10.0, 10.0)) == 10.0
    assert of("p90", of_set(1.0, 7.0, 7.0, 7.0)) == 7.0
    assert of("p90", plain(-1.0, 2.0)) is None
    both = plain(1.0)
    both.merge(of_set(2.0, 30.0, 5.0, 25.0))
    assert (of("p90", both), of("Average", both), of("Maximum", both)) == (None, 31 / 3, 25.0)


@pytest.mark.documented
def test_trimmed_statistics() -> None:
    """Trimmed mean, count, sum, winsorized mean, percentile rank and interquartile mean are those of the values between."""
    values = plain(*[float(value) for value in range(1, 101)])
    expected = {
        "tm90": 45.5,
        "TM(10%:90%)": 50.5,
        "TM(:50)": 25.5,
        "TC(10%:90%)": 80.0,
        "tc90": 90.0,
        "ts50": 1275.0,
        "TS(50%:)": 3775.0,
        "PR(:25)": 25.0,
        "PR(10:60)": 50.0,
        "IQM": 50.5,
        "wm100": 50.5,
        "WM(10%:90%)": 50.5,
    }
    for name, exact in expected.items():
        assert of(name, values) == pytest.approx(exact, rel=0.025), name


@pytest.mark.documented
@pytest.mark.parametrize("name", ["p101", "p", "P99", "average", "TM()", "TM(:)", "PR(10%:20%)", "tm(10:20)", ""])
def test_what_is_no_statistic(name: str) -> None:
    """Names of no statistic are known as such."""
    assert statistic(name) is None
