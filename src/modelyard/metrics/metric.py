"""Which metric: a namespace, a name and dimensions, in one account and region."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

AWS_PREFIX = "AWS/"
"""Namespaces that belong to the services themselves."""

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, in order of names."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions


def dimensions_of(given: Iterable[Mapping[str, str]]) -> Dimensions:
    """AWS's list of Name and Value in order of names. Raises ValueError when a name comes twice."""
    pairs = tuple(sorted((dimension["Name"], dimension["Value"]) for dimension in given))
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a dimension comes twice")
    return pairs


def shown_dimensions(dimensions: Dimensions) -> list[dict[str, str]]:
    """Dimensions as AWS's list."""
    return [{"Name": name, "Value": value} for name, value in dimensions]
