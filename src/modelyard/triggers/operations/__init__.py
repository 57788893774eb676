"""The operations of EventBridge and of its Scheduler; importing this declares them."""

from modelyard.triggers.operations import connections, destinations, events, rules, schedules, tags, targets

__all__ = ["connections", "destinations", "events", "rules", "schedules", "tags", "targets"]
