"""What lineage does by itself: read the outbox, soon after something was published."""

from collections.abc import Callable
from typing import Protocol

from modelyard.events import listeners
from modelyard.lineage.following import catch_up
from modelyard.storage.interface import Storage

SECONDS = 2.0
"""Between two looks when nobody says that there is something: another process may have published."""


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def storage(self) -> Storage:
        """Where the rows are."""
        ...


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""
    return SECONDS, lambda: catch_up(house.storage)


def wakes(wake: Callable[[], None]) -> Callable[[], None]:
    """Have `wake` called when there is something to do before the time; what ends that."""
    return listeners.listen(wake)
