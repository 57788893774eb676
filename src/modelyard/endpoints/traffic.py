"""How traffic moves from an old fleet to a new one: the steps of a deployment, and what may be asked for.

Sources: DeploymentConfig of the service model and "Deployment guardrails" of the SageMaker developer guide, with their limits: a
canary is at most half of the fleet, a linear step 10 to 50 % of it, a rolling batch 5 to 50 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from modelyard.endpoints.model import RuleBroken

ALL_AT_ONCE, CANARY, LINEAR = "ALL_AT_ONCE", "CANARY", "LINEAR"
COUNT, PERCENT = "INSTANCE_COUNT", "CAPACITY_PERCENT"
LARGEST_PERCENT = 50
SMALLEST_STEP = 10
SMALLEST_BATCH = 5


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a deployment, which bakes until its seconds are over: alarms that go off meanwhile end the deployment."""

    instances: int
    """Of the new fleet, that have traffic now."""
    total: int
    seconds: int
    last: bool
    """Whether the old fleet has nothing to do any more, and goes when the seconds are over."""

    @property
    def share(self) -> float:
        """The part of the traffic that the new fleet gets."""
        return self.instances / self.total

    @property
    def message(self) -> str:
        """StatusMessage of the variant while the step bakes."""
        if self.last:
            capacity = f"full capacity of {self.total} instance(s)"
            return f"Baking for {self.seconds} seconds (TerminationWaitInSeconds) with traffic enabled on {capacity}."
        return f"Baking for {self.seconds} seconds with traffic enabled on {self.instances} of {self.total} instance(s)."


def check(deployment: Mapping[str, Any]) -> None:
    """What the service model leaves open in a DeploymentConfig. Raises RuleBroken."""
    if ("BlueGreenUpdatePolicy" in deployment) and ("RollingUpdatePolicy" in deployment):
        raise RuleBroken("BlueGreenUpdatePolicy and RollingUpdatePolicy cannot both be specified.")
    if "RollingUpdatePolicy" in deployment:
        policy = deployment["RollingUpdatePolicy"]
        _check_size("MaximumBatchSize", policy["MaximumBatchSize"], SMALLEST_BATCH)
        if "RollbackMaximumBatchSize" in policy:
            _check_size("RollbackMaximumBatchSize", policy["RollbackMaximumBatchSize"], SMALLEST_BATCH, 100)
    if "BlueGreenUpdatePolicy" in deployment:
        _check_routing(deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"])


def _check_routing(routing: Mapping[str, Any]) -> None:
    sizes = {CANARY: ("CanarySize", 1), LINEAR: ("LinearStepSize", SMALLEST_STEP)}
    for kind, (member, smallest) in sizes.items():
        if (routing["Type"] == kind) is not (member in routing):
            raise RuleBroken(f"{member} must be specified with the traffic routing type {kind}, and with no other.")
        if member in routing:
            _check_size(member, routing[member], smallest)


def _check_size(member: str, size: Mapping[str, Any], smallest: int, largest: int = LARGEST_PERCENT) -> None:
    if size["Type"] == PERCENT and not smallest <= size["Value"] <= largest:
        raise RuleBroken(f"{member} must be from {smallest} to {largest} percent of the capacity, and is {size['Value']}.")


def steps(policy: Mapping[str, Any], total: int) -> list[Step]:
    """The steps of a BlueGreenUpdatePolicy for a new fleet of so many instances. Raises RuleBroken for too large a size."""
    routing = policy["TrafficRoutingConfiguration"]
    wait, end = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
    if routing["Type"] == CANARY:
        stops = [_instances("CanarySize", routing["CanarySize"], total)]
    elif routing["Type"] == LINEAR:
        size = _instances("LinearStepSize", routing["LinearStepSize"], total)
        stops = list(range(size, total, size))
    else:
        stops = []
    # What is half of a single instance is all of it.
    before = [Step(stop, total, wait, last=False) for stop in stops if stop < total]
    return [*before, Step(total, total, end, last=True)]


def batches(policy: Mapping[str, Any], total: int) -> list[int]:
    """How many instances each batch of a RollingUpdatePolicy replaces. Raises RuleBroken for a batch that is too large."""
    size = _instances("MaximumBatchSize", policy["MaximumBatchSize"], total)
    return [min(size, total - done) for done in range(0, total, size)]


def _instances(member: str, size: Mapping[str, Any], total: int) -> int:
    """A size in instances: at least one, of percents the next larger number."""
    value: int = size["Value"]
    if size["Type"] == PERCENT:
        return max(1, ceil(total * value / 100))
    if total > 1 and value > total * LARGEST_PERCENT / 100:
        raise RuleBroken(f"{member} must be at most {LARGEST_PERCENT} percent of the {total} instances, and is {value}.")
    return min(value, total)


@dataclass(frozen=True, slots=True)
class Stage:
    """How much of both fleets there is at one point of a deployment, and how the traffic is shared between them."""

    launched: float
    """The part of the new fleet that has to be healthy before this begins."""
    share: float
    """Of the traffic, that the new fleet gets."""
    kept: float
    """The part of the old fleet that stays meanwhile."""
    seconds: int
    """How long it bakes."""
    message: str
    """StatusMessage while it does."""


def stages(deployment: Mapping[str, Any], total: int) -> list[Stage]:
    """The stages of a deployment to a new fleet of so many instances; all at once, and with no wait, where nothing is said."""
    if "RollingUpdatePolicy" in deployment:
        policy = deployment["RollingUpdatePolicy"]
        done, found = 0, []
        for batch in batches(policy, total):
            done += batch
            part, seconds = done / total, policy["WaitIntervalInSeconds"]
            message = f"Baking for {seconds} seconds with traffic enabled on {done} of {total} instance(s)."
            found.append(Stage(part, part, 1 - part, seconds, message))
        return found
    policy = deployment.get("BlueGreenUpdatePolicy")
    if policy is None:
        policy = {"TrafficRoutingConfiguration": {"Type": ALL_AT_ONCE, "WaitIntervalInSeconds": 0}}
    return [Stage(1.0, step.share, 1.0, step.seconds, step.message) for step in steps(policy, total)]


def execution_limit(deployment: Mapping[str, Any]) -> float:
    """MaximumExecutionTimeoutInSeconds; without end where it is not given."""
    policy = deployment.get("RollingUpdatePolicy") or deployment.get("BlueGreenUpdatePolicy") or {}
    limit: float = policy.get("MaximumExecutionTimeoutInSeconds", float("inf"))
    return limit


def part_of(counts: Mapping[str, int], part: float) -> dict[str, int]:
    """A part of every variant's instances: at least one of each, unless the part is nothing."""
    if part <= 0:
        return dict.fromkeys(counts, 0)
    # What is left of a half by way of floating point is not one more instance.
    return {name: max(1, ceil(count * part - 1e-9)) if count else 0 for name, count in counts.items()}
