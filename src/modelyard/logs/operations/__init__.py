"""CloudWatch Logs' operations."""

from modelyard.logs.operations import events, groups, streams, tags

__all__ = ["events", "groups", "streams", "tags"]
