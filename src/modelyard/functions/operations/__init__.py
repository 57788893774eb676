"""Lambda's operations."""

from modelyard.functions.operations import functions, invoke_configs, invoking, mappings, policies, tags

__all__ = ["functions", "invoke_configs", "invoking", "mappings", "policies", "tags"]
