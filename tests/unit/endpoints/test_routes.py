"""Who answers a request."""

from collections import Counter
from dataclasses import dataclass

import pytest

from modelyard.endpoints.routes import FleetRoute, Route, Routes, VariantRoute

pytestmark = pytest.mark.ours


@dataclass(eq=False)
class Worker:
    outstanding: int = 0


def test_the_one_with_least_to_do_is_next() -> None:
    """Those with more to do are left out, and so are those that were tried already; the others take turns."""
    workers = [Worker(), Worker(), Worker(5)]
    variant = VariantRoute("v", 1.0, workers)
    counted = Counter(workers.index(variant.next()) for _ in range(20))  # type: ignore[arg-type]
    assert counted.keys() == {0, 1} and min(counted.values()) >= 5
    assert variant.next(workers[:2]) is workers[2]
    assert variant.next(workers) is None
    assert VariantRoute("v", 1.0, []).next() is None
    one = Worker(9)
    assert VariantRoute("v", 1.0, [one]).next() is one
    assert VariantRoute("v", 1.0, [one]).next([one]) is None


def test_traffic_is_shared_by_share_and_weight() -> None:
    """Fleets get their share, variants their weight's part of it; none of no weight is asked unless it is named."""
    old = FleetRoute(0.75, [VariantRoute("a", 1.0, []), VariantRoute("z", 0.0, [])])
    new = FleetRoute(0.25, [VariantRoute("b", 3.0, []), VariantRoute("c", 1.0, [])])
    route = Route("e", [new, old])
    counted: Counter[str] = Counter()
    for _ in range(8000):
        chosen = route.choose(None)
        assert chosen is not None
        counted[chosen.name] += 1
    assert counted.keys() == {"a", "b", "c"}
    assert abs(counted["a"] / 8000 - 0.75) < 0.03 and abs(counted["b"] / 8000 - 0.1875) < 0.03
    assert route.choose("z") is old.variants[1]
    assert route.choose("x") is None


def test_routes_are_replaced_whole() -> None:
    """A route is there until it is removed, which may be done twice."""
    routes, key = Routes(), ("1", "r", "e")
    route = Route("E", [])
    routes.put(key, route)
    assert routes.get(key) is route
    routes.put(key, None)
    routes.put(key, None)
    assert routes.get(key) is None
