"""SQS's operations."""

from modelyard.queues.operations import queues, receiving, sending, tags

__all__ = ["queues", "receiving", "sending", "tags"]
