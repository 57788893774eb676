"""What state an alarm is in, from its latest datapoints: the rules of "Configuring how CloudWatch alarms treat missing data".

More datapoints are looked at than are evaluated. If enough of them are there, the newest that are there decide, and nobody asks
how missing ones are treated. Otherwise all that are there are evaluated, with as many missing ones as it takes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelyard.metrics.alarm import ALARM, INSUFFICIENT_DATA, OK

MORE_LOOKED_AT = 2
"""Datapoints that are looked at beyond those that are evaluated: AWS's own tables have 5 for 3."""

COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (lambda value, threshold: value >= threshold, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, threshold: value <= threshold, "less than or equal to"),
}
"""When a datapoint is breaching, and how that is said."""
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm is in alarm: `wanted` of `evaluated` datapoints are breaching."""

    comparison: str
    threshold: float
    evaluated: int
    wanted: int
    treatment: str
    """How missing datapoints are treated."""

    def breaches(self, value: float) -> bool:
        """Whether a datapoint is breaching."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state, and what it was told from."""

    state: str
    places: Sequence[int]
    """The datapoints that were evaluated, as places among those looked at, newest first."""
    filled: int
    """How many missing ones were evaluated besides."""


def judge(rule: Rule, latest: Sequence[float | None], current: str) -> Judgement:
    """Judge the datapoints looked at, oldest first, where None is a missing one; `current` is the state until now."""
    there = [place for place in reversed(range(len(latest))) if latest[place] is not None]
    used = there[: rule.evaluated]
    filled = rule.evaluated - len(used)
    breaching = [place for place in used if rule.breaches(_value(latest, place))]
    if not filled:
        return Judgement(ALARM if len(breaching) >= rule.wanted else OK, used, 0)
    if rule.treatment == "breaching":
        state = ALARM if len(breaching) + filled >= rule.wanted else OK
    elif rule.treatment == "notBreaching" or len(breaching) >= rule.wanted:
        state = ALARM if len(breaching) >= rule.wanted else OK
    elif len(breaching) < len(used):
        state = OK
    elif rule.treatment == "ignore":
        state = current
    else:
        # Nothing but breaching datapoints, if any: in alarm once the oldest is old enough, so that no early one alone does it.
        oldest = len(latest) - breaching[-1] if breaching else 0
        state = ALARM if oldest >= rule.wanted > 0 and breaching else INSUFFICIENT_DATA
    return Judgement(state, used, filled)


def _value(latest: Sequence[float | None], place: int) -> float:
    value = latest[place]
    assert value is not None
    return value
