"""One endpoint as this server runs it: its fleets, and the deployment that is on its way. On the reconciler's thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.endpoints import wakening
from modelyard.endpoints.deployment import FIRST, Deployment, Kind, Result, Stored
from modelyard.endpoints.endpoint import Status, Variant
from modelyard.endpoints.fleet import Fleet, Launch
from modelyard.endpoints.model import Document, Name
from modelyard.endpoints.pool import Patience, Pool
from modelyard.endpoints.refusals import refusal_of
from modelyard.endpoints.rollout import Outcome, Rollout
from modelyard.endpoints.routes import FleetRoute, Key, Route, VariantRoute

Alarms = Callable[[Stored, Deployment], Sequence[str]]
Attach = Callable[[Name, Deployment, Sequence[VariantRoute]], Sequence[VariantRoute]]
"""The production variants among a deployment's routes, each with what happens beside its answers."""


@dataclass(slots=True)
class Hosting:
    """An endpoint that is run."""

    stored: Stored
    attach: Attach
    """Has happen beside answers what deployments ask for."""
    patience: Patience
    """Of its serverless variants."""
    serving: Deployment | None = None
    pending: Deployment | None = None
    fleets: dict[int, Fleet] = field(default_factory=dict)
    """By plan."""
    rollout: Rollout | None = None

    @property
    def key(self) -> Key:
        """Of its route."""
        at = self.stored.endpoint.at
        return at.account, at.region, at.folded

    def read(self, stored: Stored, find: Callable[[int], Deployment]) -> None:
        """Take over what the rows say now."""
        self.stored = stored
        self.serving = None if stored.serving is None else find(stored.serving)
        if stored.pending is None:
            self.pending = self.rollout = None
        elif self.pending is None or self.pending.id != stored.pending:
            self.pending = find(stored.pending)
            own = self.pending.plan == self.pending.id and self.pending.kind not in FIRST
            self.rollout = Rollout.of(self.pending) if own else None

    def steer(self, launch: Launch, alarms: Alarms) -> Outcome | None:
        """Make the fleets match; how the pending deployment ended, once it has."""
        wanted = self._wanted()
        for plan in wanted:
            if plan not in self.fleets:
                self.fleets[plan] = Fleet(self.stored.endpoint.at, self._of_plan(plan), launch)
            self._measure(self.fleets[plan], self._of_plan(plan).variants)
        for plan, fleet in list(self.fleets.items()):
            fleet.match(wanted.get(plan, {}))
            if plan not in wanted and fleet.is_empty:
                del self.fleets[plan]
        return self._outcome(alarms)

    def _of_plan(self, plan: int) -> Deployment:
        found = next((one for one in (self.pending, self.serving) if one is not None and one.plan == plan), None)
        assert found is not None, "plans are those of deployments"
        return found

    def _wanted(self) -> dict[int, dict[str, int]]:
        """Instances by plan and variant."""
        if self.stored.endpoint.status in (Status.DELETING, Status.FAILED):
            return {}
        wanted: dict[int, dict[str, int]] = {}
        if self.serving is not None:
            counts = self.serving.steady
            wanted[self.serving.plan] = counts if self.rollout is None else self.rollout.kept(counts)
            if self.rollout is None or self.rollout.kept_part > 0:
                self._add_demand(self.serving.plan, wanted)
        if self.pending is not None:
            counts = self.pending.counts if self.rollout is None else self.rollout.wanted
            before = wanted.get(self.pending.plan, {})
            wanted[self.pending.plan] = {name: max(count, before.get(name, 0)) for name, count in counts.items()}
            self._add_demand(self.pending.plan, wanted)
        return wanted

    def _add_demand(self, plan: int, wanted: dict[int, dict[str, int]]) -> None:
        """Want as many workers of serverless variants as their requests ask for."""
        fleet = self.fleets.get(plan)
        for name, count in ({} if fleet is None else fleet.demand()).items():
            wanted[plan][name] = max(count, wanted[plan].get(name, 0))

    def _measure(self, fleet: Fleet, variants: Sequence[Variant]) -> None:
        """Have a fleet go by the serverless configuration of its variants as it is wanted now."""
        for variant in variants:
            if variant.serverless is not None:
                squad = fleet.squads[variant.name]
                squad.pool = squad.pool or Pool(self.patience, wakening.tell)
                squad.pool.most, squad.pool.provisioned = variant.serverless["MaxConcurrency"], variant.steady

    def _outcome(self, alarms: Alarms) -> Outcome | None:
        pending = self.pending
        if pending is None or self.stored.endpoint.status in (Status.DELETING, Status.FAILED):
            return None
        fleet = self.fleets[pending.plan]
        if self.rollout is not None:
            return self.rollout.advance(fleet, self._old_is_whole, lambda: alarms(self.stored, pending))
        if fleet.healthy(pending.counts):
            return Outcome(Result.SUCCEEDED)
        failure = fleet.failure()
        return None if failure is None else Outcome(Result.FAILED, failure)

    def _old_is_whole(self) -> bool:
        """Whether the fleet that serves could serve alone, as far as that depends on this deployment."""
        assert self.serving is not None, "what is updated has served"
        fleet = self.fleets.get(self.serving.plan)
        return fleet is not None and (fleet.healthy(self.serving.steady) or fleet.failure() is not None)

    def route(self) -> Route | None:
        """Who answers now; None when nobody may be asked."""
        core = self.stored.endpoint
        if not core.is_serving or self.serving is None:
            return None
        share = 0.0 if self.rollout is None else self.rollout.share
        return self._route((share, self.pending), (1.0 - share, self.serving))

    def route_after(self, outcome: Outcome) -> Route | None:
        """Who answers once the pending deployment has ended so: to be asked before anybody is told."""
        return self._route((1.0, self.pending)) if outcome.result is Result.SUCCEEDED else self.route()

    def _route(self, *fleets: tuple[float, Deployment | None]) -> Route:
        """The last fleet is that of what the endpoint is said to serve."""
        routed = [
            FleetRoute(share, self.attach(self.stored.endpoint.at, one, _routes(one.variants, self.fleets.get(one.plan))))
            for share, one in fleets
            if one is not None and share > 0
        ]
        serves = fleets[-1][1]
        return Route(self.stored.endpoint.at.name, routed, serves is not None and serves.is_asynchronous)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it runs."""
        return not self.fleets

    def seen(self) -> tuple[Document, Document]:
        """What Describe shows of the variants that serve, and of those on their way."""
        share = 0.0 if self.rollout is None else self.rollout.share
        current = _seen(self.serving, self.fleets, 1.0 if self.serving else 0.0)
        own = self.pending is not None and self.pending.kind is not Kind.WEIGHTS
        return current, _seen(self.pending, self.fleets, share) if own else {}


def _seen(deployment: Deployment | None, fleets: Mapping[int, Fleet], share: float) -> Document:
    if deployment is None:
        return {}
    fleet = fleets.get(deployment.plan)
    counts = {} if fleet is None else fleet.counts()

    def count(one: Variant) -> int:
        return one.instances or 0 if one.shared else counts.get(one.name, 0)

    return {one.name: {"Count": count(one), "Weight": one.weight if share else 0.0} for one in deployment.variants}


def _routes(variants: Sequence[Variant], fleet: Fleet | None) -> Sequence[VariantRoute]:
    squads = {} if fleet is None else fleet.squads

    def routed(one: Variant) -> VariantRoute:
        squad = squads.get(one.name)
        if squad is None:
            return VariantRoute(one.name, one.weight, [], refusal=refusal_of(one))
        return VariantRoute(one.name, one.weight, squad.healthy, squad.pool, refusal=refusal_of(one))

    return [routed(one) for one in variants]
