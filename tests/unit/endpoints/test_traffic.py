"""How traffic moves between fleets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.endpoints import traffic
from modelyard.endpoints.model import RuleBroken
from modelyard.endpoints.traffic import Step

pytestmark = pytest.mark.documented


def policy(kind: str, wait: int = 60, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **sizes}
    return {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 300}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


@pytest.mark.parametrize(
    ("given_policy", "total", "stops"),
    [
        (policy("ALL_AT_ONCE"), 4, [(4, 300)]),
        (policy("CANARY", CanarySize=percent(25)), 4, [(1, 60), (4, 300)]),
        (policy("CANARY", CanarySize=percent(1)), 4, [(1, 60), (4, 300)]),
        (policy("CANARY", CanarySize=count(2)), 5, [(2, 60), (5, 300)]),
        (policy("CANARY", CanarySize=percent(50)), 1, [(1, 300)]),
        (policy("CANARY", CanarySize=count(3)), 1, [(1, 300)]),
        (policy("LINEAR", LinearStepSize=percent(20)), 10, [(2, 60), (4, 60), (6, 60), (8, 60), (10, 300)]),
        (policy("LINEAR", LinearStepSize=count(2)), 5, [(2, 60), (4, 60), (5, 300)]),
    ],
)
def test_the_steps_of_blue_and_green(given_policy: dict[str, Any], total: int, stops: list[tuple[int, int]]) -> None:
    """A canary is one step before all, linear steps are of one size; the last step bakes for TerminationWaitInSeconds."""
    found = traffic.steps(given_policy, total)
    assert [(step.instances, step.seconds) for step in found] == stops
    assert [step.last for step in found] == [False] * (len(stops) - 1) + [True]
    assert found[-1].share == 1


def test_messages() -> None:
    """The words of a variant's status, the last ones as AWS's guide has them."""
    words = "Baking for 300 seconds (TerminationWaitInSeconds) with traffic enabled on full capacity of 2 instance(s)."
    assert Step(2, 2, 300, last=True).message == words
    assert "1 of 2" in Step(1, 2, 60, last=False).message


@given(st.sampled_from(["CANARY", "LINEAR"]), st.integers(10, 50), st.integers(1, 200))
def test_traffic_only_grows(kind: str, size: int, total: int) -> None:
    """Each step has more of the traffic than the one before, the first no more than its size or an instance, the last all."""
    member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[kind]
    shares = [step.share for step in traffic.steps(policy(kind, **{member: percent(size)}), total)]
    assert shares == sorted(set(shares)) and shares[-1] == 1
    assert shares[0] <= size / 100 + 1 / total
    rolled = traffic.batches({"MaximumBatchSize": percent(size)}, total)
    assert sum(rolled) == total and max(rolled) <= total * size / 100 + 1


def test_batches() -> None:
    """A rolling update replaces so many at a time, the rest at the end."""
    assert traffic.batches({"MaximumBatchSize": count(2)}, 5) == [2, 2, 1]
    assert traffic.batches({"MaximumBatchSize": percent(5)}, 3) == [1, 1, 1]
    with pytest.raises(RuleBroken, match="at most 50 percent of the 4 instances, and is 3"):
        traffic.batches({"MaximumBatchSize": count(3)}, 4)


@pytest.mark.parametrize(
    ("deployment", "match"),
    [
        ({"BlueGreenUpdatePolicy": policy("CANARY", CanarySize=percent(51))}, "CanarySize must be from 1 to 50 percent"),
        ({"BlueGreenUpdatePolicy": policy("LINEAR", LinearStepSize=percent(9))}, "LinearStepSize must be from 10 to 50 percent"),
        ({"BlueGreenUpdatePolicy": policy("CANARY")}, "CanarySize must be specified with the traffic routing type CANARY"),
        ({"BlueGreenUpdatePolicy": policy("ALL_AT_ONCE", LinearStepSize=percent(10))}, "type LINEAR, and with no other"),
        ({"RollingUpdatePolicy": {"MaximumBatchSize": percent(4)}}, "MaximumBatchSize must be from 5 to 50 percent"),
        ({"RollingUpdatePolicy": {"MaximumBatchSize": percent(60)}}, "and is 60"),
        ({"BlueGreenUpdatePolicy": policy("ALL_AT_ONCE"), "RollingUpdatePolicy": {}}, "cannot both be specified"),
    ],
)
def test_what_cannot_be_asked_for(deployment: dict[str, Any], match: str) -> None:
    """Sizes outside the documented limits, or of another type than the routing's."""
    with pytest.raises(RuleBroken, match=match):
        traffic.check(deployment)


def test_what_can_be_asked_for() -> None:
    """Nothing at all, one policy with its size, and a roll-back of everything at once."""
    traffic.check({})
    traffic.check({"BlueGreenUpdatePolicy": policy("LINEAR", LinearStepSize=percent(50))})
    traffic.check({"RollingUpdatePolicy": {"MaximumBatchSize": percent(5), "RollbackMaximumBatchSize": percent(100)}})
