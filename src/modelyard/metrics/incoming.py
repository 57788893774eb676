"""What PutMetricData brings, checked and gathered: one aggregate for each metric, minute (or second) and unit."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.metrics.aggregate import Aggregate, of_set, of_values
from modelyard.metrics.errors import invalid_combination, invalid_value, missing
from modelyard.metrics.metric import Dimensions, dimensions_of
from modelyard.metrics.retention import MINUTE, NEWEST_WRITE, OLDEST_WRITE, SECOND

MOST_DATA = 1000
MOST_VALUES = 150
LARGEST = 2.0**360

Datum = Mapping[str, Any]
Series = tuple[str, Dimensions]
"""The name and the dimensions of a metric, within the namespace of a request."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of an aggregate within its metric."""

    resolution: int
    start: int
    unit: str


@dataclass(slots=True)
class Batch:
    """What a request brings."""

    series: dict[Series, dict[Slot, Aggregate]] = field(default_factory=dict)

    def add(self, series: Series, slot: Slot, values: Aggregate) -> None:
        """Take in an aggregate, together with what is there already."""
        slots = self.series.setdefault(series, {})
        if slot in slots:
            slots[slot].merge(values)
        else:
            slots[slot] = values


def gathered(request: Mapping[str, Any], now: float) -> Batch:
    """The data of a request. Raises AwsError for data that CloudWatch does not take: then none of it is taken."""
    batch = Batch()
    data = list(_data(request))
    if not data:
        raise missing("The parameter MetricData is required.")
    if len(data) > MOST_DATA:
        raise invalid_value(f"The collection MetricData must not have a size greater than {MOST_DATA}.")
    for path, datum in data:
        _add(batch, path, datum, now)
    return batch


def _data(request: Mapping[str, Any]) -> Iterable[tuple[str, Datum]]:
    for number, datum in enumerate(request.get("MetricData", ()), 1):
        yield f"MetricData.member.{number}", datum
    for place, entity in enumerate(request.get("EntityMetricData", ()), 1):
        for number, datum in enumerate(entity.get("MetricData", ()), 1):
            yield f"EntityMetricData.member.{place}.MetricData.member.{number}", datum


def _add(batch: Batch, path: str, datum: Datum, now: float) -> None:
    resolution = datum.get("StorageResolution", MINUTE)
    if resolution not in (SECOND, MINUTE):
        raise invalid_value(f"The value {resolution} for parameter {path}.StorageResolution is invalid: it is 1 or 60.")
    time = datum.get("Timestamp", now)
    if time < now - OLDEST_WRITE:
        raise invalid_value(f"The parameter {path}.Timestamp must specify a time within the last two weeks.")
    if time > now + NEWEST_WRITE:
        raise invalid_value(f"The parameter {path}.Timestamp must specify a time no more than two hours in the future.")
    try:
        series = (datum["MetricName"], dimensions_of(datum.get("Dimensions", ())))
    except ValueError:
        raise invalid_value(f"The parameter {path}.Dimensions has a dimension name twice.") from None
    unit = datum.get("Unit", "None")
    for seconds in (MINUTE, SECOND) if resolution == SECOND else (MINUTE,):
        values = _aggregate(path, datum)
        if values.samples > 0:
            batch.add(series, Slot(seconds, int(time // seconds) * seconds, unit), values)


def _aggregate(path: str, datum: Datum) -> Aggregate:
    given = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if not given:
        raise missing(f"At least one of the parameters must be specified: {path}.Value, Values, StatisticValues.")
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {path}.{given[0]} and {path}.{given[1]} are mutually exclusive and you have specified both."
        )
    if "Counts" in datum and "Values" not in datum:
        raise invalid_combination(f"The parameter {path}.Counts needs {path}.Values.")
    if "StatisticValues" in datum:
        return _set(f"{path}.StatisticValues", datum["StatisticValues"])
    if "Values" in datum:
        return _several(path, datum)
    _check(f"{path}.Value", datum["Value"])
    return of_values([float(datum["Value"])], [1.0])


def _several(path: str, datum: Datum) -> Aggregate:
    values = datum["Values"]
    counts = datum.get("Counts", [1.0] * len(values))
    if len(values) != len(counts):
        raise invalid_value(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    if not 0 < len(values) <= MOST_VALUES:
        raise invalid_value(f"The collection {path}.Values must have a size between 1 and {MOST_VALUES}.")
    for value, count in zip(values, counts, strict=True):
        _check(f"{path}.Values", value)
        _check(f"{path}.Counts", count, least=0.0)
    return of_values([float(value) for value in values], [float(count) for count in counts])


def _set(path: str, given: Datum) -> Aggregate:
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        _check(f"{path}.{name}", given[name], least=0.0 if name == "SampleCount" else -LARGEST)
    if given["Minimum"] > given["Maximum"]:
        raise invalid_value(f"The parameter {path}.Minimum must not be greater than {path}.Maximum.")
    return of_set(float(given["SampleCount"]), float(given["Sum"]), float(given["Minimum"]), float(given["Maximum"]))


def _check(path: str, value: float, least: float = -LARGEST) -> None:
    if not math.isfinite(value) or not least <= value <= LARGEST:
        raise invalid_value(f"The value {value} for parameter {path} is invalid.")
