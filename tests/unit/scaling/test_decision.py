"""What several policies together make of a capacity: bounds, cool-downs, suspension."""

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.scaling.decision import Ask, Bounds, Cooldowns, Decision, Memory, bounds_of, decide, wish

NOW = 1_700_000_000.0
NOTHING = Memory()
ONE_TO_TEN = Bounds(1, 10)


def by(change: int) -> Callable[[int], int]:
    return lambda capacity: max(0, capacity + change)


def ask(change: Callable[[int], int | None], memory: Memory = NOTHING, *, number: int = 1, **more: Any) -> Ask:
    return Ask(number, "alarm", change, memory, Cooldowns(300, 300), NOW - 60, more.pop("tracks", False))


def capacity(decision: Decision | None) -> int | None:
    return None if decision is None else decision.capacity


@pytest.mark.documented
@pytest.mark.parametrize(
    ("change", "memory", "after"),
    [
        (by(2), Memory(), 6),
        # Out again while cooling down after having gone from 2 to 4: what was added counts.
        (by(2), Memory(out_at=NOW - 10, out_from=2), None),
        (by(3), Memory(out_at=NOW - 10, out_from=2), 5),
        (by(2), Memory(out_at=NOW - 300, out_from=2), 6),
        # In while cooling down after having gone in, or out.
        (by(-1), Memory(in_at=NOW - 299), None),
        (by(-1), Memory(in_at=NOW - 300), 3),
        (by(-1), Memory(out_at=NOW - 10, out_from=2), None),
        # Out is never held up by having gone in.
        (by(1), Memory(in_at=NOW - 1), 5),
        # One datapoint is acted on once.
        (by(1), Memory(datapoint=NOW - 60), None),
        (by(1), Memory(datapoint=NOW - 120), 5),
        (by(0), Memory(), None),
        (lambda _: None, Memory(), None),
    ],
)
def test_cool_downs(change: Callable[[int], int | None], memory: Memory, after: int | None) -> None:
    """A capacity of 4, under one policy and what it did last."""
    assert wish(ask(change, memory), 4, NOW) == after


@pytest.mark.documented
@pytest.mark.parametrize(
    ("changes", "bounds", "after"),
    [
        ([by(20)], ONE_TO_TEN, 10),
        ([by(-20)], ONE_TO_TEN, 1),
        ([by(2), by(5), by(-3)], ONE_TO_TEN, 9),
        ([by(-3), by(-1)], ONE_TO_TEN, 3),
        ([by(20)], Bounds(1, 4), None),
        ([by(2)], Bounds(1, 10, no_out=True), None),
        ([by(-2)], Bounds(1, 10, no_out=True), 2),
        ([by(-2)], Bounds(1, 10, no_in=True), None),
        ([by(-2), by(1)], Bounds(1, 10, no_in=True), 5),
        ([], ONE_TO_TEN, None),
    ],
)
def test_the_largest_capacity_counts_within_the_bounds(
    changes: list[Callable[[int], int]], bounds: Bounds, after: int | None
) -> None:
    """Of what several policies want of a capacity of 4; what is suspended is not done."""
    asks = [ask(change, number=number) for number, change in enumerate(changes)]
    assert capacity(decide(asks, 4, bounds, NOW)) == after


@pytest.mark.documented
def test_policies_that_track_a_target_scale_in_together() -> None:
    """As long as the alarm of one of them is silent none scales in; scaling out, and steps, do not wait for it."""
    assert capacity(decide([ask(by(-1), tracks=True)], 4, ONE_TO_TEN, NOW, all_track_in=False)) is None
    assert capacity(decide([ask(by(-1), tracks=True)], 4, ONE_TO_TEN, NOW, all_track_in=True)) == 3
    assert capacity(decide([ask(by(1), tracks=True)], 4, ONE_TO_TEN, NOW, all_track_in=False)) == 5
    assert capacity(decide([ask(by(-1), tracks=False)], 4, ONE_TO_TEN, NOW, all_track_in=False)) == 3


@pytest.mark.documented
def test_what_is_remembered() -> None:
    """Out: from where, which ends the cool-down of in. In: when, beside what was before."""
    before = Memory(out_at=NOW - 1000, out_from=3, in_at=NOW - 500)
    out = decide([ask(by(2), before)], 4, ONE_TO_TEN, NOW)
    assert out is not None and out.memory == Memory(out_at=NOW, out_from=4, datapoint=NOW - 60)
    into = decide([ask(by(-2), before)], 4, ONE_TO_TEN, NOW)
    assert into is not None
    assert into.memory == Memory(out_at=NOW - 1000, out_from=3, in_at=NOW, datapoint=NOW - 60)


@pytest.mark.documented
def test_suspension_is_part_of_the_bounds() -> None:
    """SuspendedState says which way a capacity may not move by itself."""
    document = {"MinCapacity": 2, "MaxCapacity": 5, "SuspendedState": {"DynamicScalingInSuspended": True}}
    assert bounds_of(document) == Bounds(2, 5, no_out=False, no_in=True)
