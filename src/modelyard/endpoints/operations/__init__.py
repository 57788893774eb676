"""The operations of hosting; importing this package declares them all."""

from modelyard.endpoints import own_program
from modelyard.endpoints.operations import (
    endpoint_configs,
    endpoints,
    history,
    invocations,
    lending,
    model_integrity,
    models,
    queued_invocations,
    recovery,
    updates,
)

__all__ = [
    "endpoint_configs",
    "endpoints",
    "history",
    "invocations",
    "lending",
    "model_integrity",
    "models",
    "own_program",
    "queued_invocations",
    "recovery",
    "updates",
]
