"""One deployment on its way: which part of the new fleet is wanted now, what traffic it gets, and how that goes on.

It lives as long as the server does; one that is found half done by another server begins again with its first stage.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from modelyard.endpoints import traffic
from modelyard.endpoints.deployment import Deployment, Result
from modelyard.endpoints.fleet import Fleet
from modelyard.endpoints.model import Document
from modelyard.endpoints.traffic import Stage


class Phase(StrEnum):
    """VariantStatus."""

    CREATING = "Creating"
    ACTIVATING = "ActivatingTraffic"
    BAKING = "Baking"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended."""

    result: Result
    reason: str | None = None


@dataclass(slots=True)
class Rollout:
    """A deployment on its way."""

    deployment: Deployment
    stages: Sequence[Stage]
    place: int = 0
    phase: Phase = Phase.CREATING
    since: float = field(default_factory=time.monotonic)
    """When the phase began, on the monotonic clock."""
    began: float = field(default_factory=time.monotonic)
    reverting: Outcome | None = None
    """How it has ended, while the old fleet gets back what it gave up for it; the new one serves until then."""

    @classmethod
    def of(cls, deployment: Deployment) -> "Rollout":
        """That of a deployment to a fleet of its own."""
        # Sizes are those of what answers: shadows come and go in the same parts. An asynchronous one may have none.
        shadows = {variant.name for variant in deployment.variants if variant.shadow}
        total = max(1, sum(count for name, count in deployment.counts.items() if name not in shadows))
        return cls(deployment, traffic.stages(deployment.policy, total))

    @property
    def stage(self) -> Stage:
        """The stage that it is in, or on its way to."""
        return self.stages[self.place]

    @property
    def share(self) -> float:
        """Of the traffic, that the new fleet gets now."""
        if self.phase is Phase.BAKING:
            return self.stage.share
        return self.stages[self.place - 1].share if self.place else 0.0

    @property
    def wanted(self) -> dict[str, int]:
        """Instances of the new fleet."""
        return traffic.part_of(self.deployment.counts, self.stage.launched)

    def kept(self, counts: dict[str, int]) -> dict[str, int]:
        """Instances of the old fleet, of so many."""
        return traffic.part_of(counts, self.kept_part)

    @property
    def kept_part(self) -> float:
        """The part of the old fleet that is there still."""
        if self.reverting is not None or (not self.place and self.phase is not Phase.BAKING):
            return 1.0
        return self.stage.kept if self.phase is Phase.BAKING else self.stages[self.place - 1].kept

    @property
    def shown(self) -> Document:
        """VariantStatus, without its time."""
        if self.phase is Phase.BAKING:
            return {"Status": str(self.phase), "StatusMessage": self.stage.message}
        return {"Status": str(self.phase), "StatusMessage": f"Launching {sum(self.wanted.values())} instance(s)."}

    def advance(self, fleet: Fleet, old: Callable[[], bool], alarms: Callable[[], Sequence[str]]) -> Outcome | None:
        """Go on as far as can be now; how it ended, once it has. `old` tells whether the old fleet is whole."""
        outcome = self.reverting or self._advance(fleet, alarms)
        if outcome is None or outcome.result is Result.SUCCEEDED or old():
            return outcome
        self.reverting = outcome
        return None

    def _advance(self, fleet: Fleet, alarms: Callable[[], Sequence[str]]) -> Outcome | None:
        failure = fleet.failure()
        if failure is not None:
            return Outcome(Result.FAILED, failure)
        now = time.monotonic()
        limit = traffic.execution_limit(self.deployment.policy)
        if now - self.began > limit:
            return Outcome(
                Result.FAILED, f"The deployment took longer than MaximumExecutionTimeoutInSeconds ({limit:.0f} seconds)."
            )
        if self.phase is not Phase.BAKING:
            if fleet.healthy(self.wanted):
                self.phase, self.since = Phase.BAKING, now
            return None
        return self._bake(now, alarms)

    def _bake(self, now: float, alarms: Callable[[], Sequence[str]]) -> Outcome | None:
        ringing = alarms()
        if ringing:
            return Outcome(
                Result.ROLLED_BACK,
                f"The deployment was rolled back: alarm(s) {', '.join(ringing)} went into ALARM state while it was baking.",
            )
        if now - self.since < self.stage.seconds:
            return None
        if self.place + 1 == len(self.stages):
            return Outcome(Result.SUCCEEDED)
        self.place, self.phase, self.since = self.place + 1, Phase.CREATING, now
        return None
