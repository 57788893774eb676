"""A fleet: the instances that run one plan of an endpoint, started, replaced and drained until they are as many as wanted.

Everything here is called on the reconciler's thread alone.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modelyard.endpoints.deployment import Deployment
from modelyard.endpoints.instance import Failure, Instance, State
from modelyard.endpoints.model import Name
from modelyard.endpoints.pool import Pool

TRIES = 3
"""So often an instance of a new fleet may end before it was ever healthy; then the deployment has failed."""
LONGEST_WAIT = 30.0
"""Seconds between two tries to replace an instance that does not come up."""
STEADY_SECONDS = 1.0
"""An instance that was healthy for so long is replaced at once."""

NOT_WELL = (
    "The primary container for production variant {} did not pass the ping health check. Please check CloudWatch logs for this"
    " endpoint. ({})"
)

Launch = Callable[[str, Deployment], Instance]
"""Begins to start an instance of a variant."""


@dataclass(slots=True)
class Squad:
    """The instances of one variant."""

    instances: list[Instance] = field(default_factory=list)
    leaving: list[Instance] = field(default_factory=list)
    """Those that are drained."""
    failures: int = 0
    """In a row, of instances that did not stay healthy."""
    last_failure: Failure | None = None
    not_before: float = 0.0
    """When the next may be started."""
    pool: Pool | None = None
    """Of a serverless variant."""

    @property
    def healthy(self) -> list[Instance]:
        """Those that take requests."""
        return [one for one in self.instances if one.state is State.HEALTHY]


class Fleet:
    """A fleet."""

    def __init__(self, at: Name, plan: Deployment, launch: Launch) -> None:
        self.at = at
        self.plan = plan
        self.squads = {name: Squad() for name in plan.hosted}
        self.born = time.monotonic()
        self._launch = launch

    def match(self, counts: Mapping[str, int]) -> None:
        """Start what is missing, replace what has ended, drain what is too much."""
        for name, squad in self.squads.items():
            squad.leaving = [one for one in squad.leaving if one.state is not State.ENDED]
            self._clear_ended(squad)
            wanted = counts.get(name, 0)
            surplus = len(squad.instances) - wanted
            # Those that do not serve yet go first, then those that have least to do, and of them the youngest.
            leaving = sorted(squad.instances, key=lambda one: (one.state is State.HEALTHY, one.outstanding, -one.born))
            for instance in leaving[: max(0, surplus)]:
                squad.instances.remove(instance)
                squad.leaving.append(instance)
                instance.drain()
            if time.monotonic() >= squad.not_before:
                for _ in range(wanted - len(squad.instances)):
                    squad.instances.append(self._launch(name, self.plan))

    def _clear_ended(self, squad: Squad) -> None:
        for instance in [one for one in squad.instances if one.state is State.ENDED]:
            squad.instances.remove(instance)
            squad.last_failure = instance.failure
            now = time.monotonic()
            if instance.healthy_at and now - instance.healthy_at >= STEADY_SECONDS:
                squad.failures = 0
                squad.not_before = now
            else:
                squad.failures += 1
                squad.not_before = now + (0 if squad.failures == 1 else min(LONGEST_WAIT, 0.25 * 2**squad.failures))
        if squad.instances and len(squad.healthy) == len(squad.instances):
            steady = min(one.healthy_at for one in squad.instances)
            squad.failures = 0 if time.monotonic() - steady >= STEADY_SECONDS else squad.failures

    def demand(self) -> dict[str, int]:
        """Workers that serverless variants want now, by variant."""
        return {name: squad.pool.wanted(squad.instances) for name, squad in self.squads.items() if squad.pool is not None}

    def healthy(self, counts: Mapping[str, int]) -> bool:
        """Whether all of so many instances take requests."""
        return all(len(self.squads[name].healthy) >= count for name, count in counts.items())

    def failure(self) -> str | None:
        """Why this fleet will not come up, in AWS's words; None as long as it may."""
        for name, squad in self.squads.items():
            failed = squad.last_failure
            if failed is None or squad.failures == 0:
                continue
            if failed.final or squad.failures >= TRIES:
                return NOT_WELL.format(name, failed.text) if failed.pings else failed.text
        return None

    def abandon(self) -> None:
        """End all of it at once."""
        for squad in self.squads.values():
            for instance in (*squad.instances, *squad.leaving):
                instance.end(Failure("The server is stopping."))

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it runs any more."""
        return not any(squad.instances or squad.leaving for squad in self.squads.values())

    def counts(self) -> dict[str, int]:
        """Healthy instances by variant."""
        return {name: len(squad.healthy) for name, squad in self.squads.items()}


def instance_id() -> str:
    """An id in the form of EC2's."""
    return f"i-{secrets.token_hex(9)[:17]}"
