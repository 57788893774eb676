"""Statistics by their names: what number is made of the values of a period.

SampleCount Sum Average Minimum Maximum
p99.9                       percentile
tm90 tc90 ts90 wm90         trimmed mean, count and sum, winsorized mean of the values up to a percentile
TM(10%:90%) TM(:500) …      the same between two percentiles, or two values; so TC, TS and WM
PR(100:500)                 the share of values between two, in percent
IQM                         interquartile mean
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from modelyard.metrics.aggregate import Aggregate
from modelyard.metrics.sketch import Sketch

Statistic = Callable[[Aggregate], float | None]
"""The number; None where it cannot be had."""

SIMPLE: dict[str, Statistic] = {
    "SampleCount": lambda values: values.samples,
    "Sum": lambda values: values.total,
    "Average": lambda values: values.total / values.samples,
    "Minimum": lambda values: values.minimum,
    "Maximum": lambda values: values.maximum,
}
_NUMBER = r"\d{1,15}(?:\.\d{1,10})?"
_PERCENTILE = re.compile(r"(p|tm|tc|ts|wm)(\d{1,3}(?:\.\d{1,10})?)")
_BETWEEN = re.compile(rf"(TM|TC|TS|WM|PR)\(({_NUMBER}%?)?:({_NUMBER}%?)?\)")
Part = tuple[float, float]
"""A value and how often it is counted."""


@lru_cache(1024)
def statistic(name: str) -> Statistic | None:
    """The statistic of that name; None when there is none."""
    if name in SIMPLE:
        return SIMPLE[name]
    if name == "IQM":
        return _trimmed("TM", "25%", "75%")
    match = _PERCENTILE.fullmatch(name)
    if match is not None and float(match[2]) <= 100:
        return percentile(float(match[2])) if match[1] == "p" else _trimmed(match[1].upper(), "0%", f"{match[2]}%")
    match = _BETWEEN.fullmatch(name)
    if match is None or (match[2] is None and match[3] is None) or (match[1] == "PR" and "%" in name):
        return None
    return _trimmed(match[1], match[2], match[3])


def needs_sketch(name: str) -> bool:
    """Whether the statistic is more than the five simple ones."""
    return name not in SIMPLE


def percentile(percent: float) -> Statistic:
    """The smallest value that so many percent of the values do not exceed."""

    def of(values: Aggregate) -> float | None:
        if values.sketch is None:
            return None
        wanted, seen = values.samples * percent / 100, 0.0
        for value, count in values.sketch.values():
            seen += count
            if seen >= wanted - 1e-9 * values.samples and percent < 100:
                return _within(values, value)
        return values.maximum

    return of


def _within(values: Aggregate, value: float) -> float:
    """A bucket's middle may lie beside the values: they are between the extremes, which are exact."""
    return min(max(value, values.minimum), values.maximum)


def _trimmed(kind: str, low: str | None, high: str | None) -> Statistic:
    def of(values: Aggregate) -> float | None:
        if values.sketch is None:
            return None
        if kind == "WM":
            return _winsorized(values, values.sketch, low, high)
        parts = _between(values, values.sketch, low, high)
        count = sum(part for _, part in parts)
        match kind:
            case "TC":
                return count
            case "PR":
                return 100 * count / values.samples
            case "TS":
                return sum(value * part for value, part in parts)
            case _:
                return sum(value * part for value, part in parts) / count if count else None

    return of


def _between(values: Aggregate, sketch: Sketch, low: str | None, high: str | None) -> Sequence[Part]:
    """What lies between two bounds, each a percentile, a value or open; of values the lower bound is outside."""
    lowest = _number(low, -math.inf) if low is None or "%" not in low else -math.inf
    highest = _number(high, math.inf) if high is None or "%" not in high else math.inf
    first = values.samples * _number(low, 0.0) / 100 if low is not None and "%" in low else 0.0
    last = values.samples * _number(high, 100.0) / 100 if high is not None and "%" in high else values.samples
    parts: list[Part] = []
    seen = 0.0
    for middle, count in sketch.values():
        value = _within(values, middle)
        part = min(seen + count, last) - max(seen, first)
        seen += count
        if part > 0 and lowest < value <= highest:
            parts.append((value, part))
    return parts


def _winsorized(values: Aggregate, sketch: Sketch, low: str | None, high: str | None) -> float | None:
    """The mean, with what lies outside counted as the outermost values inside."""
    parts = _between(values, sketch, low, high)
    if not parts:
        return None
    first, last = parts[0][0], parts[-1][0]
    return sum(min(max(_within(values, middle), first), last) * count for middle, count in sketch.values()) / values.samples


def _number(text: str | None, otherwise: float) -> float:
    return otherwise if text is None else float(text.rstrip("%"))
