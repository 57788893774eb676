"""Time, passed in: nothing below the composition root reads the machine's clock by itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; tests pass one that stands still."""

    def now(self) -> float:
        """Epoch seconds, to the millisecond (the resolution AWS answers with)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Epoch seconds, to the millisecond."""
        return round(time.time(), 3)


class FixedClock:
    """A clock that moves only when told to, for tests and for replays."""

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        """The time it was last set to, in epoch seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now = round(self._now + seconds, 3)
