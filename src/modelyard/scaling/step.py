"""Step scaling: by how much the capacity changes, depending on how far a metric is beyond an alarm's threshold.

Sources: "Step scaling policies" of the Application Auto Scaling user guide, and StepAdjustment of the service model.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, inf
from typing import Any

CHANGE, PERCENT, EXACT = "ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"
MOST_STEPS = 20
_LOWER, _UPPER = "MetricIntervalLowerBound", "MetricIntervalUpperBound"

Config = Mapping[str, Any]


class StepError(ValueError):
    """What is no configuration of step scaling; the text is what the client is told."""


def check(config: Config) -> None:
    """Raise StepError for what AWS does not take."""
    if "AdjustmentType" not in config:
        raise StepError("AdjustmentType is required for a step scaling policy.")
    steps = config.get("StepAdjustments", ())
    if not steps:
        raise StepError("At least one StepAdjustment is required for a step scaling policy.")
    if "MinAdjustmentMagnitude" in config and config["AdjustmentType"] != PERCENT:
        raise StepError(f"MinAdjustmentMagnitude is only valid with the AdjustmentType {PERCENT}.")
    if config["AdjustmentType"] == EXACT and any(step["ScalingAdjustment"] < 0 for step in steps):
        raise StepError(f"ScalingAdjustment must not be negative with the AdjustmentType {EXACT}.")
    _check_bounds(steps)


def _check_bounds(steps: Sequence[Config]) -> None:
    """Steps follow one another, without a gap and without a common part."""
    bounds = sorted(_bounds(step) for step in steps)
    for lower, upper in bounds:
        if not lower < upper:
            raise StepError("The upper bound of a StepAdjustment must be greater than its lower bound.")
    for (_, upper), (lower, _) in pairwise(bounds):
        if lower != upper:
            what = "overlap" if lower < upper else "have a gap between them"
            raise StepError(f"StepAdjustment intervals can't {what}.")
    if bounds[0][0] < 0 and bounds[0][0] != -inf:
        raise StepError("If there is a negative lower bound, a StepAdjustment with no lower bound is needed.")
    if bounds[-1][1] > 0 and bounds[-1][1] != inf:
        raise StepError("If there is a positive upper bound, a StepAdjustment with no upper bound is needed.")


def _bounds(step: Config) -> tuple[float, float]:
    return step.get(_LOWER, -inf), step.get(_UPPER, inf)


def adjustment(config: Config, beyond: float) -> int | None:
    """The adjustment for a metric that is so far beyond the threshold; None when there is none for it.

    A lower bound belongs to its interval and an upper one does not; below the threshold it is the other way round.
    """
    for above in (beyond >= 0, beyond < 0):
        for step in config["StepAdjustments"]:
            lower, upper = _bounds(step)
            if (lower <= beyond < upper) if above else (lower < beyond <= upper):
                return int(step["ScalingAdjustment"])
    return None


def adjusted(config: Config, capacity: int, by: int) -> int:
    """The capacity after an adjustment."""
    if config["AdjustmentType"] == EXACT:
        return by
    if config["AdjustmentType"] == CHANGE:
        return max(0, capacity + by)
    change = capacity * by / 100
    # AWS rounds to zero, but for what is less than one instance.
    whole = (max(1, floor(change)) if change > 0 else min(-1, ceil(change))) if change else 0
    least = config.get("MinAdjustmentMagnitude", 0)
    if abs(whole) < least and by:
        whole = least if by > 0 else -least
    return max(0, capacity + whole)
