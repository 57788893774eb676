"""The operations of hosting; importing this package declares them all."""

from modelyard.endpoints import own_program
from modelyard.endpoints.operations import (
    component_updates,
    endpoint_configs,
    endpoints,
    history,
    inference_components,
    invocations,
    lending,
    model_integrity,
    models,
    queued_invocations,
    recovery,
    updates,
)

__all__ = [
    "component_updates",
    "endpoint_configs",
    "endpoints",
    "history",
    "inference_components",
    "invocations",
    "lending",
    "model_integrity",
    "models",
    "own_program",
    "queued_invocations",
    "recovery",
    "updates",
]
