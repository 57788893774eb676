"""The operations of hosting; importing this package declares them all."""

from modelyard.endpoints.operations import endpoint_configs, model_integrity, models

__all__ = ["endpoint_configs", "model_integrity", "models"]
