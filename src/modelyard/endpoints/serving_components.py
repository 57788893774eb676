"""Runs inference components, as endpoints are run: each is a fleet of its own, on whichever server runs its endpoint.

On the reconciler's thread.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelyard.dispatch.artifacts import keeper
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.tags import forget_tags
from modelyard.endpoints import endpoint, events_endpoints, store_components, wakening
from modelyard.endpoints import store_endpoints as endpoints
from modelyard.endpoints.component import Component, key_of
from modelyard.endpoints.deployment import FIRST, Deployment, Kind, Result, Stored, holder
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.hosting import Alarms, Hosting
from modelyard.endpoints.instance import Instance
from modelyard.endpoints.model import Name
from modelyard.endpoints.pool import Patience
from modelyard.endpoints.rollout import Outcome
from modelyard.endpoints.routes import Key, Routes, VariantRoute
from modelyard.storage.interface import Transaction

log = logging.getLogger("modelyard.endpoints")

Launch = Callable[[Stored, str, Deployment], Instance]


@dataclass(slots=True)
class Placed:
    """A component that is run."""

    component: Component
    hosting: Hosting

    @property
    def key(self) -> Key:
        """Of its route."""
        return key_of(self.component.endpoint_at, self.component.at.name)


class ComponentServing:
    """The components of the endpoints that this server runs."""

    def __init__(self, dispatcher: Dispatcher, routes: Routes, launch: Launch, alarms: Alarms) -> None:
        self._dispatcher = dispatcher
        self._routes = routes
        self._launch = launch
        self._alarms = alarms
        self._placed: dict[int, Placed] = {}
        self._revisions: dict[int, int] = {}

    @property
    def placed(self) -> list[Placed]:
        """Those that are run."""
        return list(self._placed.values())

    def turn(self, owner: str) -> None:
        """Look at everything once."""
        with self._dispatcher.storage.read() as tx:
            revisions = store_components.revisions(tx, owner)
            for number, revision in revisions.items():
                if self._revisions.get(number) != revision:
                    self._read(tx, number)
        for number in [one for one in self._placed if one not in revisions]:
            self._abandon(number)
        for placed in list(self._placed.values()):
            try:
                self._steer(placed, owner)
            except Exception:
                # One component must not hold up the others; it is tried again in the next turn.
                log.exception("the inference component %s cannot be steered", placed.component.at.arn)

    def close(self) -> None:
        """End everything that runs; the rows stay, and with them the components."""
        for number in list(self._placed):
            self._abandon(number)

    def _read(self, tx: Transaction, number: int) -> None:
        component = store_components.by_id(tx, number)
        if component is None:
            return
        placed = self._placed.get(number)
        if placed is None:
            placed = self._placed[number] = Placed(component, Hosting(component.stored, _nothing, Patience()))
        placed.component = component
        placed.hosting.read(component.stored, lambda one: endpoints.deployment(tx, one))
        self._revisions[number] = component.stored.revision

    def _abandon(self, number: int) -> None:
        placed = self._placed.pop(number)
        self._revisions.pop(number, None)
        self._routes.put(placed.key, None)
        for fleet in placed.hosting.fleets.values():
            fleet.abandon()

    def _steer(self, placed: Placed, owner: str) -> None:
        hosting = placed.hosting
        outcome = hosting.steer(lambda variant, plan: self._launch(hosting.stored, variant, plan), self._alarms)
        self._routes.put(placed.key, hosting.route() if outcome is None else hosting.route_after(outcome))
        if outcome is not None:
            self._write(placed, owner, lambda tx, stored: self._concluded(tx, placed, stored, outcome))
        elif hosting.stored.endpoint.status is Status.DELETING and hosting.is_idle:
            self._write(placed, owner, lambda tx, stored: self._deleted(tx, placed, stored))
        else:
            self._note(placed, owner)

    # --- what is written down -------------------------------------------------------------------

    def _write(self, placed: Placed, owner: str, work: Callable[[Transaction, Stored], None]) -> None:
        """Change the row of a component, if it still is as it was read."""
        read = placed.component.stored

        def act(tx: Transaction) -> None:
            found = store_components.by_id(tx, read.id)
            if found is not None and found.stored.revision == read.revision and found.stored.owner == owner:
                work(tx, found.stored)

        self._dispatcher.storage.write(act)
        wakening.tell()

    def _concluded(self, tx: Transaction, placed: Placed, stored: Stored, outcome: Outcome) -> None:
        """The pending deployment has ended."""
        pending, before, now = placed.hosting.pending, placed.hosting.serving, self._dispatcher.clock.now()
        assert pending is not None, "something had an outcome"
        well = outcome.result is Result.SUCCEEDED
        ended = endpoint.created if pending.kind in FIRST else endpoint.updated
        serving = pending if well else before
        endpoints.end(tx, pending.id, outcome.result, outcome.reason, now)
        current, on_its_way = placed.hosting.seen()
        shown = on_its_way if well and pending.kind is not Kind.WEIGHTS else current
        store_components.put(
            tx,
            stored,
            ended(stored.endpoint, outcome.reason),
            now,
            serving=None if serving is None else serving.id,
            pending=None,
            state={**stored.state, "Current": shown},
        )
        if pending.kind is Kind.WEIGHTS:
            return
        if not well:
            self._let_go(tx, pending.id, now)
            return
        if before is not None:
            self._let_go(tx, before.plan, now)
            self._tell(tx, placed, before, "Withdrawn", now)
        self._tell(tx, placed, pending, "Deployed", now)

    def _let_go(self, tx: Transaction, plan: int, now: float) -> None:
        """Hold the bytes of a deployment no more: components are not rolled back."""
        keeps = keeper()
        if keeps is not None:
            keeps.unpin(tx, holder(plan), now)

    def _tell(self, tx: Transaction, placed: Placed, deployment: Deployment, change: str, now: float) -> None:
        on = endpoints.by_id(tx, placed.component.endpoint)
        assert on is not None, "endpoints stay as rows"
        events_endpoints.deployed(tx, on, deployment, change, now)

    def _deleted(self, tx: Transaction, placed: Placed, stored: Stored) -> None:
        """Nothing of a component that is deleted runs any more: it is history."""
        now = self._dispatcher.clock.now()
        if placed.hosting.serving is not None:
            self._tell(tx, placed, placed.hosting.serving, "Withdrawn", now)
        for plan in store_components.plans(tx, stored.id):
            self._let_go(tx, plan, now)
        store_components.put(tx, stored, stored.endpoint, now, deleted=now)
        forget_tags(tx, stored.endpoint.at.arn)

    def _note(self, placed: Placed, owner: str) -> None:
        """Write down what Describe shows of a component, where that has changed."""
        current, on_its_way = placed.hosting.seen()
        state = {**placed.component.stored.state, "Current": current or on_its_way}
        if state != placed.component.stored.state:
            self._write(placed, owner, lambda tx, stored: _noted(tx, stored, state))


def _nothing(_at: Name, _deployment: Deployment, routes: Sequence[VariantRoute]) -> Sequence[VariantRoute]:
    """Nothing happens beside the answers of components."""
    return routes


def _noted(tx: Transaction, stored: Stored, state: dict[str, object]) -> None:
    store_components.put_state(tx, stored, state)
