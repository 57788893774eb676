"""Rations of audit records that nobody has to be authenticated to cause."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

BURST = 10
"""Records that may be caused at once, of one key."""
REFILL_SECONDS = 60.0
"""After which another record of the key may be caused."""
BURST_OF_ALL = 100
REFILL_SECONDS_OF_ALL = 6.0
MOST_KEYS = 1000
"""Keys that are remembered."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    since: float
    left_out: int = 0

    def fill(self, now: float, burst: int, refill_seconds: float) -> None:
        self.tokens = min(float(burst), self.tokens + max(0.0, now - self.since) / refill_seconds)
        self.since = now


class Rationing:
    """Allows a burst of records for each key and over all, and then one every so often."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all = _Bucket(BURST_OF_ALL, 0.0)
        self._keys: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> int | None:
        """How many records of `key` were left out since its last one, and so may be told in this one; None to leave it out."""
        with self._lock:
            bucket = self._keys.get(key)
            if bucket is None:
                bucket = self._keys[key] = _Bucket(BURST, now)
                if len(self._keys) > MOST_KEYS:
                    self._keys.popitem(last=False)
            self._keys.move_to_end(key)
            bucket.fill(now, BURST, REFILL_SECONDS)
            self._all.fill(now, BURST_OF_ALL, REFILL_SECONDS_OF_ALL)
            if bucket.tokens < 1 or self._all.tokens < 1:
                bucket.left_out += 1
                return None
            bucket.tokens -= 1
            self._all.tokens -= 1
            left_out, bucket.left_out = bucket.left_out, 0
            return left_out
