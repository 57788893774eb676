"""Compiled policies by their text, as many as fit a budget of memory."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class WeightedCache(Generic[T]):
    """Keeps what was used last, as long as the weights of all do not exceed the budget. Safe between threads.

    Policies differ in size by a factor of a hundred, so counting them would either keep too few or take too much memory.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()
        self._lock = Lock()

    @property
    def weight(self) -> int:
        """The weights of all that is kept."""
        return self._weight

    def get(self, key: Hashable) -> T | None:
        """What is kept under the key."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: Hashable, value: T, weight: int) -> T:
        """Keep a value, unless another thread was first; what is now kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                return found[1]
            self._kept[key] = (weight, value)
            self._weight += weight
            while self._weight > self._budget and len(self._kept) > 1:
                _, (dropped, _value) = self._kept.popitem(last=False)
                self._weight -= dropped
            return value
