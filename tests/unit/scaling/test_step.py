"""Step scaling: which step is taken, and what it does to a capacity."""

from typing import Any

import pytest

from modelyard.scaling.step import CHANGE, EXACT, PERCENT, StepError, adjusted, adjustment, check

LOWER, UPPER = "MetricIntervalLowerBound", "MetricIntervalUpperBound"


def step(by: int, lower: float | None = None, upper: float | None = None) -> dict[str, Any]:
    bounds = {LOWER: lower, UPPER: upper}
    return {"ScalingAdjustment": by, **{name: value for name, value in bounds.items() if value is not None}}


def config(*steps: dict[str, Any], kind: str = CHANGE, **more: Any) -> dict[str, Any]:
    return {"AdjustmentType": kind, "StepAdjustments": list(steps), **more}


OUT = config(step(0, 0, 10), step(10, 10, 20), step(30, 20), step(0, -10, 0), step(-10, -20, -10), step(-30, None, -20))
"""The example of the user guide: a threshold of 50 %, and capacities in percent."""


@pytest.mark.documented
@pytest.mark.parametrize(
    ("beyond", "by"),
    [(0, 0), (9.9, 0), (10, 10), (19.9, 10), (20, 30), (500, 30), (-9.9, 0), (-10, -10), (-19.9, -10), (-20, -30), (-99, -30)],
)
def test_a_lower_bound_belongs_to_its_step_above_the_threshold_and_an_upper_one_below(beyond: float, by: int) -> None:
    """What is just at the border of two steps takes the one that is farther from the threshold."""
    assert adjustment(OUT, beyond) == by


@pytest.mark.ours
def test_at_the_threshold_steps_of_either_direction_count() -> None:
    """An alarm that rings at its threshold takes the first step out, or in where there are only those; there may be none."""
    assert adjustment(config(step(2, 0)), 0) == 2
    assert adjustment(config(step(-1, None, 0)), 0) == -1
    assert adjustment(config(step(2, 5)), 0) is None


@pytest.mark.documented
@pytest.mark.parametrize(
    ("kind", "capacity", "by", "least", "after"),
    [
        (CHANGE, 3, 2, 0, 5),
        (CHANGE, 3, -5, 0, 0),
        (EXACT, 3, 8, 0, 8),
        (PERCENT, 10, 127, 0, 22),
        (PERCENT, 1, 67, 0, 2),
        (PERCENT, 1, -58, 0, 0),
        (PERCENT, 10, -67, 0, 4),
        (PERCENT, 10, -66, 0, 4),
        (PERCENT, 4, 25, 2, 6),
        (PERCENT, 4, -25, 2, 2),
        (PERCENT, 0, 50, 1, 1),
        (PERCENT, 4, 0, 2, 4),
    ],
)
def test_adjustments(kind: str, capacity: int, by: int, least: int, after: int) -> None:
    """By a number, to a number, or by percents, which are rounded towards zero but for less than one instance."""
    more = {"MinAdjustmentMagnitude": least} if least else {}
    assert adjusted(config(step(by, 0), kind=kind, **more), capacity, by) == after


@pytest.mark.documented
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (config(), "At least one StepAdjustment"),
        ({"StepAdjustments": [step(1, 0)]}, "AdjustmentType is required"),
        (config(step(1, 0, 10), step(2, 5)), "overlap"),
        (config(step(1, 0, 10), step(2, 15)), "gap"),
        (config(step(1, 10, 0)), "greater than its lower bound"),
        (config(step(1, 0, 10)), "no upper bound is needed"),
        (config(step(1, -10, 0)), "no lower bound is needed"),
        (config(step(-1, 0), kind=EXACT), "must not be negative"),
        (config(step(1, 0), MinAdjustmentMagnitude=2), "only valid with"),
    ],
)
def test_steps_that_make_no_sense_are_refused(wrong: dict[str, Any], words: str) -> None:
    """Steps follow one another without gap and overlap, out to where the metric may go."""
    with pytest.raises(StepError, match=words):
        check(wrong)


@pytest.mark.documented
def test_the_guides_example_is_taken() -> None:
    """Steps on both sides of the threshold are one policy."""
    check(OUT)
