"""How much asynchronous endpoints have to do, in SageMaker's metrics: namespace `AWS/SageMaker`, dimension `EndpointName`."""

from collections.abc import Mapping

from modelyard.endpoints.store_queued import Backlog


def metrics(backlog: Backlog, instances: int, now: float) -> Mapping[str, float]:
    """The metrics of an endpoint that has so many healthy instances: with none, the backlog is that of the one to come."""
    return {
        "ApproximateBacklogSize": float(backlog.size),
        "ApproximateBacklogSizePerInstance": backlog.size / max(1, instances),
        "ApproximateAgeOfOldestRequest": 0.0 if backlog.oldest is None else max(0.0, now - backlog.oldest),
        "HasBacklogWithoutCapacity": float(backlog.size > 0 and not instances),
    }
