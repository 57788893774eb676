"""The operations of topics; importing this package declares them all."""

from modelyard.topics.operations import publishing, topics

__all__ = ["publishing", "topics"]
