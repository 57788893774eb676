"""Counting what endpoints are asked, for CloudWatch: on the event loop, by additions to what is kept in memory for each variant.

Names, units and values are those of SageMaker's invocation metrics: an error metric has a value for each request, 1 or 0, and
InvocationsPerInstance one over the number of instances. Latencies are rounded to three digits, so that few values stand for many.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor, log10
from typing import Any

from modelyard.endpoints.routes import Key

Datum = dict[str, Any]

MOST_VALUES = 150
"""Of one datum."""
DIGITS = 3
MICROSECONDS = 1_000_000
CLIENT, SERVER = 400, 500


@dataclass(frozen=True, slots=True)
class Place:
    """Whose metrics: a variant of an endpoint."""

    key: Key
    endpoint: str
    """The endpoint's name as it was given."""
    variant: str

    @property
    def dimensions(self) -> list[dict[str, str]]:
        """As CloudWatch has them."""
        return [{"Name": "EndpointName", "Value": self.endpoint}, {"Name": "VariantName", "Value": self.variant}]


@dataclass(slots=True)
class Measured:
    """What is measured of one request while it is under way."""

    variant: str = ""
    instances: int = 0
    """Of the variant, that were healthy when it came."""
    model_seconds: float = 0.0
    """Spent with the containers, one after the other."""

    def went_to(self, variant: str, instances: int) -> None:
        """It was routed."""
        self.variant, self.instances = variant, instances


@dataclass(slots=True)
class Tally:
    """What a variant was asked since this was last taken."""

    spread: Counter[int] = field(default_factory=Counter)
    """Requests by the number of instances that there were for them."""
    client_errors: int = 0
    server_errors: int = 0
    model_errors: int = 0
    """Requests that the model did not answer with 200: these two, and other statuses."""
    model_latencies: list[float] = field(default_factory=list)
    """In seconds, as the next."""
    overheads: list[float] = field(default_factory=list)
    concurrent: Counter[int] = field(default_factory=Counter)
    """How often an instance was seen with so many requests under way."""

    @property
    def invocations(self) -> int:
        """Requests."""
        return self.spread.total()


class Meter:
    """Tallies by variant. On the event loop alone."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Key, str, str], Tally] = {}

    def ended(self, key: Key, endpoint: str, measured: Measured, seconds: float, status: int) -> None:
        """A request has ended with a status of its model, 0 for none; without a variant there is nothing to count it for."""
        if not measured.variant:
            return
        at = (key, endpoint, measured.variant)
        tally = self._tallies.get(at)
        if tally is None:
            tally = self._tallies[at] = Tally()
        tally.spread[measured.instances] += 1
        if measured.model_seconds:  # otherwise no instance was asked
            tally.model_latencies.append(measured.model_seconds)
            tally.overheads.append(seconds - measured.model_seconds)
        if status != 200:
            tally.model_errors += 1
            if CLIENT <= status < SERVER:
                tally.client_errors += 1
            elif status >= SERVER or not status:
                tally.server_errors += 1

    def take(self) -> dict[Place, Tally]:
        """All tallies; from now on others are made."""
        taken, self._tallies = self._tallies, {}
        return {Place(*at): tally for at, tally in taken.items()}


def data_of(place: Place, tally: Tally) -> list[Datum]:
    """The data that a tally is published as; zeros, which SageMaker publishes of idle variants, for one of no requests."""
    found: list[Datum] = []
    if tally.concurrent:
        found.append(_datum("ConcurrentRequestsPerModel", tally.concurrent))
    if not tally.invocations:
        return _placed(place, [*found, _datum("Invocations", {0: 1}), _datum("InvocationsPerInstance", {0: 1})])
    found += [
        _datum("Invocations", {1: tally.invocations}),
        _datum("InvocationsPerInstance", {1 / max(1, count): number for count, number in tally.spread.items()}),
        _errors("Invocation4XXErrors", tally.client_errors, tally.invocations),
        _errors("Invocation5XXErrors", tally.server_errors, tally.invocations),
        _errors("InvocationModelErrors", tally.model_errors, tally.invocations),
    ]
    for name, seconds in (("ModelLatency", tally.model_latencies), ("OverheadLatency", tally.overheads)):
        latencies = Counter(rounded(each * MICROSECONDS) for each in seconds)
        found += [_datum(name, dict(some), "Microseconds") for some in _batches(latencies)]
    return _placed(place, found)


def rounded(microseconds: float) -> float:
    """A latency with three digits."""
    if microseconds < 1:
        return 0.0
    return round(microseconds, DIGITS - 1 - floor(log10(microseconds)))


def _batches(values: Mapping[float, int]) -> Iterable[list[tuple[float, int]]]:
    """Values with their counts, as many as one datum takes."""
    items = sorted(values.items())
    for start in range(0, len(items), MOST_VALUES):
        yield items[start : start + MOST_VALUES]


def _datum(name: str, values: Mapping[Any, int], unit: str = "None") -> Datum:
    numbers, counts = [float(value) for value in values], [float(count) for count in values.values()]
    return {"MetricName": name, "Values": numbers, "Counts": counts, "Unit": unit}


def _errors(name: str, errors: int, requests: int) -> Datum:
    return _datum(name, {value: count for value, count in ((1, errors), (0, requests - errors)) if count})


def _placed(place: Place, data: list[Datum]) -> list[Datum]:
    return [{**datum, "Dimensions": place.dimensions} for datum in data]
