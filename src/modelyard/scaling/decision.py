"""Which capacity the policies of a target ask for together, with their cool-downs, and within its bounds. Functions of values."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

DEFAULT_COOLDOWN = 300.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what the capacity is kept, and which way it may not move."""

    least: int
    most: int
    no_out: bool = False
    no_in: bool = False

    def within(self, capacity: int) -> int:
        """A capacity put within the bounds."""
        return min(max(capacity, self.least), self.most)


def bounds_of(document: Mapping[str, Any]) -> Bounds:
    """The bounds of a scalable target."""
    suspended = document.get("SuspendedState", {})
    return Bounds(
        document["MinCapacity"],
        document["MaxCapacity"],
        suspended.get("DynamicScalingOutSuspended", False),
        suspended.get("DynamicScalingInSuspended", False),
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """What a policy did last."""

    out_at: float | None = None
    out_from: int = 0
    """The capacity before it scaled out."""
    in_at: float | None = None
    datapoint: float | None = None
    """The time of the datapoint that it last acted on."""


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """Seconds that a policy waits after it scaled."""

    out: float = DEFAULT_COOLDOWN
    into: float = DEFAULT_COOLDOWN


@dataclass(frozen=True, slots=True)
class Ask:
    """What a policy whose alarm rings asks for."""

    policy: int
    alarm: str
    change: Callable[[int], int | None]
    """The capacity that it wants, from the one that there is; None for none."""
    memory: Memory
    cooldowns: Cooldowns
    datapoint: float
    tracks: bool
    """Whether it tracks a target."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A new capacity, and on whose account."""

    capacity: int
    ask: Ask
    memory: Memory
    """What the policy is to remember."""


def wish(ask: Ask, capacity: int, now: float) -> int | None:
    """The capacity that a policy asks for now; None when it asks for none, or has to wait.

    While it cools down after scaling out, what it added counts: it may ask for more than that, and for no less.
    """
    memory = ask.memory
    if memory.datapoint is not None and ask.datapoint <= memory.datapoint:
        return None
    cooling = memory.out_at is not None and now < memory.out_at + ask.cooldowns.out
    wanted = ask.change(min(memory.out_from, capacity) if cooling else capacity)
    if wanted is None or wanted == capacity or (cooling and wanted < capacity):
        return None
    if wanted < capacity and memory.in_at is not None and now < memory.in_at + ask.cooldowns.into:
        return None
    return wanted


def decide(asks: Iterable[Ask], capacity: int, bounds: Bounds, now: float, *, all_track_in: bool = True) -> Decision | None:
    """The capacity to go to; None to stay.

    Of several policies the one that wants the largest capacity counts. Those that track a target scale in only together:
    `all_track_in` says whether the alarms for that ring of all of them.
    """
    wishes = []
    for ask in asks:
        wanted = wish(ask, capacity, now)
        if wanted is None:
            continue
        wanted = bounds.within(wanted)
        may_go_in = not bounds.no_in and (all_track_in or not ask.tracks)
        if (wanted > capacity and not bounds.no_out) or (wanted < capacity and may_go_in):
            wishes.append((wanted, ask))
    if not wishes:
        return None
    wanted, ask = max(wishes, key=lambda each: each[0])
    return Decision(wanted, ask, remembered(ask, capacity, wanted, now))


def remembered(ask: Ask, capacity: int, wanted: int, now: float) -> Memory:
    """What a policy knows after it scaled; scaling out ends its cool-down of scaling in."""
    if wanted < capacity:
        return replace(ask.memory, in_at=now, datapoint=ask.datapoint)
    return Memory(out_at=now, out_from=capacity, datapoint=ask.datapoint)
