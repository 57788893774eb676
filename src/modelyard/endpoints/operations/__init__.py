"""The operations of hosting; importing this package declares them all."""

from modelyard.endpoints import own_program
from modelyard.endpoints.operations import endpoint_configs, endpoints, invocations, model_integrity, models, updates

__all__ = ["endpoint_configs", "endpoints", "invocations", "model_integrity", "models", "own_program", "updates"]
