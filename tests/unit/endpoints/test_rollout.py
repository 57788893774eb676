"""Deployments on their way, with fleets that say what the test wants."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from modelyard.endpoints import rollout
from modelyard.endpoints.deployment import Deployment, Kind, Result
from modelyard.endpoints.endpoint import Variant
from modelyard.endpoints.fleet import Fleet
from modelyard.endpoints.rollout import Outcome, Phase, Rollout
from modelyard.endpoints.traffic import part_of, stages

pytestmark = pytest.mark.documented

HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def blue_green(kind: str, wait: int = 10, end: int = 20, **more: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": end}}


class FakeFleet:
    """A fleet with so many healthy instances."""

    def __init__(self) -> None:
        self.count = 0
        self.why: str | None = None

    def healthy(self, counts: Mapping[str, int]) -> bool:
        return all(self.count >= count for count in counts.values())

    def failure(self) -> str | None:
        return self.why


class Course:
    """A rollout, its clock and its fleets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any], count: int = 4) -> None:
        self.now = 0.0
        monkeypatch.setattr(rollout.time, "monotonic", lambda: self.now)
        variants = [Variant("v", 1.0, count)]
        deployment = Deployment(1, 1, 1, Kind.UPDATE, 1, "c", 0.0, "me", {}, variants, {}, policy)
        self.rollout = Rollout(deployment, stages(policy, count), since=0.0, began=0.0)
        self.new = FakeFleet()
        self.old_is_whole = True
        self.alarms: list[str] = []

    def advance(self, seconds: float = 0) -> Outcome | None:
        self.now += seconds
        return self.rollout.advance(cast(Fleet, self.new), lambda: self.old_is_whole, lambda: self.alarms)

    @property
    def state(self) -> tuple[float, int, int]:
        """Share of the new fleet, its wanted instances, and those of an old fleet of four that stay."""
        return self.rollout.share, self.rollout.wanted["v"], self.rollout.kept({"v": 4})["v"]


def test_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traffic before the new fleet is whole, then all of it, and the old fleet stays until the end of the wait."""
    course = Course(monkeypatch, blue_green("ALL_AT_ONCE"))
    assert course.advance() is None and course.state == (0.0, 4, 4)
    course.new.count = 3
    assert course.advance(100) is None and course.rollout.phase is Phase.CREATING
    course.new.count = 4
    assert course.advance() is None and course.state == (1.0, 4, 4)
    assert course.rollout.shown["StatusMessage"].startswith("Baking for 20 seconds (TerminationWaitInSeconds)")
    assert course.advance(19) is None
    assert course.advance(1) == Outcome(Result.SUCCEEDED)


def test_canary_and_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary gets its part first; linear steps grow; each bakes."""
    canary = Course(monkeypatch, blue_green("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}))
    canary.new.count = 4
    canary.advance()
    assert canary.state == (0.25, 4, 4)
    assert canary.advance(10) is None and canary.state[0] == 0.25
    canary.advance()
    assert canary.state == (1.0, 4, 4)
    linear = Course(monkeypatch, blue_green("LINEAR", LinearStepSize=HALF))
    linear.new.count = 4
    shares = []
    while linear.advance(5) is None:
        shares.append(linear.state[0])
    assert sorted(set(shares)) == [0.5, 1.0]


def test_rolling_replaces_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is launched before as much of the old fleet goes, and traffic follows."""
    course = Course(monkeypatch, {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 10}})
    assert course.state == (0.0, 2, 4)
    course.new.count = 2
    course.advance()
    assert course.state == (0.5, 2, 2)
    course.advance(10)
    assert course.state == (0.5, 4, 2)
    course.new.count = 4
    course.advance()
    assert course.state == (1.0, 4, 0)
    assert course.advance(10) == Outcome(Result.SUCCEEDED)


def test_alarms_roll_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm while it bakes ends the deployment; before that alarms do not count."""
    course = Course(monkeypatch, blue_green("ALL_AT_ONCE"))
    course.alarms = ["latency"]
    assert course.advance() is None
    course.new.count = 4
    course.advance()
    ended = course.advance()
    assert ended is not None and ended.result is Result.ROLLED_BACK and "latency" in str(ended.reason)


def test_the_new_fleet_serves_until_the_old_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rolling update that fails late brings the old fleet back first, and only then lets the new one go."""
    course = Course(monkeypatch, {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 10}})
    course.new.count = 4
    for _ in range(3):
        course.advance(10)
    assert course.state == (1.0, 4, 0)
    course.old_is_whole, course.alarms = False, ["errors"]
    assert course.advance() is None
    assert course.state == (1.0, 4, 4)
    course.alarms = []
    course.old_is_whole = True
    ended = course.advance()
    assert ended is not None and ended.result is Result.ROLLED_BACK


def test_a_fleet_that_fails_and_one_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both end the deployment with the reason."""
    course = Course(monkeypatch, {})
    course.new.why = "it does not start"
    assert course.advance() == Outcome(Result.FAILED, "it does not start")
    policy = blue_green("ALL_AT_ONCE")
    policy["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    course = Course(monkeypatch, policy)
    assert course.advance(600) is None
    ended = course.advance(1)
    assert ended is not None and ended.result is Result.FAILED and "MaximumExecutionTimeoutInSeconds (600" in str(ended.reason)


@pytest.mark.ours
def test_parts_of_counts() -> None:
    """At least one of each variant, unless the part is nothing; halves are not made more by floating point."""
    assert part_of({"a": 4, "b": 1}, 0.5) == {"a": 2, "b": 1}
    assert part_of({"a": 4}, 0) == {"a": 0}
    assert part_of({"a": 10}, 1 - 0.7) == {"a": 3}
    assert part_of({"a": 4}, 1.0) == {"a": 4}
