"""How often which values came, in few numbers: what percentiles are made of.

Values are counted in buckets whose bounds grow by a constant factor, so that a bucket's middle is within 1 % of every value in
it. Beyond 512 buckets neighbours are joined, which doubles the error (2 %, 4 % …): 512 buckets hold values spread over a factor
of 28,000 without that. The idea is that of DDSketch (Masson, Rim, Lee 2019), with the uniform collapse of UDDSketch.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

ERROR = 0.01
"""The relative error of a percentile, at level 0."""
MOST_BUCKETS = 512
_LOG_GAMMA = math.log((1 + ERROR) / (1 - ERROR))


@dataclass(slots=True)
class Sketch:
    """Counts of values that are not negative."""

    level: int = 0
    """How often neighbouring buckets were joined."""
    zeros: float = 0.0
    counts: dict[int, float] = field(default_factory=dict)

    def add(self, value: float, count: float) -> None:
        """Count a value so many times."""
        if value == 0:
            self.zeros += count
            return
        index = math.ceil(math.log(value) / (_LOG_GAMMA * 2**self.level))
        self.counts[index] = self.counts.get(index, 0.0) + count
        self._keep_small()

    def merge(self, other: "Sketch") -> None:
        """Count all that another one counted."""
        while self.level < other.level:
            self._collapse()
        shift = 2 ** (self.level - other.level)
        for index, count in other.counts.items():
            here = -(-index // shift)
            self.counts[here] = self.counts.get(here, 0.0) + count
        self.zeros += other.zeros
        self._keep_small()

    def values(self) -> Iterable[tuple[float, float]]:
        """The middles of the buckets and their counts, smallest first."""
        if self.zeros:
            yield 0.0, self.zeros
        log_gamma = _LOG_GAMMA * 2**self.level
        middle = math.log(2 / (1 + math.exp(log_gamma)))
        for index in sorted(self.counts):
            yield math.exp(index * log_gamma + middle), self.counts[index]

    def encoded(self) -> bytes:
        """As it is stored."""
        return orjson.dumps([self.level, self.zeros, list(self.counts), list(self.counts.values())])

    def _keep_small(self) -> None:
        while len(self.counts) > MOST_BUCKETS:
            self._collapse()

    def _collapse(self) -> None:
        joined: dict[int, float] = {}
        for index, count in self.counts.items():
            half = -(-index // 2)
            joined[half] = joined.get(half, 0.0) + count
        self.level += 1
        self.counts = joined


def decoded(content: bytes) -> Sketch:
    """A sketch as it was stored."""
    level, zeros, indices, counts = orjson.loads(content)
    return Sketch(level, zeros, dict(zip(indices, counts, strict=True)))
