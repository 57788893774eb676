"""CloudWatch's operations."""

from modelyard.metrics.operations import alarm_lists, alarms, data, history, statistics, tags

__all__ = ["alarm_lists", "alarms", "data", "history", "statistics", "tags"]
