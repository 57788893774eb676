"""What happens beside an answer: what is attached to a route, and what becomes of one request."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from modelyard.clock import FixedClock
from modelyard.endpoints import beside
from modelyard.endpoints.beside import Besides
from modelyard.endpoints.capture import Exchange
from modelyard.endpoints.capturing import Basket, Capturing
from modelyard.endpoints.connection import Answer, Lost
from modelyard.endpoints.deployment import Deployment, Hosted, Kind
from modelyard.endpoints.endpoint import Variant, variants_of
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.model import Name
from modelyard.endpoints.relaying import Invocation, Relay, Seen
from modelyard.endpoints.routes import FleetRoute, Route, Routes, VariantRoute
from modelyard.endpoints.shadowing import Shadow, Shadowing
from modelyard.ids import CountingIds

pytestmark = pytest.mark.ours

AT = Name("111122223333", "us-east-1", "endpoint", "e")
KEY = ("111122223333", "us-east-1", "e")
CAPTURE = {
    "DataCaptureConfig": {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://b",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    }
}


@dataclass
class Kept:
    """As Capturing and Shadowing, for tests."""

    exchanges: list[Exchange] = field(default_factory=list)
    lost_for: list[str] = field(default_factory=list)
    copies: list[tuple[str, Seen]] = field(default_factory=list)

    def add(self, _basket: Basket, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def lost(self, _basket: Basket, why: str) -> None:
        self.lost_for.append(why)

    def copy(self, _invocation: Invocation, shadow: Shadow, seen: Seen) -> None:
        self.copies.append((shadow.route.name, seen))


def attached(kept: Kept, config: dict[str, Any], weight: float = 1.0, shadow: float | None = None) -> list[VariantRoute]:
    variants = [Variant("v", weight, 1)] + ([] if shadow is None else [Variant("s", shadow, 1, shadow=True)])
    hosted = {one.name: cast(Hosted, SimpleNamespace(role="role")) for one in variants}
    deployment = Deployment(1, 1, 1, Kind.UPDATE, 1, "c", 0.0, "me", config, variants, hosted, {})
    made = Besides(cast(Capturing, kept), cast(Shadowing, kept), FixedClock(5.0), CountingIds())
    return list(made.attach(AT, deployment, [VariantRoute(one.name, one.weight, []) for one in variants]))


class Inside:
    """A container that loses the first requests, and answers the others."""

    def __init__(self, losses: int = 0, pieces: tuple[bytes, ...] = ()) -> None:
        self.losses = losses
        self.pieces = pieces

    async def ask(self, _sent: bytes, *, streams: bool = False, seconds: float = 0) -> Answer:
        if self.losses:
            self.losses -= 1
            raise Lost("it died", answered=False)
        return Answer(200, {"content-type": "text/csv"}, b"1", self._pieces() if streams else None)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            yield piece


def invoked(kept: Kept, upstream: Inside, *, streams: bool = False, shadow: float | None = None) -> bytes:
    """What a request is answered with, by an endpoint of one instance."""

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        instance = Instance("i", "v", cast(Hosted, SimpleNamespace(direct=False)), loop, lambda: None, state=State.HEALTHY)
        instance.containers = [Container("primary", cast(Any, None), cast(Any, upstream))]
        [route] = attached(kept, CAPTURE, shadow=shadow)
        route.targets = [instance]
        routes = Routes({KEY: Route("e", [FleetRoute(1.0, [route])])})
        answered = await Relay(routes, loop).invoke(Invocation(KEY, "e", {"Body": b"x"}, streams))
        return b"".join([piece async for piece in answered["Pieces"]]) if streams else answered["Body"]

    return asyncio.run(run())


def test_a_request_that_asks_for_nothing_has_no_witness() -> None:
    """A route is as it was where there is neither a capture nor a shadow."""
    [route] = attached(Kept(), {})
    assert route.beside is None


@pytest.mark.parametrize(("weight", "shadow", "share"), [(1, 1, 1.0), (1, 0.1, 0.1), (2, 1, 0.5), (1, 3, 1.0), (1, 0, 0.0)])
def test_the_share_of_a_shadow(weight: float, shadow: float, share: float) -> None:
    """Its weight over the production variant's, at most all; it is no variant that a request could go to."""
    [route] = attached(Kept(), {}, weight, shadow)
    assert (route.name, route.beside.shadow.share, route.beside.basket) == ("v", share, None)


def test_shadows_are_variants_of_a_configuration() -> None:
    """They are started and counted as all are."""
    one = {"InitialInstanceCount": 2}
    config = {
        "ProductionVariants": [{"VariantName": "v", **one}],
        "ShadowProductionVariants": [{"VariantName": "s", "InitialVariantWeight": 0.5, **one}],
    }
    assert variants_of(config) == [Variant("v", 1.0, 2), Variant("s", 0.5, 2, shadow=True)]


def test_a_request_that_is_tried_again_is_copied_and_captured_once() -> None:
    """Its copy and its line are of one event, as of when it came."""
    kept = Kept()
    assert invoked(kept, Inside(losses=1), shadow=1.0) == b"1"
    [(name, seen)], [exchange] = kept.copies, kept.exchanges
    assert (name, seen.event, exchange.event.time) == ("s", exchange.event, 5.0)


def test_a_streamed_answer_is_captured_once_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole; one that is too large to be held is lost, and reaches the client all the same."""
    kept = Kept()
    assert invoked(kept, Inside(pieces=(b"one", b"two")), streams=True) == b"onetwo"
    [exchange] = kept.exchanges
    assert exchange.answered is not None and exchange.answered.data == b"onetwo"
    monkeypatch.setattr(beside, "LARGEST_STREAM", 5)
    assert invoked(kept, Inside(pieces=(b"one", b"two")), streams=True) == b"onetwo"
    assert (len(kept.exchanges), len(kept.lost_for)) == (1, 1)
