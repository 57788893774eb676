"""What is kept of the values of one period: their number, sum, extremes and, where percentiles can be had, their sketch."""

from dataclasses import dataclass

from modelyard.metrics.sketch import Sketch


@dataclass(slots=True)
class Aggregate:
    """The values of one period."""

    samples: float
    total: float
    minimum: float
    maximum: float
    sketch: Sketch | None
    """None where percentiles cannot be had: some values came as a statistic set, or are negative."""

    def merge(self, other: "Aggregate") -> None:
        """Take in the values of another one."""
        self.samples += other.samples
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.sketch is not None:
            if other.sketch is None:
                self.sketch = None
            else:
                self.sketch.merge(other.sketch)


def of_values(values: list[float], counts: list[float]) -> Aggregate:
    """Values that came so many times each; of counts that are zero nothing is kept, so that there may be no samples."""
    present = [(value, count) for value, count in zip(values, counts, strict=True) if count > 0]
    sketch: Sketch | None = None
    if all(value >= 0 for value, _ in present):
        sketch = Sketch()
        for value, count in present:
            sketch.add(value, count)
    return Aggregate(
        samples=sum(count for _, count in present),
        total=sum(value * count for value, count in present),
        minimum=min((value for value, _ in present), default=0.0),
        maximum=max((value for value, _ in present), default=0.0),
        sketch=sketch,
    )


def of_set(samples: float, total: float, minimum: float, maximum: float) -> Aggregate:
    """A statistic set; where all its values must be the same, they are known."""
    if minimum == maximum and total == minimum * samples:
        return of_values([minimum], [samples])
    return Aggregate(samples, total, minimum, maximum, None)
