"""Prometheus metrics. Counting a request costs about a microsecond: plain numbers, rendered when they are asked for.

Requests are counted on the event loop alone, so the numbers need no lock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds in seconds."""
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Name = tuple[str, str]
"""A service and an operation."""


class RequestMetrics(Collector):
    """How many requests there were, how they ended and how long they took."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._answers: dict[tuple[Name, int], int] = {}
        self._latencies: dict[Name, list[int]] = {}
        self._seconds: dict[Name, float] = {}

    def count(self, name: Name, status: int, seconds: float) -> None:
        """Count one answered request. The names come from the table of operations, so there are not many."""
        key = (name, status)
        self._answers[key] = self._answers.get(key, 0) + 1
        latencies = self._latencies.get(name)
        if latencies is None:
            latencies = self._latencies[name] = [0] * (len(BUCKETS) + 1)
            self._seconds[name] = 0.0
        latencies[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[name] += seconds

    def collect(self) -> Iterator[Metric]:
        """The numbers so far, as Prometheus wants them."""
        answers = CounterMetricFamily("modelyard_requests", "Requests answered.", labels=("service", "operation", "status"))
        for ((service, operation), status), number in list(self._answers.items()):
            answers.add_metric((service, operation, str(status)), number)
        yield answers
        duration = HistogramMetricFamily(
            "modelyard_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            labels=("service", "operation"),
        )
        for name, numbers in list(self._latencies.items()):
            duration.add_metric(name, _cumulative(numbers), self._seconds[name])
        yield duration
        yield GaugeMetricFamily("modelyard_requests_in_flight", "Requests that are not answered yet.", value=self.in_flight)


def _cumulative(numbers: list[int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, number in zip((*map(str, BUCKETS), "+Inf"), numbers, strict=True):
        total += number
        buckets.append((bound, float(total)))
    return buckets


class Gauges(Collector):
    """Numbers that are looked up when Prometheus asks."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Every number as it is now."""
        for name, (documentation, value) in self._gauges.items():
            yield GaugeMetricFamily(name, documentation, value=value())


class Metrics:
    """All metrics of one server."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self.requests = RequestMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self.requests)
        self._registry.register(Gauges(gauges))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def render(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)
