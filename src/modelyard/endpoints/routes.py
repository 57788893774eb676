"""Who answers for an endpoint: a table in memory that invocations are routed by, made anew whenever a fleet changes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelyard.endpoints.pool import Pool

Key = tuple[str, str, str]
"""Account, region, and the endpoint's name in lower case."""


class Target(Protocol):
    """An instance that answers."""

    outstanding: int
    """Requests that it has not answered yet."""


@dataclass(slots=True)
class VariantRoute:
    """The instances of a variant that are healthy."""

    name: str
    weight: float
    targets: Sequence[Target]
    pool: Pool | None = None
    """Of a serverless variant."""
    turn: int = 0
    refusal: str = ""
    """What requests are told at once while there is no instance; others wait for one."""
    beside: Any = None
    """What happens beside its answers (`relaying.Witness`), where anything does."""

    def next(self, but: Sequence[Target] = ()) -> Target | None:
        """The instance that has least to do, of several one after the other; None when there is none but those."""
        targets = self.targets
        if self.pool is not None:
            # A worker has one request at a time, and the first of them most, so that the others can go.
            return next((one for one in targets if not one.outstanding and one not in but), None)
        count = len(targets)
        if count == 1 and not but:
            return targets[0]
        best, least = None, 0
        self.turn += 1
        for place in range(count):
            target = targets[(self.turn + place) % count]
            if (best is None or target.outstanding < least) and target not in but:
                best, least = target, target.outstanding
        return best


@dataclass(frozen=True, slots=True)
class FleetRoute:
    """One fleet's part in an endpoint."""

    share: float
    """Of the traffic, 0 to 1."""
    variants: Sequence[VariantRoute]

    def variant(self, chance: float) -> VariantRoute | None:
        """The variant that a request goes to, by their weights."""
        if len(self.variants) == 1:
            return self.variants[0] if self.variants[0].weight > 0 else None
        left = chance * sum(one.weight for one in self.variants)
        found = None
        for one in self.variants:
            if one.weight <= 0:
                continue
            found = one
            if left < one.weight:
                break
            left -= one.weight
        return found


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint that can be invoked."""

    name: str
    fleets: Sequence[FleetRoute]
    is_asynchronous: bool = False
    """Whether requests to it are queued, and none is answered at once."""

    def choose(self, target_variant: str | None) -> VariantRoute | None:
        """The variant for a request; None when there is none of that name."""
        fleets = self.fleets
        chosen = fleets[0] if len(fleets) == 1 else self._fleet()
        if target_variant is None:
            return chosen.variant(random.random() if len(chosen.variants) > 1 else 0.0)  # noqa: S311 - of traffic
        for fleet in (chosen, *fleets):
            for one in fleet.variants:
                if one.name == target_variant:
                    return one
        return None

    def _fleet(self) -> FleetRoute:
        left = random.random()  # noqa: S311 - of traffic
        for fleet in self.fleets:
            if left < fleet.share:
                return fleet
            left -= fleet.share
        return self.fleets[0]


@dataclass(slots=True)
class Routes:
    """The table. Read on the event loop, written by the reconciler; each entry is replaced as a whole."""

    by_key: dict[Key, Route] = field(default_factory=dict)

    def get(self, key: Key) -> Route | None:
        """The route of an endpoint."""
        return self.by_key.get(key)

    def put(self, key: Key, route: Route | None) -> None:
        """Set or remove a route."""
        if route is None:
            self.by_key.pop(key, None)
        else:
            self.by_key[key] = route
