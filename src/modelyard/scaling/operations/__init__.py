"""Application Auto Scaling's operations."""

from modelyard.scaling.operations import policies, scheduled_actions, tags, targets

__all__ = ["policies", "scheduled_actions", "tags", "targets"]
