"""Lambda's operations."""

from modelyard.functions.operations import functions, invoking

__all__ = ["functions", "invoking"]
