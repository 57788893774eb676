"""What happens beside an answer: data capture, and a copy of the request to a shadow variant.

A variant's route has one of these where its configuration asks for either, and none otherwise. All of it happens on the event
loop, and nobody waits for it: the shadow is asked by a task of its own, and what is captured is put down for another thread.
"""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from modelyard.clock import Clock
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.log_lines import LogLines
from modelyard.endpoints.acting import context_of
from modelyard.endpoints.capture import INPUT, OUTPUT, Capture, Event, Exchange, Payload, capture_of
from modelyard.endpoints.capturing import Basket, Capturing
from modelyard.endpoints.deployment import Deployment
from modelyard.endpoints.losses import Losses, Place
from modelyard.endpoints.model import Name
from modelyard.endpoints.relaying import Invocation, Relay, Request, Seen
from modelyard.endpoints.routes import VariantRoute
from modelyard.endpoints.shadowing import Shadow, Shadowing
from modelyard.ids import Ids

LARGEST_STREAM = 6 * 1024 * 1024
"""Bytes of a streamed answer that can be captured."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What happens beside the answers of one variant (`relaying.Witness`)."""

    makes: "Besides"
    basket: Basket | None
    shadow: Shadow | None

    def asked(self, invocation: Invocation) -> Seen:
        """A request is on its way: whether it is captured is decided once, for the shadow as well."""
        event = None
        if self.basket is not None and self.basket.capture.samples(random.random()):  # noqa: S311 - of traffic
            request = invocation.request
            event = Event(
                self.makes.ids.request_id(),
                self.makes.clock.now(),
                request.get("CustomAttributes"),
                request.get("InferenceId"),
            )
        seen = Seen(event)
        if self.shadow is not None and random.random() < self.shadow.share:  # noqa: S311 - of traffic
            self.makes.shadowing.copy(invocation, self.shadow, seen)
        return seen

    def answered(self, invocation: Invocation, answered: dict[str, Any]) -> dict[str, Any]:
        """It was answered; a streamed answer is captured once it has ended."""
        event = None if invocation.seen is None else invocation.seen.event
        if event is None or self.basket is None:
            return answered
        if "Pieces" in answered:
            return {**answered, "Pieces": self._pieces(event, invocation.request, answered)}
        self._keep(event, invocation.request, answered, answered["Body"])
        return answered

    def _keep(self, event: Event, request: Request, answered: dict[str, Any], body: bytes) -> None:
        assert self.basket is not None, "who keeps something has where to"
        modes = self.basket.capture.modes
        given = Payload(request.get("ContentType"), request["Body"]) if INPUT in modes else None
        out = Payload(answered.get("ContentType"), body) if OUTPUT in modes else None
        self.makes.capturing.add(self.basket, Exchange(event, given, out))

    async def _pieces(self, event: Event, request: Request, answered: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        assert self.basket is not None, "who keeps something has where to"
        taken: list[bytes] = []
        size = 0
        async with aclosing(answered["Pieces"]) as given:
            async for piece in given:
                size += len(piece)
                if size <= LARGEST_STREAM:
                    taken.append(piece)
                yield piece
        if size > LARGEST_STREAM:
            self.makes.capturing.lost(self.basket, f"A streamed answer has more than {LARGEST_STREAM} bytes.")
        else:
            self._keep(event, request, answered, b"".join(taken))


@dataclass(frozen=True, slots=True)
class Besides:
    """Attaches them to routes."""

    capturing: Capturing
    shadowing: Shadowing
    clock: Clock
    ids: Ids

    @classmethod
    def of(cls, dispatcher: Dispatcher, relay: Relay, lines: LogLines) -> "Besides":
        """Those of a server, whose endpoints' log lines go through `lines`."""
        losses = Losses(lines, lambda at, role: context_of(dispatcher, at, role))
        shadowing = Shadowing(relay.loop, relay.invoke, losses)
        return cls(Capturing(dispatcher, losses), shadowing, dispatcher.clock, dispatcher.ids)

    def close(self) -> None:
        """Keep what was captured, and tell what was lost."""
        self.capturing.close()

    def attach(self, at: Name, deployment: Deployment, routes: Sequence[VariantRoute]) -> Sequence[VariantRoute]:
        """The production variants among the routes of a deployment, each with what happens beside its answers."""
        capture = capture_of(deployment.config)
        shadows = {variant.name for variant in deployment.variants if variant.shadow}
        if capture is None and not shadows:
            return routes
        for route in routes:
            route.beside = self._beside(at, deployment, route, capture, None)
        production = [route for route in routes if route.name not in shadows]
        for shadow in (route for route in routes if route.name in shadows):
            for route in production:
                share = min(1.0, shadow.weight / route.weight) if route.weight else 0.0
                place = Place(at, shadow.name, deployment.hosted[shadow.name].role)
                route.beside = self._beside(at, deployment, route, capture, Shadow(shadow, share, place))
        return production

    def _beside(
        self, at: Name, deployment: Deployment, route: VariantRoute, capture: Capture | None, shadow: Shadow | None
    ) -> Beside:
        place = Place(at, route.name, deployment.hosted[route.name].role)
        return Beside(self, None if capture is None else Basket(place, capture), shadow)
